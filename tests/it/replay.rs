//! `saker replay` over captures that Falco recorded, held against Falco's own alerts, which are
//! read where they lie.

use crate::needs;
use crate::program::{saker, workspace};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The folder of Falco's data, if it is there.
fn falco() -> Option<PathBuf> {
    let beside = workspace().join("../shared/falco");
    let folder = std::env::var_os("SAKER_FALCO").map_or(beside, PathBuf::from);
    let missing = match folder.join("expected/replay.yaml").is_file() {
        true => None,
        false => Some(format!("no captures in {}", folder.display())),
    };
    needs::have("falco", missing).then_some(folder)
}

/// The capture of that name, compressed or not.
fn capture(folder: &std::path::Path, name: &str) -> PathBuf {
    let plain = folder.join(format!("captures/{name}.scap"));
    match plain.is_file() {
        true => plain,
        false => folder.join(format!("captures/{name}.scap.gz")),
    }
}

/// With what Falco's own run was configured, as options.
const AS_FALCO_RAN: [&str; 17] = [
    "watch_config_files=false",
    "rules[].enable.rule=*",
    "engine.kind=replay",
    "load_plugins[]=container",
    "priority=debug",
    "json_output=true",
    "time_format_iso_8601=false",
    "buffered_outputs=true",
    "stdout_output.enabled=true",
    "syslog_output.enabled=false",
    "webserver.enabled=false",
    "log_stderr=true",
    "log_syslog=false",
    "metrics.enabled=false",
    "append_output[]={\"suggested_output\": true}",
    "hostname=golden",
    "cache.dir=",
];

fn replay(capture: &std::path::Path, rules: &[PathBuf], options: &[&str]) -> Output {
    let mut command = Command::new(saker());
    command.arg("replay").arg(capture);
    for rules in rules {
        command.arg("-r").arg(rules);
    }
    for option in AS_FALCO_RAN.iter().chain(options) {
        command.arg("-o").arg(option);
    }
    let output = command.output().expect("saker runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A line as values, without what Falco reads from memory that it never wrote.
fn alert(line: &str) -> Value {
    const GARBAGE: &str = "proc.exe_ino.ctime_duration_proc_start";
    let mut alert: Value = serde_json::from_str(line).expect("a line is JSON");
    let removed = alert["output_fields"]
        .as_object_mut()
        .and_then(|fields| fields.remove(GARBAGE));
    if removed.is_some() {
        let text = alert["output"].as_str().unwrap_or_default().to_owned();
        let (before, after) = text
            .split_once("proc_exe_ino_ctime_duration_proc_start=")
            .unwrap_or((&text, ""));
        let after = after.split_once(' ').map_or("", |(_, after)| after);
        alert["output"] = format!("{before}{after}").into();
    }
    alert
}

#[test]
fn the_alerts_over_falcos_captures_are_falcos() {
    let Some(folder) = falco() else { return };
    let stable = folder.join("rules/falco_rules.yaml");
    let incubating = folder.join("rules/falco-incubating_rules.yaml");
    let (mut alerts, mut wrong) = (0, Vec::new());
    for name in ["files", "procs", "privs", "docker", "server"] {
        for (kind, rules, matching) in [
            ("stable", vec![stable.clone()], "rule_matching=all"),
            ("stable_first", vec![stable.clone()], "rule_matching=first"),
            (
                "incubating",
                vec![stable.clone(), incubating.clone()],
                "rule_matching=all",
            ),
        ] {
            let expected = folder.join(format!("expected/{name}.{kind}.jsonl"));
            let expected = std::fs::read_to_string(expected).expect("Falco's alerts are there");
            let output = replay(&capture(&folder, name), &rules, &[matching]);
            let got = String::from_utf8(output.stdout).expect("text");
            let (wanted, got): (Vec<_>, Vec<_>) = (
                expected.lines().map(alert).collect(),
                got.lines().map(alert).collect(),
            );
            alerts += wanted.len();
            for missing in wanted.iter().filter(|alert| !got.contains(alert)) {
                wrong.push(format!("{name}.{kind} lacks {missing}"));
            }
            for extra in got.iter().filter(|alert| !wanted.contains(alert)) {
                wrong.push(format!("{name}.{kind} has   {extra}"));
            }
            if wanted != got && wrong.is_empty() {
                wrong.push(format!("{name}.{kind}: other order or number"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{alerts} alerts are equal");
    assert!(alerts > 0, "there is nothing to compare");
}

#[test]
fn windows_of_any_size_give_the_same_bytes() {
    let Some(folder) = falco() else { return };
    let rules = [folder.join("rules/falco_rules.yaml")];
    for name in ["privs", "docker"] {
        let capture = capture(&folder, name);
        let outputs = ["1", "7", "4096"].map(|rows| {
            let rows = format!("window.rows_max={rows}");
            replay(&capture, &rules, &[&rows]).stdout
        });
        assert!(!outputs[0].is_empty(), "{name} gives no alert");
        assert!(
            outputs.iter().all(|output| *output == outputs[0]),
            "{name}: the window's size shows"
        );
    }
}
