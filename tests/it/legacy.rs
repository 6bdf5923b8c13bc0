//! Falco's old end-to-end cases: rule files, captures of 2016 to 2022, and what must come of them;
//! read where they lie. What was an option of the command line then is a setting now.

use crate::needs;
use crate::program::{saker, workspace};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of Falco's data, if it is there.
fn falco() -> Option<PathBuf> {
    let beside = workspace().join("../shared/falco");
    let folder = std::env::var_os("SAKER_FALCO").map_or(beside, PathBuf::from);
    let missing = match folder.join("cases/falco_legacy_cases.json").is_file() {
        true => None,
        false => Some(format!("no cases in {}", folder.display())),
    };
    needs::have("falco", missing).then_some(folder)
}

/// The cases that are left out, by what their name begins with, and why.
const APART: &[(&str, &str)] = &[
    ("grpc_", "Falco has no gRPC any more"),
    ("program_output", "alerts are not handed to programs"),
    (
        "disabled_and_enabled_rules",
        "Falco has no such options any more: settings are obeyed in order",
    ),
    ("monitor_syscall_drops", "no events are made up as lost"),
    ("syscalls", "its capture is not there"),
    ("detect_counts", "its capture is not there"),
];

/// Counts that were made when the beginning of a call was an event of its own: of which rule, and
/// how many there are now.
const ENDS_ALONE: &[(&str, &str, u64, u64)] = &[
    (
        "rule_names_with_regex_chars",
        "Open From Cat ($\\.*+?()[]{}|^)",
        8,
        4,
    ),
    // fstat, read and close: the end of the open is the other rule's.
    ("catchall_order", "dev_null", 6, 3),
];

/// Codes that Falco has given another name since.
const RENAMED: &[(&str, &str)] = &[("LOAD_UNKNOWN_FIELD", "LOAD_UNKNOWN_FILTER")];

/// What is wanted of standard output, where a pattern says it.
const PATTERNS: &[(&str, Pattern)] = &[
    (
        "Warning An open was seen",
        Pattern::Has("Warning An open was seen"),
    ),
    (
        "^(?!.*Warning An open of /dev/null was seen.*)",
        Pattern::Lacks("Warning An open of /dev/null was seen"),
    ),
    (
        "^(?!.*\"tags\":[ ]*\\[.*\\],.*)",
        Pattern::Lacks("\"tags\":"),
    ),
    ("^(.*\"tags\":[ ]*\\[\\],.*)", Pattern::Has("\"tags\":[],")),
];

#[derive(Clone, Copy)]
enum Pattern {
    Has(&'static str),
    Lacks(&'static str),
}

fn texts<'v>(case: &'v Value, key: &str) -> Vec<&'v str> {
    match &case[key] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn run(words: &[&str], paths: &[PathBuf], options: &[String]) -> Output {
    let mut command = Command::new(saker());
    command.args(words).args(paths).args(["-o", "cache.dir="]);
    options.iter().for_each(|option| {
        command.args(["-o", option]);
    });
    command
        .env("FALCO_HOSTNAME", "legacy")
        .output()
        .expect("saker runs")
}

/// What a case that a rule file is refused or warned of wants and does not get.
fn check(case: &Value, files: &[PathBuf]) -> Vec<String> {
    let mut command = Command::new(saker());
    let output = command
        .arg("check")
        .args(files)
        .output()
        .expect("saker runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let mut faults = Vec::new();
    if output.status.success() != (case["exit_status"] != 1) {
        faults.push(format!("ends with {}", output.status));
    }
    for (key, begins) in [
        ("validate_errors", "error["),
        ("validate_warnings", "warning["),
    ] {
        for wanted in case[key].as_array().into_iter().flatten() {
            let code = wanted["code"].as_str().expect("each has a code");
            let renamed = RENAMED.iter().find(|(old, _)| *old == code);
            let end = format!(" {}]:", renamed.map_or(code, |(_, new)| *new));
            let is_said = |line: &str| line.starts_with(begins) && line.contains(&end);
            if !said.lines().any(is_said) {
                faults.push(format!("says nothing of {code}: {said}"));
            }
        }
    }
    for file in texts(case, "validate_ok") {
        let files: Vec<_> = files.iter().filter(|path| path.ends_with(file)).collect();
        let mut command = Command::new(saker());
        let output = command
            .arg("check")
            .args(files)
            .output()
            .expect("saker runs");
        if !output.status.success() {
            faults.push(format!("{file} alone is refused"));
        }
    }
    faults
}

/// The settings that say what the case's options said.
fn options(case: &Value) -> Vec<String> {
    let mut options = vec![
        "rule_matching=first".to_owned(),
        "priority=debug".to_owned(),
    ];
    for (key, setting) in [
        ("json_output", "json_output"),
        (
            "json_include_output_property",
            "json_include_output_property",
        ),
        ("json_include_tags_property", "json_include_tags_property"),
        ("time_iso_8601", "time_format_iso_8601"),
    ] {
        if let Some(value) = case[key].as_bool() {
            options.push(format!("{setting}={value}"));
        }
    }
    let enabled = texts(case, "run_tags");
    if !enabled.is_empty() {
        options.push("rules[].disable.rule=*".to_owned());
    }
    for (names, key) in [
        (enabled, "enable.tag"),
        (texts(case, "disable_tags"), "disable.tag"),
        (texts(case, "disabled_rules"), "disable.rule"),
    ] {
        options.extend(names.iter().map(|name| format!("rules[].{key}={name}")));
    }
    options
}

/// What a case that a capture is judged in wants and does not get.
fn judge(case: &Value, capture: &Path, rules: &[PathBuf]) -> Vec<String> {
    let name = case["name"].as_str().expect("every case has a name");
    let rules: Vec<PathBuf> = rules
        .iter()
        .flat_map(|file| ["-r".into(), file.clone()])
        .chain([capture.to_path_buf()])
        .collect();
    let mut options = options(case);
    let output = run(&["replay"], &rules, &options);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut faults = Vec::new();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        faults.push(format!("ends with {}: {said}", output.status));
    }
    for wanted in texts(case, "stdout_contains") {
        let pattern = PATTERNS.iter().find(|(pattern, _)| *pattern == wanted);
        let (_, pattern) = pattern.unwrap_or_else(|| panic!("{name}: what is {wanted:?}?"));
        let holds = match pattern {
            Pattern::Has(part) => text.contains(part),
            Pattern::Lacks(part) => !text.is_empty() && !text.contains(part),
        };
        if !holds {
            faults.push(format!("{wanted} does not hold of {text}"));
        }
    }
    options.push("json_output=true".to_owned());
    let output = run(&["replay"], &rules, &options);
    let lines = String::from_utf8(output.stdout).expect("alerts are text");
    let alerts: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("an alert is JSON"))
        .collect();
    if Some(!alerts.is_empty()) != case["detect"].as_bool() {
        faults.push(format!("{} alerts", alerts.len()));
    }
    let is_detected = case["detect"] == true;
    for level in texts(case, "detect_level").iter().filter(|_| is_detected) {
        let priority = match *level {
            "INFO" => "Informational",
            "WARNING" => "Warning",
            "ERROR" => "Error",
            other => panic!("{name}: what is {other}?"),
        };
        if !alerts.iter().any(|alert| alert["priority"] == priority) {
            faults.push(format!("no alert of {level}"));
        }
    }
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for alert in &alerts {
        *counts
            .entry(alert["rule"].as_str().expect("it has one"))
            .or_default() += 1;
    }
    for wanted in case["detect_counts"].as_array().into_iter().flatten() {
        for (rule, count) in wanted.as_object().expect("rules and counts") {
            let mut count = count.as_u64().expect("a count");
            let now = ENDS_ALONE
                .iter()
                .find(|(of, named, _, _)| *of == name && named == rule);
            if let Some((_, _, then, now)) = now {
                assert_eq!(count, *then, "{name}");
                count = *now;
            }
            let found = counts.get(rule.as_str()).copied().unwrap_or(0);
            if found != count {
                faults.push(format!("{rule}: {found} alerts, not {count}"));
            }
        }
    }
    faults
}

#[test]
fn falcos_old_cases_hold() {
    let Some(folder) = falco() else { return };
    let cases = std::fs::read_to_string(folder.join("cases/falco_legacy_cases.json"));
    let cases: Vec<Value> = serde_json::from_str(&cases.expect("it is there")).expect("JSON");
    let mut apart: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut held, mut wrong) = (0, Vec::new());
    for case in &cases {
        let name = case["name"].as_str().expect("every case has a name");
        let why = APART.iter().find(|(begins, _)| name.starts_with(begins));
        if let Some((_, why)) = why {
            *apart.entry(why).or_default() += 1;
            continue;
        }
        let files = |key| -> Vec<PathBuf> {
            let files = texts(case, key).into_iter();
            files.map(|file| folder.join("legacy").join(file)).collect()
        };
        let refused = files("validate_rules_file");
        let faults = if refused.is_empty() {
            let trace = Path::new(case["trace_file"].as_str().expect("a capture"));
            let trace = trace.file_name().expect("it has a name");
            let mut rules = files("rules_file");
            if rules.is_empty() {
                rules.push(folder.join("rules/falco_rules.yaml"));
            }
            judge(case, &folder.join("captures").join(trace), &rules)
        } else {
            check(case, &refused)
        };
        held += u64::from(faults.is_empty());
        wrong.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
    }
    println!("{held} of {} cases hold; apart: {apart:#?}", cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(held > 80, "{held}");
}

/// The numbers and rules of what `saker replay` says of a capture.
fn alerts(capture: &Path, rules: &Path) -> Vec<(u64, String)> {
    let rules = ["-r".into(), rules.to_path_buf(), capture.to_path_buf()];
    let options = ["json_output=true", "append_output[].extra_output=%evt.num"];
    let output = run(&["replay"], &rules, &options.map(String::from));
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).expect("alerts are text");
    let alert = |line: &str| {
        let alert: Value = serde_json::from_str(line).expect("an alert is JSON");
        let number = alert["output_fields"]["evt.num"].as_u64();
        let rule = alert["rule"].as_str();
        (
            number.expect("it was asked for"),
            rule.expect("it has one").to_owned(),
        )
    };
    lines.lines().map(alert).collect()
}

#[test]
fn a_file_of_two_recordings_is_judged_as_both() {
    let Some(folder) = falco() else { return };
    let captures = ["cat_write.scap", "open-multiple-files.scap"];
    let captures = captures.map(|name| folder.join("captures").join(name));
    let scratch = tempfile::tempdir().expect("a directory");
    let rules = scratch.path().join("rules.yaml");
    // The program of a thread is known from its recording alone.
    let rule = "- rule: opened\n  desc: d\n  condition: evt.type = open and proc.name exists\n  \
                output: opened %fd.name\n  priority: INFO\n";
    std::fs::write(&rules, rule).expect("it can be written");
    let apart = captures.each_ref().map(|capture| alerts(capture, &rules));
    let both = scratch.path().join("both.scap");
    let bytes = captures.map(|capture| std::fs::read(capture).expect("it is there"));
    std::fs::write(&both, bytes.concat()).expect("it can be written");
    let together = alerts(&both, &rules);
    let [first, second] = apart;
    assert!(!first.is_empty() && !second.is_empty());
    let (kept, rest) = together.split_at(first.len());
    assert_eq!(kept, first);
    // Numbers go on.
    let by = rest.first().map_or(0, |(number, _)| number - second[0].0);
    assert!(by > 0, "{by}");
    let moved: Vec<_> = second
        .into_iter()
        .map(|(number, rule)| (number + by, rule))
        .collect();
    assert_eq!(rest, moved);
}
