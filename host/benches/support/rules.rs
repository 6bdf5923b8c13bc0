//! What benches share: a hundred rules.

use saker_rules_compiler::Source;
use std::fmt::Write;

/// A hundred rules built like those that people run: macros for the event, lists of programs,
/// path prefixes, exceptions by parent and command line. None of them matches, as most events
/// of a healthy machine match no rule.
fn hundred_rules() -> String {
    let mut yaml = String::from(
        "
- list: shells
  items: [ash, csh, ksh, zsh, tcsh, fish]
- list: package_managers
  items: [apt, apt-get, dpkg, rpm, yum, dnf, apk, pacman, zypper, snapd]
- list: editors
  items: [vi, vim, nano, emacs, ed, joe]
- macro: open_read
  condition: (evt.type in (open, openat, openat2) and evt.is_open_read=true and fd.num>=0)
- macro: open_write
  condition: (evt.type in (open, openat, openat2) and evt.is_open_write=true and fd.num>=0)
- macro: spawned
  condition: (evt.type in (execve, execveat))
- macro: by_package_manager
  condition: (proc.name in (package_managers) or proc.aname in (package_managers))
",
    );
    for n in 0..100 {
        let condition = match n % 10 {
            0..=2 => format!(
                "open_read and (fd.name in (/etc/secret{n}, /etc/vault{n}/key) or fd.directory = /etc/pam{n}.d) \
                 and not proc.name in (shells) and not by_package_manager"
            ),
            3 | 4 => format!(
                "open_write and fd.name startswith /srv/protected{n}/ and not proc.name in (editors)"
            ),
            5 => format!(
                "open_write and fd.name contains /.secret{n}/ and not proc.pname = backup{n}"
            ),
            6 => format!(
                "spawned and proc.name in (tool{n}, nc{n}, socat{n}) and not proc.pname in (shells)"
            ),
            7 => format!(
                "spawned and proc.cmdline contains \"--evil{n}\" and not by_package_manager"
            ),
            8 => format!(
                "evt.type = connect and fd.sport = {} and not proc.name in (curl, wget, agent{n})",
                4000 + n
            ),
            _ => format!(
                "evt.type in (unlink, unlinkat) and evt.arg.path endswith .bak{n} and user.name != root"
            ),
        };
        let _ = write!(
            yaml,
            "- rule: rule {n}\n  desc: d\n  condition: >\n    {condition}\n  output: \"%proc.cmdline %fd.name\"\n  priority: WARNING\n"
        );
    }
    yaml
}

/// The same as a file.
pub(crate) fn hundred_sources() -> Vec<Source> {
    vec![Source {
        name: "bench.yaml".into(),
        text: hundred_rules(),
    }]
}
