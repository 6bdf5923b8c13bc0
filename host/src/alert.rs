//! Alerts: what a hit becomes, as Falco's JSON line or text line.
//!
//! Rendering happens while the event is still in flight, so that every field has the value it
//! had at the event. Where alerts go is the business of `outputs`.

mod scene;
mod why;

use crate::extract::{self, Scratch, Value, View, printable};
use saker_rules_schema::event::Base;
use saker_rules_schema::field::Field;
use saker_rules_schema::manifest::{OutputPart, Priority, Rule};
use saker_rules_schema::term::Term;
pub use scene::{Container, Process, Root, RootKind, Scene};
use std::fmt::Write as _;
use std::sync::Arc;
pub use why::Why;

/// A module, and which version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: Arc<str>,
    /// Of its code. Two versions differ in it.
    pub digest: blake3::Hash,
}

/// What an alert says of the module that it is by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShownModule {
    /// Nothing, as Falco.
    Nothing,
    /// Its name, unless it is the rule files: their alerts are Falco's, byte for byte.
    #[default]
    Others,
    /// Its name.
    Name,
    /// Its name, and the digest of its version.
    Digest,
}

/// What the module is called that all rule files are together.
pub const RULES: &str = "rules";

/// The name of the field that names the capture, where several are replayed.
const CAPTURE_FIELD: &str = "saker.capture";
/// The name of the field that names the module.
const MODULE_FIELD: &str = "saker.module";
/// And of the one that tells its version.
const DIGEST_FIELD: &str = "saker.module_digest";

/// Which parts an alert line has, and in which form (Falco's configuration keys).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// JSON lines instead of text (`json_output`).
    pub json: bool,
    /// `output` in JSON (`json_include_output_property`).
    pub include_output: bool,
    /// `message` in JSON (`json_include_message_property`).
    pub include_message: bool,
    /// `output_fields` in JSON (`json_include_output_fields_property`).
    pub include_output_fields: bool,
    /// `tags` in JSON (`json_include_tags_property`).
    pub include_tags: bool,
    /// What JSON says of the module that alerts (`modules.in_alerts`).
    pub module: ShownModule,
    /// Dates as ISO 8601 instead of the time of day (`time_format_iso_8601`).
    pub iso_8601: bool,
}

impl Default for Format {
    fn default() -> Format {
        Format {
            json: false,
            include_output: true,
            include_message: false,
            include_output_fields: true,
            include_tags: true,
            module: ShownModule::default(),
            iso_8601: false,
        }
    }
}

/// A rendered hit: all its values are its own, nothing refers to the event any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Time of the event, ns since the epoch.
    pub time: u64,
    /// Name of the rule.
    pub rule: String,
    /// Its priority.
    pub priority: Priority,
    /// Source of the event (`syscall`).
    pub source: String,
    /// The rule's tags, sorted, without repeats.
    pub tags: Vec<String>,
    /// The output format with its fields filled in.
    pub message: String,
    /// Where in it the format itself, rather than a value, has a tab or a line's end.
    pub breaks: Vec<usize>,
    /// The fields that the output names, with their values, sorted by name.
    pub fields: Vec<(String, serde_json::Value)>,
    /// The module whose rule it is; `None` where it is Saker's own, or about no rule.
    pub module: Option<Identity>,
    /// What stood around the event, where that is kept.
    pub scene: Option<Box<Scene>>,
    /// The rule as it is written, where that is known and kept.
    pub text: Option<Arc<RuleText>>,
    /// The rule's condition, judged part by part, where that is kept.
    pub why: Option<Box<Why>>,
}

/// A rule as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleText {
    /// All that the rule files say of it, in their order.
    pub text: String,
    /// The digest of that.
    pub digest: String,
}

impl Alert {
    /// Renders what `rule` has to say of the event in `view`.
    /// `more` is what it has in `output_fields` alone.
    pub fn render(
        rule: &Rule,
        more: &[OutputPart],
        view: &View<'_>,
        scratch: &mut Scratch,
    ) -> Alert {
        scratch.count_alert();
        let mut message = String::new();
        let mut breaks = Vec::new();
        let mut fields = Vec::new();
        let shown = rule.output.iter().map(|part| (part, true));
        let kept = more.iter().map(|part| (part, false));
        for (part, is_shown) in shown.chain(kept) {
            match part {
                OutputPart::Text(text) => {
                    let found = text.match_indices(['\t', '\n']);
                    breaks.extend(found.map(|(at, _)| message.len() + at));
                    message.push_str(text);
                }
                OutputPart::Value { name, term } => {
                    let made;
                    let value = match term {
                        Term::Field(field) => extract::value(field, view, scratch),
                        _ => {
                            made = extract::made::value(term, view, scratch);
                            made.as_ref().map(extract::made::as_value)
                        }
                    };
                    let field = term.field().map(|field| field.field);
                    match (field, &value) {
                        _ if !is_shown => {}
                        // They stand behind the point of whole seconds.
                        (
                            Some(
                                Field::EvtRawtimeNs
                                | Field::EvtLatencyNs
                                | Field::EvtDeltatimeNs
                                | Field::EvtReltime
                                | Field::EvtReltimeNs,
                            ),
                            Some(Value::Uint(number)),
                        ) => {
                            let _ = write!(message, "{number:09}");
                        }
                        _ => push_text(&mut message, value.as_ref()),
                    }
                    let shown = shown_field(field, value.as_ref(), view.event.time());
                    fields.push((name.clone(), shown));
                }
            }
            // The rest is left out: events wait for this.
            if message.len() > MESSAGE_BYTES_MAX {
                let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
                message.truncate(end);
                breaks.retain(|at| *at < end);
                message.push('…');
                break;
            }
        }
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        fields.dedup_by(|a, b| a.0 == b.0);
        let mut tags = rule.tags.clone();
        tags.sort();
        tags.dedup();
        Alert {
            time: view.event.time(),
            rule: rule.name.clone(),
            priority: rule.priority,
            source: rule.source.clone(),
            tags,
            message,
            breaks,
            fields,
            module: None,
            scene: None,
            text: None,
            why: None,
        }
    }

    /// An alert of Saker about itself, as Falco has them under the source `internal`.
    pub fn internal(
        what: &str,
        priority: Priority,
        time: u64,
        message: String,
        mut fields: Vec<(String, serde_json::Value)>,
    ) -> Alert {
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        Alert {
            time,
            rule: format!("Saker internal: {what}"),
            priority,
            source: "internal".into(),
            tags: Vec::new(),
            message,
            breaks: Vec::new(),
            fields,
            module: None,
            scene: None,
            text: None,
            why: None,
        }
    }

    /// Says that of the event's container nothing but the id is known, and why.
    pub fn lacks_metadata(&mut self, why: &str) {
        let _ = write!(self.message, " metadata={why}");
        let at = self
            .fields
            .partition_point(|(name, _)| **name < *"metadata");
        self.fields.insert(at, ("metadata".to_owned(), why.into()));
    }

    /// Says in which capture its event is.
    pub fn is_of_capture(&mut self, name: &str) {
        let at = self
            .fields
            .partition_point(|(name, _)| **name < *CAPTURE_FIELD);
        self.fields
            .insert(at, (CAPTURE_FIELD.to_owned(), name.into()));
    }

    /// What a component has to say, by a rule of its own: in `message`, or else by the rule's
    /// output, of whose fields `value` knows what the component's row has. `more` is what it
    /// shows beside those.
    pub fn told<'r>(
        rule: &Rule,
        message: Option<String>,
        more: Vec<(String, serde_json::Value)>,
        time: u64,
        value: impl Fn(&Term) -> Option<Value<'r>>,
    ) -> Alert {
        let mut output = String::new();
        let mut fields = Vec::new();
        for part in &rule.output {
            match part {
                OutputPart::Text(text) => output.push_str(text),
                OutputPart::Value { name, term } => {
                    let value = value(term);
                    push_text(&mut output, value.as_ref());
                    let field = term.field().map(|field| field.field);
                    fields.push((name.clone(), shown_field(field, value.as_ref(), time)));
                }
            }
        }
        let mut message = message.unwrap_or(output);
        if message.is_empty() {
            message.push_str(&rule.name);
        }
        if message.len() > MESSAGE_BYTES_MAX {
            message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
            message.push('…');
        }
        // Where both have a name, the row's is kept.
        fields.extend(more);
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        fields.dedup_by(|a, b| a.0 == b.0);
        let mut tags = rule.tags.clone();
        tags.sort();
        tags.dedup();
        Alert {
            time,
            rule: rule.name.clone(),
            priority: rule.priority,
            source: rule.source.clone(),
            tags,
            message,
            breaks: Vec::new(),
            fields,
            module: None,
            scene: None,
            text: None,
            why: None,
        }
    }

    /// The alert as one line without its end, in the form `format` asks for.
    pub fn line(&self, format: &Format, hostname: &str) -> String {
        if format.json {
            self.json(format, hostname)
        } else {
            self.text(format)
        }
    }

    /// Bytes of memory it takes, about.
    pub fn bytes(&self) -> usize {
        // A field's value is at most as long as in the message, where its text stands as well; but
        // what a component shows beside need not stand there.
        let texts = self.fields.iter().map(|(name, value)| {
            let text = value.as_str().map_or(0, str::len);
            128 + name.len() + text
        });
        let scene = self.scene.as_ref().map_or(0, |scene| scene.bytes());
        let why = self.why.as_ref().map_or(0, |why| why.bytes());
        size_of::<Alert>() + 3 * self.message.len() + texts.sum::<usize>() + scene + why
    }

    fn headline(&self, format: &Format) -> String {
        let time = if format.iso_8601 {
            extract::time::iso8601(self.time)
        } else {
            extract::time::time_of_day(self.time)
        };
        format!("{time}: {} {}", self.priority.name(), self.message)
    }

    /// The text form, escaped as a JSON string is: names and paths are an attacker's choice
    /// and must not forge a line.
    fn text(&self, format: &Format) -> String {
        let quoted = visible(&serde_json::Value::from(self.headline(format)).to_string());
        quoted[1..quoted.len() - 1].to_owned()
    }

    /// The message, with control characters of its values escaped as in a text line.
    pub fn visible_message(&self) -> String {
        let mut shown = String::with_capacity(self.message.len());
        let mut from = 0;
        for at in self.breaks.iter().copied().chain([self.message.len()]) {
            let piece = self.message.get(from..at).unwrap_or_default();
            let quoted = visible(&serde_json::Value::from(piece).to_string());
            shown.push_str(&quoted[1..quoted.len() - 1]);
            shown.push_str(self.message.get(at..at + 1).unwrap_or_default());
            from = at + 1;
        }
        shown
    }

    /// The fields alone as one line of JSON, with the time as alerts have it.
    pub fn fields_line(&self, format: &Format) -> String {
        let format = Format {
            module: ShownModule::Nothing,
            ..format.clone()
        };
        visible(&serde_json::Value::Object(self.output_fields(&format)).to_string())
    }

    fn output_fields(&self, format: &Format) -> serde_json::Map<String, serde_json::Value> {
        let mut fields: serde_json::Map<_, _> = self.fields.iter().cloned().collect();
        if format.iso_8601 {
            let time = extract::time::iso8601(self.time);
            fields.insert("evt.time.iso8601".into(), time.into());
        } else {
            fields.insert("evt.time".into(), self.time.into());
        }
        if let Some(module) = &self.module {
            let (name, digest) = match format.module {
                ShownModule::Nothing => (false, false),
                ShownModule::Others => (*module.name != *RULES, false),
                ShownModule::Name => (true, false),
                ShownModule::Digest => (true, true),
            };
            if name {
                fields.insert(MODULE_FIELD.into(), (*module.name).into());
            }
            if digest {
                fields.insert(DIGEST_FIELD.into(), module.digest.to_hex().as_str().into());
            }
        }
        fields
    }

    fn json(&self, format: &Format, hostname: &str) -> String {
        let mut line = serde_json::Map::new();
        line.insert("hostname".into(), hostname.into());
        if format.include_message {
            line.insert("message".into(), self.message.as_str().into());
        }
        if format.include_output {
            line.insert("output".into(), self.headline(format).into());
        }
        if format.include_output_fields {
            line.insert("output_fields".into(), self.output_fields(format).into());
        }
        line.insert("priority".into(), self.priority.name().into());
        line.insert("rule".into(), self.rule.as_str().into());
        line.insert("source".into(), self.source.as_str().into());
        if format.include_tags {
            line.insert("tags".into(), self.tags.clone().into());
        }
        let time = extract::time::iso8601(self.time).replace("+0000", "Z");
        line.insert("time".into(), time.into());
        visible(&serde_json::Value::Object(line).to_string())
    }
}

/// JSON with those characters escaped, too, that JSON may hold as they are and that terminals
/// obey (DEL, C1 controls), that end a line for some readers, or that turn the direction of
/// writing. Outside of strings there are none.
fn visible(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for char in json.chars() {
        match printable::is_obeyed(char) {
            true => {
                // Writing to a String does not fail.
                let _ = write!(out, "\\u{:04x}", char as u32);
            }
            false => out.push(char),
        }
    }
    out
}

/// No alert's message is longer.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// A field as JSON shows it: the time of the event is a number there, as every alert has it.
fn shown_field(field: Option<Field>, value: Option<&Value<'_>>, time: u64) -> serde_json::Value {
    match field {
        Some(Field::EvtTime) => time.into(),
        Some(_) | None => to_json(value),
    }
}

/// What stands in text for a field without value.
const ABSENT: &str = "<NA>";

fn push_text(out: &mut String, value: Option<&Value<'_>>) {
    // Writing to a String does not fail.
    let _ = match value {
        None => out.write_str(ABSENT),
        Some(Value::Text(bytes)) => out.write_str(&printable::text(bytes)),
        Some(Value::Bool(value)) => write!(out, "{value}"),
        Some(Value::Int(number)) => write!(out, "{number}"),
        Some(Value::Uint(number)) => write!(out, "{number}"),
        Some(Value::Based(number, base)) => out.write_str(&in_base(*number, *base)),
        Some(Value::Double(number)) => write!(out, "{number:.1}"),
        Some(Value::Unshown(_)) => out.write_str(ABSENT),
        Some(Value::Given(text)) => out.write_str(&printable::lenient(text)),
        Some(Value::Bytes(bytes)) => out.write_str(&printable::bytes(bytes)),
        Some(Value::Ip(ip)) => out.write_str(&ip_text(ip)),
        Some(Value::List(list)) => {
            out.push('(');
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_text(out, Some(value));
            }
            out.push(')');
            Ok(())
        }
    };
}

/// An address of 4 or 16 bytes, as text.
fn ip_text(ip: &[u8]) -> String {
    if let Ok(ip) = <[u8; 4]>::try_from(ip) {
        std::net::Ipv4Addr::from(ip).to_string()
    } else if let Ok(ip) = <[u8; 16]>::try_from(ip) {
        std::net::Ipv6Addr::from(ip).to_string()
    } else {
        ABSENT.to_owned()
    }
}

/// A number with a fraction as Falco writes it: of 16 digits.
fn shown(number: f64) -> f64 {
    format!("{number:.15e}").parse().unwrap_or(number)
}

/// A number in a base of its own.
fn in_base(number: u64, base: Base) -> String {
    match base {
        Base::Unset => (number as i64).to_string(),
        Base::Decimal => number.to_string(),
        Base::Hexadecimal => format!("{number:X}"),
        Base::Octal => format!("{number:o}"),
    }
}

/// A value as `output_fields` has it; `null` where there is none.
pub fn to_json(value: Option<&Value<'_>>) -> serde_json::Value {
    match value {
        None => serde_json::Value::Null,
        Some(Value::Text(bytes)) => printable::text(bytes).into(),
        Some(Value::Bool(value)) => (*value).into(),
        Some(Value::Int(number)) => (*number).into(),
        Some(Value::Uint(number)) => (*number).into(),
        Some(Value::Based(number, base)) => in_base(*number, *base).into(),
        Some(Value::Double(number)) => shown(*number).into(),
        Some(Value::Unshown(_)) => serde_json::Value::Null,
        Some(Value::Given(text)) => printable::lenient(text).into(),
        Some(Value::Bytes(bytes)) => printable::bytes(bytes).into(),
        Some(Value::Ip(ip)) => ip_text(ip).into(),
        Some(Value::List(list)) => list.iter().map(|value| to_json(Some(value))).collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn alert() -> Alert {
        Alert {
            time: 1_795_310_331_399_411_691,
            rule: "A rule".into(),
            priority: Priority::Critical,
            source: "syscall".into(),
            tags: vec!["T1620".into(), "process".into()],
            message: "name=a\"b\\c\nd\u{1b}[31m end=<NA>".into(),
            breaks: Vec::new(),
            fields: vec![
                ("proc.name".into(), "a\"b\\c\nd\u{1b}[31m".into()),
                ("proc.pname".into(), serde_json::Value::Null),
                ("user.uid".into(), 0.into()),
            ],
            module: None,
            scene: None,
            text: None,
            why: None,
        }
    }

    #[test]
    fn a_json_line_has_falcos_keys_in_falcos_order() {
        let format = Format {
            json: true,
            ..Format::default()
        };
        assert_eq!(
            alert().line(&format, "golden"),
            r#"{"hostname":"golden","output":"01:18:51.399411691: Critical name=a\"b\\c\nd\u001b[31m end=<NA>","output_fields":{"evt.time":1795310331399411691,"proc.name":"a\"b\\c\nd\u001b[31m","proc.pname":null,"user.uid":0},"priority":"Critical","rule":"A rule","source":"syscall","tags":["T1620","process"],"time":"2026-11-22T01:18:51.399411691Z"}"#
        );
    }

    #[test]
    fn every_part_of_a_json_line_can_be_left_out_or_added() {
        let format = Format {
            json: true,
            include_output: false,
            include_message: true,
            include_output_fields: false,
            include_tags: false,
            module: ShownModule::Nothing,
            iso_8601: false,
        };
        let line: serde_json::Value =
            serde_json::from_str(&alert().line(&format, "h")).expect("JSON");
        let keys: Vec<&String> = line.as_object().expect("an object").keys().collect();
        assert_eq!(
            keys,
            ["hostname", "message", "priority", "rule", "source", "time"]
        );
        let format = Format {
            json: true,
            iso_8601: true,
            ..Format::default()
        };
        let line: serde_json::Value =
            serde_json::from_str(&alert().line(&format, "h")).expect("JSON");
        let time = &line["output_fields"]["evt.time.iso8601"];
        assert_eq!(time, "2026-11-22T01:18:51.399411691+0000");
        assert!(line["output_fields"].get("evt.time").is_none());
    }

    #[test]
    fn an_alert_names_its_module_and_the_version_of_it_where_that_is_asked_for() {
        let digest = blake3::hash(b"its code");
        let hex = digest.to_hex();
        let of = |name: &str| Alert {
            module: Some(Identity {
                name: name.into(),
                digest,
            }),
            ..alert()
        };
        for (of, module, name, version) in [
            (of("beacon"), ShownModule::Nothing, None, None),
            (of("beacon"), ShownModule::Others, Some("beacon"), None),
            (of(RULES), ShownModule::Others, None, None),
            (of(RULES), ShownModule::Name, Some(RULES), None),
            (
                of(RULES),
                ShownModule::Digest,
                Some(RULES),
                Some(hex.as_str()),
            ),
        ] {
            let format = Format {
                json: true,
                module,
                ..Format::default()
            };
            let line: serde_json::Value =
                serde_json::from_str(&of.line(&format, "h")).expect("JSON");
            let field = |name: &str| {
                line["output_fields"]
                    .get(name)
                    .and_then(|text| text.as_str())
            };
            assert_eq!(field(MODULE_FIELD), name);
            assert_eq!(field(DIGEST_FIELD), version);
        }
    }

    #[test]
    fn a_line_ends_where_the_format_says_so_and_not_where_a_value_does() {
        let alert = Alert {
            message: "a\nb\tc\nd".into(),
            breaks: vec![3, 5],
            ..alert()
        };
        assert_eq!(alert.visible_message(), "a\\nb\tc\nd");
    }

    #[test]
    fn no_name_can_break_a_text_line_or_the_terminal() {
        assert_eq!(
            alert().line(&Format::default(), "h"),
            r#"01:18:51.399411691: Critical name=a\"b\\c\nd\u001b[31m end=<NA>"#
        );
        let sly = Alert {
            message: "\u{9b}31m \u{85} \u{2028} \u{202e}gpj.exe \u{7f} é…".into(),
            ..alert()
        };
        let escaped = r"\u009b31m \u0085 \u2028 \u202egpj.exe \u007f é…";
        let text = sly.line(&Format::default(), "h");
        assert_eq!(text, format!("01:18:51.399411691: Critical {escaped}"));
        assert_eq!(sly.visible_message(), escaped);
        let json = Format {
            json: true,
            ..Format::default()
        };
        let line = sly.line(&json, "h");
        assert!(line.contains(escaped), "{line}");
        let parsed: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert!(
            parsed["output"]
                .as_str()
                .is_some_and(|output| output.ends_with(&sly.message))
        );
    }
}
