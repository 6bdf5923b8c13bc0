//! `FIELDS.md` says what the catalogue says. `BLESS=1` rewrites it.

use saker_rules_schema::field::{Field, Flag};
use std::fmt::Write as _;
use std::path::Path;

fn page() -> String {
    let mut out = String::from(
        "# Fields\n\n\
         What conditions and outputs may name: the fields of Falco 0.44 (libs 0.25, container \
         plugin 0.7) under Falco's names. `saker list fields` shows them, too, and \
         `saker list fields proc` those that begin so. `[n]` takes a number, `[NAME]` and `.NAME` \
         a name.\n\n\
         ## Not yet\n\n\
         Nothing gives these a value yet. Rules that name them load; a comparison with one is \
         never true (`not` before it makes it true), and an output shows `<NA>`.\n",
    );
    let groups = Field::by_group();
    for (_, fields) in &groups {
        // Those that have a reason in common stand together.
        let mut by_reason: Vec<(Option<&str>, Vec<String>)> = Vec::new();
        for field in fields.iter().filter(|field| field.is_absent()) {
            let name = format!("`{}`", field.name());
            let reason = field.why_absent();
            match by_reason.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, names)) => names.push(name),
                None => by_reason.push((reason, vec![name])),
            }
        }
        for (reason, names) in by_reason {
            let reason = reason.map(|why| format!(": {why}")).unwrap_or_default();
            let _ = write!(out, "\n- {}{reason}", names.join(", "));
        }
    }
    out.push('\n');
    for (group, fields) in &groups {
        let _ = write!(out, "\n## {group}\n\n| field | type | |\n|---|---|---|\n");
        for field in fields {
            let mut notes = String::new();
            if field.is_absent() {
                notes.push_str(" *Not yet.*");
            }
            for (flag, note) in [
                (Flag::Deprecated, " *Deprecated.*"),
                (Flag::FilterOnly, " *Not in outputs.*"),
                (Flag::PrintOnly, " *Not in conditions.*"),
            ] {
                if field.has(flag) {
                    notes.push_str(note);
                }
            }
            let (usage, kind) = (field.usage(), field.kind().name());
            let description = field.description();
            let _ = writeln!(out, "| `{usage}` | {kind} | {description}{notes} |");
        }
    }
    out
}

#[test]
fn fields_md_says_what_the_catalogue_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../FIELDS.md");
    let page = page();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &page).expect("it can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "FIELDS.md is not what the catalogue says; BLESS=1 rewrites it"
    );
}
