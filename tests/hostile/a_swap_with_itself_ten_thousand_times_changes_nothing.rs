use crate::court::{Court, hostile, loaded};

fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("procfs");
    tasks.count()
}

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    let pages: usize = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("pages");
    pages * rustix::param::page_size()
}

/// Runs the test of that name again in a process of its own, where threads and memory are its
/// own too. Whether this is that process.
fn is_alone(test: &str) -> bool {
    const ALONE: &str = "SAKER_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("a program");
    let mut again = std::process::Command::new(program);
    let output = again.args(["--exact", test]).env(ALONE, "1").output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
    false
}

#[test]
fn its_alerts_and_those_beside_it_are_all_there_and_nothing_piles_up() {
    const SWAPS: usize = 10_000;
    if !is_alone(concat!(
        "a_swap_with_itself_ten_thousand_times_changes_nothing::",
        "its_alerts_and_those_beside_it_are_all_there_and_nothing_piles_up"
    )) {
        return;
    }
    let module = loaded(&hostile());
    let mut alone = Court::new(vec![module.clone()]);
    alone.events(3_000);
    let expected = alone.lines("hostile");
    assert!(expected.len() > 20, "{}", expected.len());
    drop(alone);

    let mut court = Court::new(vec![module.clone()]);
    let (mut threads_at_first, mut bytes_at_first) = (0, 0);
    for swap in 0..SWAPS {
        court.swap(vec![module.clone()]).expect("it is what runs");
        // 30 batches, as in any other run.
        if swap % (SWAPS / 30) == 0 && swap / (SWAPS / 30) < 30 {
            court.events(100);
        }
        if swap == SWAPS / 10 {
            (threads_at_first, bytes_at_first) = (threads(), resident_bytes());
        }
    }
    assert_eq!(court.lines("hostile"), expected);
    court.others_are_unharmed();
    assert!(threads() <= threads_at_first + 2, "{} threads", threads());
    let grown = resident_bytes().saturating_sub(bytes_at_first);
    println!("{grown} bytes more");
    assert!(grown < 16 << 20, "{grown} bytes more");
}
