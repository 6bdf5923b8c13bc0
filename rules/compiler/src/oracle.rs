//! The plain evaluator: walks a condition over values, without bits, ids or sharing. What the
//! compiled module answers is held against it, and `why` explains with it.

use crate::ir::{Expr, Graph, Id, Node, Op, Test, is_string};
use crate::made;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{Arg, Field, FieldRef, Type};
use saker_rules_schema::manifest::{Manifest, Slot};
use saker_rules_schema::row::{self, Shape};
use saker_rules_schema::term::Term;
use std::borrow::Cow;

/// A field's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, [u8]>),
    /// A number, port or time.
    Number(i128),
    /// True or false.
    Bool(bool),
    /// An address of 4 or 16 bytes.
    Ip(Cow<'a, [u8]>),
    /// Several values, of which one must satisfy a test.
    List(Vec<Value<'a>>),
}

impl Value<'_> {
    fn any(&self, satisfies: impl Fn(&Value<'_>) -> bool) -> bool {
        match self {
            Value::List(values) => values.iter().any(satisfies),
            single => satisfies(single),
        }
    }
}

/// Where values come from.
pub trait Values {
    /// The field's value; none if it is absent.
    fn value(&self, field: &FieldRef) -> Option<Value<'_>>;

    /// Whether the field's value satisfies this, or one of a list's does; none if it is absent.
    fn any(&self, field: &FieldRef, satisfies: impl Fn(&Value<'_>) -> bool) -> Option<bool> {
        self.value(field).map(|value| value.any(satisfies))
    }

    /// The value of a term that is no field, where it is at hand already; else it is made of its
    /// fields.
    fn made(&self, _term: &Term) -> Option<Option<Value<'_>>> {
        None
    }
}

/// Whether the condition holds for an event of that type with these values. What the type
/// alone decides (`evt.type` and its like) is not asked of `values`.
pub fn holds(condition: &Expr, values: &impl Values, event: EventType) -> bool {
    node(&condition.graph, condition.root, values, event)
}

/// Recursion is bounded by the graph's depth.
fn node(graph: &Graph, id: Id, values: &impl Values, event: EventType) -> bool {
    match graph.node(id) {
        Node::False => false,
        Node::True => true,
        Node::Not(part) => !node(graph, *part, values, event),
        Node::And(parts) => parts.iter().all(|part| node(graph, *part, values, event)),
        Node::Or(parts) => parts.iter().any(|part| node(graph, *part, values, event)),
        Node::Test(test) => test_holds(test, values, event),
    }
}

/// Whether one test holds: what `why` shows per line.
pub fn test_holds(test: &Test, values: &impl Values, event: EventType) -> bool {
    let satisfies = |value: &Value<'_>| answer(&test.op, value);
    let satisfied = match &test.term {
        Term::Field(field) => match value_by_type(field, event) {
            Some(known) => known.map(|value| value.any(satisfies)),
            None => values.any(field, satisfies),
        },
        made => values
            .made(made)
            .unwrap_or_else(|| made::value(made, &mut |field| field_value(field, values, event)))
            .map(|value| value.any(satisfies)),
    };
    if test.op == Op::Exists {
        // Also a list of nothing is there.
        return satisfied.is_some();
    }
    satisfied == Some(true)
}

/// A field's value where the event type decides it; `Some(None)`: that it is absent.
pub(crate) fn value_by_type(field: &FieldRef, event: EventType) -> Option<Option<Value<'static>>> {
    if let Some(text) = field.text_by_type(event) {
        return Some(text.map(|text| Value::Text(text.as_bytes().into())));
    }
    let number = field.number_by_type(event)?;
    Some(number.map(|number| match field.kind() {
        Type::Bool => Value::Bool(number != 0),
        _ => Value::Number(number.into()),
    }))
}

fn field_value<'v>(
    field: &FieldRef,
    values: &'v impl Values,
    event: EventType,
) -> Option<Value<'v>> {
    value_by_type(field, event).unwrap_or_else(|| values.value(field))
}

/// Whether a value satisfies the operator.
pub(crate) fn answer(op: &Op, value: &Value<'_>) -> bool {
    match value {
        Value::Text(text) | Value::Ip(text) => match op {
            Op::Exists => true,
            // They are sorted.
            Op::In(values) => values
                .binary_search_by(|value| value.as_slice().cmp(text))
                .is_ok(),
            Op::Differs(value) => value.as_slice() != text.as_ref(),
            Op::Contains(part) => contains(text, part),
            Op::IContains(part) => contains_folded(text, part),
            Op::StartsWith(part) => text.starts_with(part),
            Op::EndsWith(part) => text.ends_with(part),
            Op::Glob(pattern) => pattern.matches(text),
            Op::Accepted(automaton) => automaton.accepts(text),
            Op::Networks(networks) => networks.iter().any(|network| network.contains(text)),
            Op::Numbers(_) | Op::Range(..) => false,
        },
        Value::Number(_) | Value::Bool(_) => {
            let number = match value {
                Value::Number(number) => *number,
                Value::Bool(true) => 1,
                Value::Bool(false) | Value::Text(_) | Value::Ip(_) | Value::List(_) => 0,
            };
            match op {
                Op::Exists => true,
                Op::Numbers(values) => values.contains(&number),
                Op::Range(min, max) => (*min..=*max).contains(&number),
                Op::In(_)
                | Op::Differs(_)
                | Op::Contains(_)
                | Op::IContains(_)
                | Op::StartsWith(_)
                | Op::EndsWith(_)
                | Op::Glob(_)
                | Op::Accepted(_)
                | Op::Networks(_) => false,
            }
        }
        // A list in a list does not occur.
        Value::List(_) => false,
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

/// The same for letters of either case; the part is in lower case.
fn contains_folded(text: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else {
        return true;
    };
    let starts = memchr::memchr2_iter(*first, first.to_ascii_uppercase(), text);
    starts
        .filter_map(|start| text.get(start..)?.get(..part.len()))
        .any(|here| here.eq_ignore_ascii_case(part))
}

/// Where values lie in a ruleset's rows. It must have been compiled with
/// [`crate::Options::keep_bytes`], else most texts are missing.
pub struct Layouts {
    process: Places,
    events: HashMap<EventType, Places, FixedState>,
}

/// Where values lie in one kind of row.
struct Places {
    shape: Shape,
    /// Of fields without an argument, by their ids.
    plain: Vec<Option<Place>>,
    fields: HashMap<FieldRef, Place, FixedState>,
    made: Vec<(Term, Place)>,
}

/// A slot, and what lies in it.
#[derive(Clone, Copy)]
struct Place {
    slot: u16,
    kind: Type,
    is_list: bool,
}

impl Places {
    fn new(slots: &[Slot]) -> Places {
        let mut places = Places {
            shape: Shape {
                slots: slots.len() as u16,
            },
            plain: vec![None; Field::ALL.len()],
            fields: HashMap::default(),
            made: Vec::new(),
        };
        for (slot, at) in slots.iter().zip(0..) {
            let place = Place {
                slot: at,
                kind: slot.term.kind(),
                is_list: slot.term.is_list(),
            };
            match slot.term.field() {
                Some(field) if field.arg == Arg::None => {
                    places.plain[usize::from(field.field.id())] = Some(place);
                }
                Some(field) => {
                    places.fields.insert(field.clone(), place);
                }
                None => places.made.push((slot.term.clone(), place)),
            }
        }
        places
    }

    fn field(&self, field: &FieldRef) -> Option<Place> {
        match field.arg {
            Arg::None => self.plain[usize::from(field.field.id())],
            Arg::Index(_) | Arg::Key(_) => self.fields.get(field).copied(),
        }
    }
}

impl Layouts {
    /// Those of that manifest.
    pub fn new(manifest: &Manifest) -> Layouts {
        let events = manifest.events.iter();
        Layouts {
            process: Places::new(&manifest.process),
            events: events
                .map(|layout| (layout.event, Places::new(&layout.slots)))
                .collect(),
        }
    }

    /// The values in an event's row and its process's; `None` if there is no layout for the
    /// event type.
    pub fn values<'a>(
        &'a self,
        event_type: EventType,
        event: &'a [u8],
        process: &'a [u8],
    ) -> Option<RowValues<'a>> {
        Some(RowValues {
            event,
            event_places: self.events.get(&event_type)?,
            process,
            process_places: &self.process,
        })
    }
}

/// The values in an event's row and its process's row.
pub struct RowValues<'a> {
    event: &'a [u8],
    event_places: &'a Places,
    process: &'a [u8],
    process_places: &'a Places,
}

impl RowValues<'_> {
    /// Both rows, and where values lie in them.
    fn rows(&self) -> impl Iterator<Item = (&[u8], &Places)> {
        [
            (self.event, self.event_places),
            (self.process, self.process_places),
        ]
        .into_iter()
    }
}

impl Values for RowValues<'_> {
    fn value(&self, field: &FieldRef) -> Option<Value<'_>> {
        // Every row's header has it, whether or not a slot does.
        if field.field == Field::EvtNum {
            let number = self.event.get(row::NUMBER_AT as usize..)?;
            return Some(Value::Number(
                u64::from_le_bytes(*number.first_chunk()?).into(),
            ));
        }
        // Which row holds a field is the layouts' business: ask both.
        self.rows()
            .find_map(|(row, places)| slot_value(row, places.shape, places.field(field)?))
    }

    fn any(&self, field: &FieldRef, satisfies: impl Fn(&Value<'_>) -> bool) -> Option<bool> {
        if field.field == Field::EvtNum {
            return self.value(field).map(|value| satisfies(&value));
        }
        self.rows().find_map(|(row, places)| {
            let place = places.field(field)?;
            if place.is_list {
                let mut elements = elements(row, slot_at(row, places.shape, place)?, place.kind)?;
                return Some(elements.any(|value| satisfies(&value)));
            }
            slot_value(row, places.shape, place).map(|value| satisfies(&value))
        })
    }

    fn made(&self, term: &Term) -> Option<Option<Value<'_>>> {
        self.rows().find_map(|(row, places)| {
            let (_, place) = places.made.iter().find(|(made, _)| made == term)?;
            Some(slot_value(row, places.shape, *place))
        })
    }
}

fn u32_at(row: &[u8], at: usize) -> Option<u32> {
    let bytes = row.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}

/// Where a slot lies in the row; none if it is empty.
fn slot_at(row: &[u8], shape: Shape, place: Place) -> Option<usize> {
    let (word, mask) = shape.presence(place.slot);
    let presence = row.get(word as usize..)?.first_chunk::<8>()?;
    (u64::from_le_bytes(*presence) & mask != 0).then(|| shape.slot(place.slot) as usize)
}

fn slot_value(row: &[u8], shape: Shape, place: Place) -> Option<Value<'_>> {
    let at = slot_at(row, shape, place)?;
    if place.is_list {
        return Some(Value::List(elements(row, at, place.kind)?.collect()));
    }
    element_value(row, at, place.kind)
}

/// The elements of the list whose slot lies there.
fn elements(row: &[u8], at: usize, kind: Type) -> Option<impl Iterator<Item = Value<'_>>> {
    let count = u32_at(row, at)? as usize;
    let tail = u32_at(row, at + 4)? as usize;
    let elements = 0..count.min(row::LIST_LEN_MAX);
    Some(elements.filter_map(move |element| element_value(row, tail + element * 8, kind)))
}

fn element_value(row: &[u8], at: usize, kind: Type) -> Option<Value<'_>> {
    if !is_string(kind) {
        let number = u64::from_le_bytes(*row.get(at..)?.first_chunk::<8>()?);
        return Some(match kind {
            Type::Bool => Value::Bool(number != 0),
            Type::Int => Value::Number((number as i64).into()),
            Type::Uint
            | Type::Port
            | Type::AbsTime
            | Type::RelTime
            | Type::Double
            | Type::Text
            | Type::Bytes
            | Type::IpAddr
            | Type::IpNet => Value::Number(number.into()),
        });
    }
    let tail = u32_at(row, at + 4)? as usize;
    let text = match tail {
        0 => &[],
        tail => {
            let len = u32_at(row, tail)? as usize;
            row.get(tail + 4..)?.get(..len)?
        }
    };
    Some(match kind {
        Type::IpAddr | Type::IpNet => Value::Ip(Cow::Borrowed(text)),
        _ => Value::Text(Cow::Borrowed(text)),
    })
}
