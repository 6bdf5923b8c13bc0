use crate::court::{Court, Home, hostile};

/// Threads of this process, its descriptors, and the processes that it has started.
fn counts() -> [usize; 3] {
    let entries = |of: &str| {
        let entries = std::fs::read_dir(format!("/proc/self/{of}"));
        entries.expect("procfs").flatten().map(|entry| entry.path())
    };
    let children = entries("task").map(|task| {
        let children = std::fs::read_to_string(task.join("children"));
        children.map_or(0, |children| children.split_whitespace().count())
    });
    let children = children.sum();
    [entries("task").count(), entries("fd").count(), children]
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
    for home in Home::ALL {
        let module = home.loaded(&hostile());
        let mut alone = Court::new(home, vec![module.clone()]);
        alone.events(3_000);
        let expected = alone.lines("hostile");
        assert!(expected.len() > 20, "{}", expected.len());
        alone.adjourn();

        let mut court = Court::new(home, vec![module.clone()]);
        let (mut at_first, mut bytes_at_first) = ([0; 3], 0);
        for swap in 0..SWAPS {
            court.swap(vec![module.clone()]).expect("it is what runs");
            // 30 batches, as in any other run.
            if swap % (SWAPS / 30) == 0 && swap / (SWAPS / 30) < 30 {
                court.events(100);
            }
            if swap == SWAPS / 10 {
                (at_first, bytes_at_first) = (counts(), resident_bytes());
            }
        }
        assert_eq!(court.lines("hostile"), expected);
        court.others_are_unharmed();
        let now = counts();
        let is_steady = now.iter().zip(at_first).all(|(now, then)| *now <= then + 2);
        assert!(is_steady, "{home:?}: {at_first:?}, then {now:?}");
        let grown = resident_bytes().saturating_sub(bytes_at_first);
        println!("{home:?}: {grown} bytes more");
        assert!(grown < 16 << 20, "{home:?}: {grown} bytes more");
        court.adjourn();
    }
}
