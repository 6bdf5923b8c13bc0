//! Options of `falco` where a command of ours stands: what to write instead.

/// What is written for an option of Falco's.
const INSTEAD: &[(&[&str], &str)] = &[
    (&["-V", "--validate"], "saker check FILE"),
    (&["-L"], "saker list rules --json"),
    (&["-l"], "saker list rules NAME"),
    (&["--list"], "saker list fields"),
    (&["--list-events"], "saker list events"),
    (&["-N"], "saker list fields --names"),
    (&["-r"], "saker run -r FILE"),
    (&["-o"], "saker run -o KEY=VALUE"),
    (&["-c"], "saker run -o KEY=VALUE"),
    (&["-e"], "saker replay FILE"),
    (
        &["-p", "--print"],
        "saker run -o append_output[].extra_output=TEXT",
    ),
];

/// What to say of arguments that are meant for `falco`. Alone, `-V` asks for our version.
pub(super) fn advice(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Option<String> {
    let first = arguments.next()?;
    let first = first.to_str()?;
    let (option, _) = first.split_once('=').unwrap_or((first, ""));
    if option == "-V" && arguments.next().is_none() {
        return None;
    }
    let is_it = |(options, _): &&(&[&str], &str)| options.contains(&option);
    let (_, instead) = INSTEAD.iter().find(is_it)?;
    Some(format!(
        "saker: `{option}` is an option of `falco`: write `{instead}`\n"
    ))
}
