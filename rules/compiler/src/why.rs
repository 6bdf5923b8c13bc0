//! A condition judged part by part, for people who ask why a rule alerted. What holds is the
//! oracle's to say.
//!
//! The graph has forgotten which of its nodes a macro is, and makes one of ands within ands. So
//! `lower` notes, beside each node that it makes, an outline: the condition as it is written, with
//! macros in their places.

use crate::ir::{Expr, Graph, Id, Node};
use crate::oracle::{self, Values};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::FieldRef;

/// No more parts are told of a condition.
const PARTS_MAX: usize = 400;
/// Parts of parts are told so deep; what lies below stands in one line.
const DEPTH_MAX: usize = 24;
/// A line is no longer.
const TEXT_BYTES_MAX: usize = 2048;

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Holds if all of its parts do.
    And,
    /// Holds if one of its parts does.
    Or,
    /// Holds if its only part does not.
    Not,
    /// A question to one value; or more than is told part by part.
    Test,
}

impl Kind {
    /// As the rule language has it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::And => "and",
            Kind::Or => "or",
            Kind::Not => "not",
            Kind::Test => "test",
        }
    }
}

/// Conditions as they are written.
#[derive(Clone, Debug, Default)]
pub struct Outlines {
    /// Names of the macros, and what they stand for.
    pub(crate) macros: Vec<(String, Outline)>,
    /// Per rule of the manifest.
    pub(crate) rules: Vec<Outline>,
}

/// A part of a condition as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    /// What it became.
    pub(crate) id: Id,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    And(Vec<Outline>),
    Or(Vec<Outline>),
    Not(Box<Outline>),
    Macro(usize),
    /// What the graph alone knows more of.
    Test,
}

impl Outline {
    pub(crate) fn test(id: Id) -> Outline {
        let form = Form::Test;
        Outline { id, form }
    }

    pub(crate) fn of_macro(id: Id, at: usize) -> Outline {
        let form = Form::Macro(at);
        Outline { id, form }
    }

    pub(crate) fn not(id: Id, part: Outline) -> Outline {
        let form = Form::Not(Box::new(part));
        Outline { id, form }
    }

    /// An and or an or of these. What says nothing is left out, and what is joined in the same way
    /// is taken in, as the graph does it.
    pub(crate) fn join(id: Id, parts: Vec<Outline>, and: bool) -> Outline {
        let neutral = if and { Id::TRUE } else { Id::FALSE };
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts.into_iter().filter(|part| part.id != neutral) {
            match (part.form, and) {
                (Form::And(inner), true) | (Form::Or(inner), false) => flat.extend(inner),
                (form, _) => flat.push(Outline { id: part.id, form }),
            }
        }
        let form = match (flat.len(), and) {
            (0, _) => Form::Test,
            (1, _) => return flat.swap_remove(0),
            (_, true) => Form::And(flat),
            (_, false) => Form::Or(flat),
        };
        Outline { id, form }
    }
}

/// A part of a condition, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The macro whose condition it is.
    pub of_macro: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// A test in the rule language, perhaps cut; empty where the parts say it.
    pub text: String,
    /// Whether it held.
    pub held: bool,
    /// The fields that a test asked for.
    pub fields: Vec<FieldRef>,
    /// What it is made of.
    pub parts: Vec<Why>,
}

/// Judges the condition of that rule part by part, with values of an event of that type.
pub fn why(
    condition: &Expr,
    outlines: &Outlines,
    rule: usize,
    values: &impl Values,
    event: EventType,
) -> Why {
    let Expr { graph, root } = condition;
    let mut asking = Asking {
        graph,
        macros: &outlines.macros,
        values,
        event,
        left: PARTS_MAX,
    };
    graph.walk(*root, || match outlines.rules.get(rule) {
        Some(outline) if outline.id == *root => asking.written(outline, DEPTH_MAX),
        Some(_) | None => asking.part(*root, DEPTH_MAX),
    })
}

struct Asking<'c, V> {
    graph: &'c Graph,
    macros: &'c [(String, Outline)],
    values: &'c V,
    event: EventType,
    /// So many parts may still be told.
    left: usize,
}

impl<'c, V: Values> Asking<'c, V> {
    /// A part as it is written.
    fn written(&mut self, outline: &'c Outline, depth: usize) -> Why {
        let (kind, parts): (Kind, &[Outline]) = match &outline.form {
            Form::Test => return self.part(outline.id, depth),
            Form::Macro(at) => {
                let Some((name, outline)) = self.macros.get(*at) else {
                    return self.part(outline.id, depth);
                };
                let mut why = match depth {
                    0 => self.line(outline.id),
                    _ => self.written(outline, depth - 1),
                };
                // One that is but another is known by the name that stands there.
                why.of_macro = Some(name.clone());
                return why;
            }
            Form::And(parts) => (Kind::And, parts),
            Form::Or(parts) => (Kind::Or, parts),
            Form::Not(part) => (Kind::Not, std::slice::from_ref(part)),
        };
        if depth == 0 || parts.len() > self.left {
            return self.line(outline.id);
        }
        self.left -= parts.len();
        let parts = parts.iter().map(|part| self.written(part, depth - 1));
        joined(kind, parts.collect())
    }

    fn part(&mut self, id: Id, depth: usize) -> Why {
        let (kind, parts): (Kind, &[Id]) = match self.graph.node(id) {
            Node::And(parts) => (Kind::And, parts),
            Node::Or(parts) => (Kind::Or, parts),
            Node::Not(part) => (Kind::Not, std::slice::from_ref(part)),
            Node::False | Node::True | Node::Test(_) => (Kind::Test, &[]),
        };
        if parts.is_empty() || depth == 0 || parts.len() > self.left {
            return self.line(id);
        }
        self.left -= parts.len();
        let parts: Vec<Why> = parts
            .iter()
            .map(|part| self.part(*part, depth - 1))
            .collect();
        joined(kind, parts)
    }

    /// A part as one line.
    fn line(&self, id: Id) -> Why {
        let mut fields = Vec::new();
        if let Node::Test(test) = self.graph.node(id) {
            test.term
                .each_field(&mut |field| fields.push(field.clone()));
        }
        Why {
            of_macro: None,
            kind: Kind::Test,
            text: self.text(id),
            held: oracle::node(self.graph, id, self.values, self.event),
            fields,
            parts: Vec::new(),
        }
    }

    fn text(&self, id: Id) -> String {
        let mut text = Cut(String::new());
        // What is cut is what is told.
        let _ = std::fmt::write(&mut text, format_args!("{}", self.graph.show(id)));
        text.0
    }
}

fn joined(kind: Kind, parts: Vec<Why>) -> Why {
    let held = match kind {
        Kind::And => parts.iter().all(|part| part.held),
        Kind::Or => parts.iter().any(|part| part.held),
        Kind::Not | Kind::Test => !parts.iter().any(|part| part.held),
    };
    Why {
        of_macro: None,
        kind,
        text: String::new(),
        held,
        fields: Vec::new(),
        parts,
    }
}

/// A text that takes no more than it may.
struct Cut(String);

impl std::fmt::Write for Cut {
    fn write_str(&mut self, more: &str) -> std::fmt::Result {
        let room = TEXT_BYTES_MAX.saturating_sub(self.0.len());
        if more.len() <= room {
            self.0.push_str(more);
            return Ok(());
        }
        self.0.push_str(&more[..more.floor_char_boundary(room)]);
        self.0.push('…');
        Err(std::fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Value;
    use crate::{Options, Source, compile};
    use std::collections::BTreeMap;

    struct Given(BTreeMap<&'static str, &'static str>);

    impl Values for Given {
        fn value(&self, field: &FieldRef) -> Option<Value<'_>> {
            let value = self.0.get(field.to_string().as_str())?;
            Some(Value::Text(value.as_bytes().into()))
        }
    }

    fn asked(condition: &str, values: &[(&'static str, &'static str)]) -> (Why, bool) {
        asked_with("", condition, values)
    }

    fn asked_with(
        before: &str,
        condition: &str,
        values: &[(&'static str, &'static str)],
    ) -> (Why, bool) {
        let text = format!(
            "{before}- rule: R\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n"
        );
        let source = Source {
            name: "r.yaml".into(),
            text,
        };
        let compilation = compile(&[source], &Options::default());
        let ruleset = compilation.ruleset.expect("a sound rule");
        let values = Given(values.iter().copied().collect());
        let condition = &ruleset.conditions[0];
        let event = EventType::by_name("execve").next().expect("an event type");
        let holds = oracle::holds(condition, &values, event);
        let why = why(condition, &ruleset.outlines, 0, &values, event);
        (why, holds)
    }

    fn lines(why: &Why, depth: usize, out: &mut String) {
        let held = if why.held { "held" } else { "did not hold" };
        let what = match why.kind {
            Kind::Test => &why.text,
            kind => kind.name(),
        };
        let of_macro = why.of_macro.as_ref().map(|name| format!("{name} = "));
        let of_macro = of_macro.unwrap_or_default();
        out.push_str(&format!("{}{of_macro}{what}: {held}\n", "  ".repeat(depth)));
        for part in &why.parts {
            lines(part, depth + 1, out);
        }
    }

    #[test]
    fn each_part_says_whether_it_held_and_the_whole_says_what_the_oracle_says() {
        let condition = "evt.type = execve and (proc.name = sh or proc.name in (a, b)) and not \
                         (fd.name startswith /etc and proc.pname = x)";
        let values = [("proc.name", "b"), ("fd.name", "/etc/passwd")];
        let (why, holds) = asked(condition, &values);
        assert_eq!((why.held, holds), (true, true));
        let mut out = String::new();
        lines(&why, 0, &mut out);
        assert_eq!(
            out,
            "and: held\n  \
               evt.type = \"execve\": held\n  \
               or: held\n    \
                 proc.name = \"sh\": did not hold\n    \
                 proc.name in (\"a\", \"b\"): held\n  \
               not: held\n    \
                 and: did not hold\n      \
                   fd.name startswith \"/etc\": held\n      \
                   proc.pname = \"x\": did not hold\n"
        );
        let (why, holds) = asked(condition, &[("proc.name", "c")]);
        assert_eq!((why.held, holds), (false, false));
    }

    #[test]
    fn macros_stand_in_their_places_by_their_names() {
        let before = "- macro: spawned\n  condition: evt.type = execve and evt.dir = <\n\
                      - macro: shell\n  condition: proc.name in (sh, bash)\n\
                      - macro: by_shell\n  condition: proc.pname = cron or shell\n\
                      - macro: alias\n  condition: shell\n";
        let condition = "spawned and by_shell and not (alias and proc.pname = sshd) and (proc.name \
                         = sh and fd.name exists)";
        let values = [("proc.name", "sh"), ("fd.name", "/x")];
        let (why, holds) = asked_with(before, condition, &values);
        assert_eq!((why.held, holds), (true, true));
        let mut out = String::new();
        lines(&why, 0, &mut out);
        assert_eq!(
            out,
            "and: held\n  \
               spawned = and: held\n    \
                 evt.type = \"execve\": held\n    \
                 evt.dir = \"<\": held\n  \
               by_shell = or: held\n    \
                 proc.pname = \"cron\": did not hold\n    \
                 shell = proc.name in (\"bash\", \"sh\"): held\n  \
               not: held\n    \
                 and: did not hold\n      \
                   alias = proc.name in (\"bash\", \"sh\"): held\n      \
                   proc.pname = \"sshd\": did not hold\n  \
               proc.name = \"sh\": held\n  \
               fd.name exists: held\n"
        );
    }

    #[test]
    fn macros_within_macros_are_told_no_further_than_there_is_room() {
        let mut before =
            String::from("- macro: m0\n  condition: proc.name = sh or proc.name = a\n");
        for n in 1..60 {
            let inner = n - 1;
            before.push_str(&format!(
                "- macro: m{n}\n  condition: (m{inner} or fd.name = x{n}) and (m{inner} or \
                 fd.name = y{n})\n"
            ));
        }
        let (why, holds) = asked_with(&before, "evt.type = execve and m9", &[("proc.name", "sh")]);
        assert_eq!((why.held, holds), (true, true));
        fn count(why: &Why) -> usize {
            1 + why.parts.iter().map(count).sum::<usize>()
        }
        assert!(count(&why) <= PARTS_MAX + 1, "{}", count(&why));
    }

    #[test]
    fn what_is_long_or_deep_is_cut_and_still_judged() {
        let long: Vec<String> = (0..5000).map(|n| format!("name{n}")).collect();
        let condition = format!("evt.type = execve and proc.name in ({})", long.join(", "));
        let (why, _) = asked(&condition, &[("proc.name", "name4999")]);
        let list = &why.parts[1];
        assert!(list.held && list.text.ends_with('…'), "{}", list.text.len());
        assert!(list.text.len() <= TEXT_BYTES_MAX + '…'.len_utf8());
        let many: Vec<String> = (0..2000)
            .map(|n| format!("fd.name contains x{n}"))
            .collect();
        let condition = format!("evt.type = execve and ({})", many.join(" or "));
        let (why, holds) = asked(&condition, &[("fd.name", "/x1999")]);
        assert_eq!((why.parts.len(), why.parts[1].kind), (2, Kind::Test));
        assert!(holds && why.held && why.parts[1].held);
        let deep = format!(
            "evt.type = execve and {}proc.name = sh{}",
            "(proc.pname = x or (fd.name = y and ".repeat(100),
            "))".repeat(100)
        );
        let (why, holds) = asked(&deep, &[("proc.name", "sh"), ("fd.name", "y")]);
        assert_eq!((holds, why.held), (true, true));
    }
}
