//! The SDKs in other languages know the fields that the catalogue has. `BLESS=1` rewrites them.

use saker_rules_schema::field::{Arg, ArgKind, Field};
use saker_rules_schema::offered::Kind;
use std::fmt::Write as _;
use std::path::Path;

/// A field, as an SDK has it.
struct Known {
    field: Field,
    /// `proc.name` as `proc_name`.
    snake: String,
    /// What its values are, by the word of the world.
    kind: &'static str,
    /// Without an argument, its values are lists.
    is_list: bool,
    /// It can be asked for without an argument.
    is_bare: bool,
    takes_argument: bool,
}

fn known() -> Vec<Known> {
    let groups = Field::by_group().into_iter();
    let fields = groups.flat_map(|(_, fields)| fields);
    fields
        .filter(|field| !field.is_absent())
        .map(|field| {
            let is_bare = match field.arg() {
                ArgKind::KeyRequired | ArgKind::IndexOrKeyRequired => false,
                ArgKind::None
                | ArgKind::Index
                | ArgKind::Key
                | ArgKind::IndexOrKey
                | ArgKind::Side => true,
            };
            Known {
                field,
                snake: field.name().replace('.', "_"),
                kind: word(Kind::of(field.kind())),
                is_list: is_bare && field.is_list(&Arg::None),
                is_bare,
                takes_argument: field.arg() != ArgKind::None,
            }
        })
        .collect()
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "Text",
        Kind::Boolean => "Boolean",
        Kind::Signed => "Signed",
        Kind::Unsigned => "Unsigned",
        Kind::Address => "Address",
        Kind::Time => "Time",
        Kind::Duration => "Duration",
        Kind::Bytes => "Bytes",
        Kind::Real => "Real",
    }
}

fn python() -> String {
    let mut out = String::from(
        "\"\"\"The fields that rows may have. Made from Saker's catalogue: not to be edited.\"\"\"\n\n\
         from .row import (\n    Address,\n    Boolean,\n    Bytes,\n    Duration,\n    Many,\n    Real,\n    \
         Signed,\n    Text,\n    Time,\n    Unsigned,\n    WithArgument,\n)\n",
    );
    for known in known() {
        let Known {
            field,
            snake,
            kind,
            is_list,
            is_bare,
            takes_argument,
        } = known;
        let _ = writeln!(out, "\n# {}", field.description());
        let name = field.name();
        let made = match (takes_argument, is_bare, is_list) {
            (false, _, false) => format!("{kind}(\"{name}\")"),
            (false, _, true) => format!("Many({kind}, \"{name}\")"),
            (true, false, _) => format!("WithArgument({kind}, \"{name}\")"),
            (true, true, false) => format!("{kind}(\"{name}\")"),
            (true, true, true) => format!("Many({kind}, \"{name}\")"),
        };
        let _ = writeln!(out, "{snake} = {made}");
    }
    out
}

fn javascript() -> String {
    let mut out = String::from(
        "// The fields that rows may have. Made from Saker's catalogue: not to be edited.\n\n\
         import { field, many, withArgument } from \"./row.js\";\n",
    );
    for known in known() {
        let _ = writeln!(out, "\n/** {} */", known.field.description());
        let made = match (known.is_bare, known.is_list) {
            (false, _) => "withArgument",
            (true, false) => "field",
            (true, true) => "many",
        };
        let _ = writeln!(
            out,
            "export const {} = {made}(\"{}\", \"{}\");",
            known.snake,
            known.kind.to_lowercase(),
            known.field.name()
        );
    }
    out
}

fn typescript() -> String {
    let mut out = String::from(
        "// The types of fields.js. Made from Saker's catalogue: not to be edited.\n\n\
         import type { Field, Many, WithArgument } from \"./row.js\";\n",
    );
    for known in known() {
        let value = match known.kind {
            "Text" | "Address" => "string",
            "Boolean" => "boolean",
            "Bytes" => "Uint8Array",
            "Real" => "number",
            _ => "bigint",
        };
        let made = match (known.is_bare, known.is_list) {
            (false, _) => "WithArgument",
            (true, false) => "Field",
            (true, true) => "Many",
        };
        let _ = writeln!(out, "\n/** {} */", known.field.description());
        let _ = writeln!(out, "export const {}: {made}<{value}>;", known.snake);
    }
    out
}

fn go() -> String {
    let mut out = String::from(
        "// Made from Saker's catalogue: not to be edited.\n\npackage saker\n\n\
         // The fields that rows may have.\nvar (\n",
    );
    for known in known() {
        let camel: String = known
            .snake
            .split('_')
            .map(|part| {
                let mut chars = part.chars();
                let first = chars.next().map(|char| char.to_ascii_uppercase());
                first.into_iter().chain(chars).collect::<String>()
            })
            .collect();
        let of_kind = match known.kind {
            "Duration" => "Time",
            kind => kind,
        };
        let made = if known.is_list { "List" } else { "Field" };
        let _ = writeln!(
            out,
            "\t// {camel}: {}\n\t{camel} = {of_kind}{made}{{\"{}\"}}",
            known.field.description(),
            known.field.name(),
        );
    }
    out.push_str(")\n");
    out
}

fn c() -> String {
    let mut out = String::from(
        "/* The fields that rows may have. Made from Saker's catalogue: not to be edited. Texts, bytes\n \
         * and addresses (of 4 or 16 bytes) are texts; times and spans are unsigned nanoseconds. */\n\
         #ifndef SAKER_FIELDS_H\n#define SAKER_FIELDS_H\n",
    );
    let mut put = |known: &Known, end: &str, kind: &str| {
        let (snake, name) = (&known.snake, known.field.name());
        let _ = writeln!(
            out,
            "\n/* {} */\n#define SAKER_NAME_{snake}{end} \"{name}\"\n#define SAKER_KIND_{snake}{end} {kind}",
            known.field.description()
        );
    };
    for known in known() {
        let kind = match known.kind {
            "Text" | "Bytes" | "Address" => "text",
            "Boolean" => "boolean",
            "Signed" => "signed",
            "Real" => "real",
            _ => "unsigned",
        };
        if !known.is_list || known.takes_argument {
            put(&known, "", kind);
        }
        if known.is_list {
            put(&known, "_all", &format!("{kind}s"));
        }
    }
    out.push_str("\n#endif\n");
    out
}

#[track_caller]
fn is_as_made(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../rules-sdk")
        .join(file);
    if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&path, made).expect("a file of the project");
        return;
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        is == made,
        "`rules-sdk/{file}` is out of date: BLESS=1 makes it anew"
    );
}

#[test]
fn the_sdk_for_c_has_all_fields() {
    is_as_made("c/saker_fields.h", &c());
}

#[test]
fn the_sdk_for_python_has_all_fields() {
    is_as_made("python/saker/fields.py", &python());
}

#[test]
fn the_sdk_for_javascript_has_all_fields() {
    is_as_made("javascript/fields.js", &javascript());
    is_as_made("javascript/fields.d.ts", &typescript());
}

#[test]
fn the_sdk_for_go_has_all_fields() {
    is_as_made("go/fields.go", &go());
}
