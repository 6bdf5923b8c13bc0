//! What kubelet and Prometheus ask.

use super::*;
use crate::specimen::Specimen;

#[test]
fn kubelet_and_prometheus_are_answered_as_falco_answers_them() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let rules = rules(folder.path());
    let module = folder.path().join("module.wasm");
    std::fs::write(&module, Specimen::default().component()).expect("a folder of the test");
    let module = module.display().to_string();
    let mut page = Page::start(
        &scope,
        folder.path(),
        &[
            "-r",
            &rules,
            "-r",
            &module,
            "-o",
            "webserver.enabled=true",
            "-o",
            "webserver.listen_address=127.0.0.1",
            "-o",
            "webserver.listen_port=0",
            "-o",
            "webserver.k8s_healthz_endpoint=/health/z",
            "-o",
            "webserver.prometheus_metrics_enabled=true",
            "-o",
            "metrics.enabled=true",
        ],
    );
    attack(&scope, folder.path(), "cat");
    page.saker.next_of_rules();
    let own = std::mem::replace(&mut page.address, page.saker.listens_at("the web server"));
    let get = |path: &str| page.send("GET", path, &[], b"");
    assert_eq!(get("/health/z").json(), json!({"status": "ok"}));
    assert_eq!(get("/versions").json()["engine_version"], "62");
    assert_eq!(get("/api/v1/alerts").status, 404);
    let metrics = get("/metrics");
    assert!(
        metrics
            .head
            .contains("content-type: text/plain; version=0.0.4"),
        "{}",
        metrics.head
    );
    let sample = "falcosecurity_falco_rules_matches_total{priority=\"2\",rule_name=\"Somebody reads \
                  it\",source=\"syscall\",module=\"rules\",tag_mine=\"true\"} 1";
    assert!(
        metrics.body.lines().any(|line| line == sample),
        "{}",
        metrics.body
    );
    let of_module = |name: &str, module: &str| -> Option<f64> {
        let sample = format!("saker_module_{name}{{module=\"{module}\"}} ");
        let mut lines = metrics.body.lines();
        lines.find_map(|line| line.strip_prefix(&*sample)?.parse().ok())
    };
    for name in ["events_total", "cpu_seconds_total"] {
        for module in ["rules", "specimen"] {
            let value = of_module(name, module);
            assert!(value.is_some_and(|value| value >= 0.0), "{name} {module}");
        }
    }
    // What judges the rules is everybody's.
    let resident = of_module("resident_bytes", "specimen");
    assert!(resident.is_some_and(|bytes| bytes > 1e6), "{resident:?}");
    assert_eq!(of_module("resident_bytes", "rules"), None);
    let mut names = std::collections::HashSet::new();
    for line in metrics.body.lines() {
        let Some(line) = line.strip_prefix("# TYPE ") else {
            let value = line.rsplit(' ').next().expect("a value");
            assert!(
                line.starts_with('#') || value.parse::<f64>().is_ok(),
                "{line}"
            );
            continue;
        };
        assert!(names.insert(line.to_owned()), "{line} twice");
    }
    page.address = own;
    assert!(page.saker.stop().status.success());
}
