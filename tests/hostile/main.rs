//! Modules that mean harm: one file per thing that must never come of it. Whatever one does
//! ([`court`] lets it, in a thread and in a process of its own), the host lives, alerts of the modules beside it are byte for byte those
//! of a run without it, and why it was stopped is counted and named.
//!
//! What the walls of the sandbox refuse one by one is tested beside them, in
//! `host/src/sandbox/{walls,hostile}.rs` and `host/src/sandbox/component/hostile.rs`.

mod a_damaged_module_is_refused_or_as_harmless_as_any;
mod a_folders_links_do_not_lead_out_of_it;
mod a_loop_without_end_is_stopped;
mod a_lying_allocator_reaches_nothing_of_the_host;
mod a_million_alerts_are_not_taken;
mod a_module_that_is_always_late_holds_up_nobody;
mod a_module_too_large_to_load_is_not_loaded;
mod a_module_too_slow_to_compile_is_given_up;
mod a_ruleset_that_writes_to_the_window_is_refused;
mod a_swap_with_itself_ten_thousand_times_changes_nothing;
mod a_text_of_a_hundred_megabytes_is_not_copied;
mod a_text_that_is_no_text_is_not_shown;
mod alerts_about_what_is_not_there_are_counted;
mod another_world_or_version_is_named;
mod court;
mod filling_all_of_its_memory_is_stopped;
mod kept_code_that_is_not_ours_is_not_run;
mod memory_is_given_up_to_the_cap;
mod random_modules_harm_nobody;
mod recursion_without_end_is_a_trap;
mod traps_cost_their_own_events_only;
mod what_was_not_granted_is_not_had;

// The program under test, as the tests of it from outside have it.
#[path = "../it/program.rs"]
#[allow(dead_code)]
mod program;

// The components of the sandbox's own tests.
use saker::componentise;
#[path = "../../host/src/sandbox/component/specimen.rs"]
#[allow(dead_code)]
mod specimen;
