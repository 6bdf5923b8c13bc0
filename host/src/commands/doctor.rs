//! `saker doctor`: every precondition of the live source by name, and what to do about those
//! that are missing. It looks, and changes nothing.

use super::{Failure, print};
use crate::source::ebpf::{Options, Probe, Scope};
use anstyle::{AnsiColor, Style};
use aya::maps::MapType;
use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::os::unix::net::UnixStream;
use std::path::Path;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// As needed.
    Good,
    /// Saker runs, with less.
    Weak,
    /// Saker cannot watch the kernel.
    Missing,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Good => "ok",
            State::Weak => "weak",
            State::Missing => "missing",
        }
    }
}

struct Check {
    name: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What to do, if not good.
    help: &'static str,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut checks = examine();
    if checks.iter().all(|check| check.state != State::Missing) {
        checks.push(probe());
    }
    let able = checks.iter().all(|check| check.state != State::Missing);
    print(&if args.json {
        as_json(&checks, able)
    } else {
        as_text(&checks, able)
    })?;
    if able {
        Ok(())
    } else {
        Err(Failure::Unable(anyhow::anyhow!(
            "a precondition is missing"
        )))
    }
}

/// The first missing precondition in words, for a command that then loads the probe itself.
pub(crate) fn first_missing() -> Option<String> {
    let check = examine()
        .into_iter()
        .find(|check| check.state == State::Missing)?;
    Some(format!("{}: {}; {}", check.name, check.found, check.help))
}

/// What can be examined while Saker runs, as the page tells it.
pub(crate) fn checks() -> Vec<saker_web::health::Check> {
    let checks = examine().into_iter();
    let checks = checks.map(|check| saker_web::health::Check {
        name: check.name.into(),
        state: check.state.name().into(),
        found: check.found,
        help: check.help.into(),
    });
    checks.collect()
}

fn examine() -> Vec<Check> {
    vec![
        capabilities(),
        kernel(),
        btf(),
        ring_buffer(),
        lockdown(),
        memlock(),
        pid_namespace(),
        procfs(),
        cgroup_v2(),
        engines(),
        jit(),
    ]
}

/// Capability numbers of `include/uapi/linux/capability.h`.
const NEEDED_CAPABILITIES: &[(&str, u32)] = &[
    ("CAP_BPF", 39),
    ("CAP_PERFMON", 38),
    ("CAP_SYS_PTRACE", 19),
    ("CAP_DAC_READ_SEARCH", 2),
];
const CAP_SYS_ADMIN: u32 = 21;

fn capabilities() -> Check {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0);
    let has = |bit: u32| effective & (1 << bit) != 0;
    // Before 5.8, and still, CAP_SYS_ADMIN stands for the first two.
    let lacking: Vec<&str> = NEEDED_CAPABILITIES
        .iter()
        .filter(|(_, bit)| !(has(*bit) || *bit >= 38 && has(CAP_SYS_ADMIN)))
        .map(|(name, _)| *name)
        .collect();
    Check {
        name: "capabilities",
        state: if lacking.is_empty() {
            State::Good
        } else {
            State::Missing
        },
        found: if lacking.is_empty() {
            "all there".into()
        } else {
            format!("{} missing", lacking.join(", "))
        },
        help: "run as root, or grant the capabilities (in a container: privileged, or add them)",
    }
}

fn kernel() -> Check {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let machine = std::env::consts::ARCH;
    let good = version >= (5, 8) && machine == "x86_64";
    Check {
        name: "kernel",
        state: if good { State::Good } else { State::Missing },
        found: format!("{release} on {machine}"),
        help: "Linux 5.8 or later on x86_64 is needed",
    }
}

fn btf() -> Check {
    let path = Path::new("/sys/kernel/btf/vmlinux");
    let found = std::fs::metadata(path);
    Check {
        name: "BTF",
        state: if found.is_ok() {
            State::Good
        } else {
            State::Missing
        },
        found: match found {
            Ok(file) => format!("{}, {} bytes", path.display(), file.len()),
            Err(error) => format!("{}: {error}", path.display()),
        },
        help: "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, and mount /sys",
    }
}

fn ring_buffer() -> Check {
    let (state, found) = match aya::sys::is_map_supported(MapType::RingBuf) {
        Ok(true) => (State::Good, "works".to_owned()),
        Ok(false) => (State::Missing, "this kernel lacks it".to_owned()),
        Err(error) => (State::Missing, format!("cannot be tried: {error}")),
    };
    Check {
        name: "ring buffer",
        state,
        found,
        help: "needs Linux 5.8, CAP_BPF, and bpf(2) allowed by seccomp",
    }
}

/// Loads the probe itself, for a moment, to watch a cgroup that does not exist.
fn probe() -> Check {
    let nothing = Scope::Id {
        id: u64::MAX,
        level: 0,
    };
    let options = Options {
        scope: Some(nothing),
        ..Options::default()
    };
    let loaded = Probe::load(&options);
    Check {
        name: "probe",
        state: if loaded.is_ok() {
            State::Good
        } else {
            State::Missing
        },
        found: match loaded {
            Ok(_) => "loads and attaches".into(),
            Err(error) => format!("{:#}", anyhow::Error::from(error)),
        },
        help: "mend what is missing above; if nothing is, please report this",
    }
}

fn lockdown() -> Check {
    let text = std::fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    let confidential = text.contains("[confidentiality]");
    Check {
        name: "lockdown",
        state: if confidential {
            State::Missing
        } else {
            State::Good
        },
        found: match text
            .split_once('[')
            .and_then(|(_, rest)| rest.split_once(']'))
        {
            Some((mode, _)) => mode.to_owned(),
            None => "off".to_owned(),
        },
        help: "in mode `confidentiality` no program may read kernel memory; boot with lockdown=integrity",
    }
}

fn memlock() -> Check {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock).current;
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    // Since 5.11 BPF memory is charged to the cgroup, and the limit plays no part.
    let enough = version >= (5, 11) || limit.is_none_or(|bytes| bytes >= 256 << 20);
    Check {
        name: "memlock",
        state: if enough { State::Good } else { State::Weak },
        found: match limit {
            None => "unlimited".into(),
            Some(bytes) if version >= (5, 11) => {
                format!("{} KiB, not used by BPF since Linux 5.11", bytes >> 10)
            }
            Some(bytes) => format!("{} KiB", bytes >> 10),
        },
        help: "raise it (ulimit -l unlimited), or choose smaller buffers",
    }
}

/// Inode number of the first pid namespace (`PROC_PID_INIT_INO`).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

fn pid_namespace() -> Check {
    let own = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let first = own.as_os_str() == FIRST_PID_NAMESPACE;
    Check {
        name: "pid namespace",
        state: if first { State::Good } else { State::Missing },
        found: if first {
            "the host's".into()
        } else {
            format!("{}", own.display())
        },
        help: "the kernel's process ids must be ours: run with the host's pid namespace (hostPID: true)",
    }
}

fn procfs() -> Check {
    let readable = std::fs::read_link("/proc/1/exe");
    Check {
        name: "procfs",
        state: if readable.is_ok() {
            State::Good
        } else {
            State::Weak
        },
        found: match readable {
            Ok(_) => "other users' processes are readable".into(),
            Err(error) => format!("/proc/1/exe: {error}"),
        },
        help: "processes that run already will lack details: CAP_SYS_PTRACE, and a /proc mounted without hidepid",
    }
}

fn cgroup_v2() -> Check {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let place = mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let place = words.nth(1)?;
        (words.next()? == "cgroup2").then(|| place.to_owned())
    });
    Check {
        name: "cgroup v2",
        state: if place.is_some() {
            State::Good
        } else {
            State::Weak
        },
        found: place.unwrap_or_else(|| "not mounted".into()),
        help: "`scope.cgroup` needs it: mount -t cgroup2 none /sys/fs/cgroup",
    }
}

/// Whether what stands at the sockets of engines may be asked.
fn engines() -> Check {
    let mut found = Vec::new();
    let mut is_denied = false;
    for (engine, socket) in crate::enrich::engine::Settings::default().sockets() {
        match UnixStream::connect(&socket) {
            Ok(_) => found.push(format!("{engine} at {}", socket.display())),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                is_denied = true;
                found.push(format!("{engine} at {}: {error}", socket.display()));
            }
            Err(_) => {}
        }
    }
    Check {
        name: "engines",
        state: if is_denied { State::Weak } else { State::Good },
        found: match found.is_empty() {
            true => "none at the usual sockets".into(),
            false => found.join(", "),
        },
        help: "containers will have their id alone: run as root, or mount the sockets (below HOST_ROOT)",
    }
}

fn jit() -> Check {
    let enabled = std::fs::read_to_string("/proc/sys/net/core/bpf_jit_enable");
    let off = enabled.as_ref().is_ok_and(|text| text.trim() == "0");
    Check {
        name: "BPF JIT",
        state: if off { State::Weak } else { State::Good },
        found: if off { "off".into() } else { "on".into() },
        help: "the probe will be slow: sysctl net.core.bpf_jit_enable=1",
    }
}

fn as_text(checks: &[Check], able: bool) -> String {
    let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut out = String::new();
    for check in checks {
        let (word, style) = match check.state {
            State::Good => ("ok", AnsiColor::Green.on_default()),
            State::Weak => ("weak", AnsiColor::Yellow.on_default()),
            State::Missing => ("MISSING", AnsiColor::Red.on_default().bold()),
        };
        let style = if color { style } else { Style::new() };
        let _ = writeln!(
            out,
            "{style}{word:<8}{style:#} {:<16} {}",
            check.name, check.found
        );
        if check.state != State::Good {
            let _ = writeln!(out, "{:<25} → {}", "", check.help);
        }
    }
    out.push_str(if able {
        "Saker can run here.\n"
    } else {
        "Saker cannot run here yet.\n"
    });
    out
}

fn as_json(checks: &[Check], able: bool) -> String {
    let checks: Vec<_> = checks
        .iter()
        .map(|check| {
            serde_json::json!({
                "name": check.name,
                "state": check.state.name(),
                "found": check.found,
                "help": (check.state != State::Good).then_some(check.help),
            })
        })
        .collect();
    format!("{}\n", serde_json::json!({"able": able, "checks": checks}))
}
