//! The interface against its description.

use super::*;

/// What is held of each answer.
const CHECKS: &str = "not_a_server_error,response_schema_conformance,status_code_conformance,\
                      content_type_conformance";

#[test]
fn whatever_is_asked_is_answered_as_the_description_says_and_never_by_a_failure() {
    if !needs::live() {
        return;
    }
    let Some(schemathesis) = needs::schemathesis() else {
        return;
    };
    let (scope, folder) = (Scope::new(), folder());
    let page = Page::start(&scope, folder.path(), &["-r", &rules(folder.path())]);
    attack(&scope, folder.path(), "cat");
    page.until("/alerts", |found| !found["alerts"][0].is_null());
    let base = format!("http://{}/api/v1", page.address);
    let description = format!("{base}/openapi.json");
    // A stream does not end. Wrong tokens are refused for a while after some, as is too much at
    // once, and what changes the session ends this one's.
    let asked = std::process::Command::new("timeout")
        .arg("120")
        .arg(schemathesis)
        .args(["run", &description, "--url", &base])
        .args(["-H", &format!("Authorization: Bearer {}", page.token)])
        .args([
            "--exclude-path",
            "/alerts/stream",
            "--exclude-path",
            "/session",
        ])
        .args(["--phases", "coverage,fuzzing", "--max-examples", "5"])
        .args([
            "--rate-limit",
            "90/s",
            "--request-timeout",
            "15",
            "--no-color",
        ])
        .args(["--checks", CHECKS])
        .arg("--generation-deterministic")
        .current_dir(folder.path())
        .output()
        .expect("schemathesis runs");
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(asked.status.success(), "{said}");
    assert!(said.contains("Fuzzing (in"), "{said}");
    assert_eq!(page.get("/health")["module_failures"], 0);
    assert!(page.saker.stop().status.success());
}
