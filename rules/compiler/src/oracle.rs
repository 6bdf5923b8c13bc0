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

    /// What the field's value answers, where it is at hand without making a [`Value`] of it; none
    /// within if it is absent.
    fn answer(&self, _field: &FieldRef, _op: &Op) -> Option<Option<bool>> {
        None
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
    let Expr { graph, root } = condition;
    graph.walk(*root, || node(graph, *root, values, event))
}

/// Whether a node holds. Recursion is bounded by the graph's depth.
pub(crate) fn node(graph: &Graph, id: Id, values: &impl Values, event: EventType) -> bool {
    match graph.node(id) {
        Node::False => false,
        Node::True => true,
        Node::Not(part) => !node(graph, *part, values, event),
        Node::And(parts) => parts.iter().all(|part| node(graph, *part, values, event)),
        Node::Or(parts) => parts.iter().any(|part| node(graph, *part, values, event)),
        Node::Test(test) => test_holds(test, values, event),
    }
}

/// Whether the condition holds where not all values are known: none where those that are not
/// decide it.
pub fn holds_as_known(
    condition: &Expr,
    values: &impl Values,
    knows: &impl Fn(&FieldRef) -> bool,
    event: EventType,
) -> Option<bool> {
    let Expr { graph, root } = condition;
    graph.walk(*root, || node_as_known(graph, *root, values, knows, event))
}

fn node_as_known(
    graph: &Graph,
    id: Id,
    values: &impl Values,
    knows: &impl Fn(&FieldRef) -> bool,
    event: EventType,
) -> Option<bool> {
    let part = |id: &Id| node_as_known(graph, *id, values, knows, event);
    // One part of that truth decides, however little is known of the others.
    let joined = |parts: &[Id], decides: bool| {
        let mut all = Some(!decides);
        for found in parts.iter().map(part) {
            match found {
                Some(held) if held == decides => return found,
                Some(_) => {}
                None => all = None,
            }
        }
        all
    };
    match graph.node(id) {
        Node::False => Some(false),
        Node::True => Some(true),
        Node::Not(inner) => part(inner).map(|held| !held),
        Node::And(parts) => joined(parts, false),
        Node::Or(parts) => joined(parts, true),
        Node::Test(test) => {
            let mut is_known = true;
            test.term.each_field(&mut |field| {
                is_known &= value_by_type(field, event).is_some() || knows(field);
            });
            is_known.then(|| test_holds(test, values, event))
        }
    }
}

/// Whether one test holds: what `why` shows per line.
pub fn test_holds(test: &Test, values: &impl Values, event: EventType) -> bool {
    let satisfies = |value: &Value<'_>| answer(&test.op, value);
    let satisfied = match &test.term {
        Term::Field(field) => match values.answer(field, &test.op) {
            Some(answer) => answer,
            None => field_value(field, values, event).map(|value| value.any(satisfies)),
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
        Value::Text(text) | Value::Ip(text) => answer_of_text(op, text),
        Value::Number(number) => answer_of_number(op, *number),
        Value::Bool(truth) => answer_of_number(op, i128::from(*truth)),
        // A list in a list does not occur.
        Value::List(_) => false,
    }
}

/// Whether a text or an address satisfies the operator.
fn answer_of_text(op: &Op, text: &[u8]) -> bool {
    match op {
        Op::Exists => true,
        Op::In(values) => is_one_of(values, text),
        Op::Differs(value) => value.as_slice() != text,
        Op::Contains(part) => contains(text, part),
        Op::IContains(part) => contains_folded(text, part),
        Op::StartsWith(part) => text.starts_with(part),
        Op::EndsWith(part) => text.ends_with(part),
        Op::Glob(pattern) => pattern.matches(text),
        Op::Accepted(automaton) => automaton.accepts(text),
        Op::Networks(networks) => networks.iter().any(|network| network.contains(text)),
        Op::Numbers(_) | Op::Range(..) => false,
    }
}

fn answer_of_number(op: &Op, number: i128) -> bool {
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

/// Whether the text is one of these, which are sorted. Of a few most differ in length, which is
/// seen without looking at them.
fn is_one_of(values: &[Vec<u8>], text: &[u8]) -> bool {
    const FEW: usize = 16;
    match values.len() {
        0..=FEW => values.iter().any(|value| value.as_slice() == text),
        _ => values
            .binary_search_by(|value| value.as_slice().cmp(text))
            .is_ok(),
    }
}

// A search needs room on the stack, which other comparisons shall not pay for.
#[inline(never)]
fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

/// The same for letters of either case; the part is in lower case.
#[inline(never)]
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
/// [`crate::Options::for_oracle`], else most texts are missing.
pub struct Layouts {
    events: HashMap<EventType, Places, FixedState>,
}

/// Where values lie in the rows of one event type and of its process.
struct Places {
    event: Shape,
    process: Shape,
    /// Of fields without an argument, by their ids.
    plain: Vec<Option<Found>>,
    /// Of the others.
    fields: Vec<(FieldRef, Place)>,
    made: Vec<(Term, Place)>,
}

/// What is known of where a field's value is.
enum Found {
    /// The event type decides it.
    ByType(Option<Value<'static>>),
    At(Place),
}

/// A slot, and what lies in it.
#[derive(Clone, Copy)]
struct Place {
    of_process: bool,
    slot: u16,
    kind: Type,
    is_list: bool,
}

impl Places {
    fn new(event_type: EventType, event: &[Slot], process: &[Slot]) -> Places {
        let shape = |slots: &[Slot]| Shape {
            slots: slots.len() as u16,
        };
        let mut places = Places {
            event: shape(event),
            process: shape(process),
            plain: Vec::new(),
            fields: Vec::new(),
            made: Vec::new(),
        };
        places.plain.resize_with(Field::ALL.len(), || None);
        for &field in Field::ALL {
            let (id, arg) = (usize::from(field.id()), Arg::None);
            let known = value_by_type(&FieldRef { field, arg }, event_type);
            places.plain[id] = known.map(Found::ByType);
        }
        for (slots, of_process) in [(event, false), (process, true)] {
            for (slot, at) in slots.iter().zip(0..) {
                let place = Place {
                    of_process,
                    slot: at,
                    kind: slot.term.kind(),
                    is_list: slot.term.is_list(),
                };
                match slot.term.field() {
                    Some(field) if field.arg == Arg::None => {
                        places.plain[usize::from(field.field.id())] = Some(Found::At(place));
                    }
                    Some(field) => places.fields.push((field.clone(), place)),
                    None => places.made.push((slot.term.clone(), place)),
                }
            }
        }
        places
    }

    fn keyed(&self, field: &FieldRef) -> Option<Place> {
        let (_, place) = self.fields.iter().find(|(known, _)| known == field)?;
        Some(*place)
    }
}

impl Layouts {
    /// Those of that manifest.
    pub fn new(manifest: &Manifest) -> Layouts {
        let events = manifest.events.iter();
        Layouts {
            events: events
                .map(|layout| {
                    let places = Places::new(layout.event, &layout.slots, &manifest.process);
                    (layout.event, places)
                })
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
            process,
            places: self.events.get(&event_type)?,
        })
    }
}

/// The values in an event's row and its process's row.
pub struct RowValues<'a> {
    event: &'a [u8],
    process: &'a [u8],
    places: &'a Places,
}

impl<'a> RowValues<'a> {
    /// The row in which the place is, and where its slot lies in it; none if that is empty.
    fn slot(&self, place: Place) -> Option<(&'a [u8], usize)> {
        let (row, shape) = match place.of_process {
            false => (self.event, self.places.event),
            true => (self.process, self.places.process),
        };
        let (word, mask) = shape.presence(place.slot);
        let presence = row.get(word as usize..)?.first_chunk::<8>()?;
        let is_there = u64::from_le_bytes(*presence) & mask != 0;
        is_there.then(|| (row, shape.slot(place.slot) as usize))
    }

    fn place_value(&self, place: Place) -> Option<Value<'a>> {
        let (row, at) = self.slot(place)?;
        if place.is_list {
            let elements = elements(row, at)?;
            let values = elements.filter_map(|at| element_value(row, at, place.kind));
            return Some(Value::List(values.collect()));
        }
        element_value(row, at, place.kind)
    }

    fn number(&self) -> Option<u64> {
        let number = self.event.get(row::NUMBER_AT as usize..)?;
        Some(u64::from_le_bytes(*number.first_chunk()?))
    }
}

impl Values for RowValues<'_> {
    fn value(&self, field: &FieldRef) -> Option<Value<'_>> {
        // Every row's header has it, whether or not a slot does.
        if field.field == Field::EvtNum {
            return self.number().map(|number| Value::Number(number.into()));
        }
        if field.arg != Arg::None {
            return self.place_value(self.places.keyed(field)?);
        }
        match self.places.plain[usize::from(field.field.id())].as_ref()? {
            Found::ByType(value) => value.clone(),
            Found::At(place) => self.place_value(*place),
        }
    }

    fn answer(&self, field: &FieldRef, op: &Op) -> Option<Option<bool>> {
        let place = match field.arg {
            Arg::None => match self.places.plain[usize::from(field.field.id())].as_ref()? {
                Found::ByType(value) => return Some(value.as_ref().map(|value| answer(op, value))),
                Found::At(place) => *place,
            },
            Arg::Index(_) | Arg::Key(_) => self.places.keyed(field)?,
        };
        let Some((row, at)) = self.slot(place) else {
            return Some(None);
        };
        if place.is_list {
            let Some(mut elements) = elements(row, at) else {
                return Some(None);
            };
            let is_so = |at| element_answer(row, at, place.kind, op) == Some(true);
            return Some(Some(elements.any(is_so)));
        }
        Some(element_answer(row, at, place.kind, op))
    }

    fn made(&self, term: &Term) -> Option<Option<Value<'_>>> {
        let (_, place) = self.places.made.iter().find(|(made, _)| made == term)?;
        Some(self.place_value(*place))
    }
}

fn u32_at(row: &[u8], at: usize) -> Option<u32> {
    let bytes = row.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}

/// Where the elements of the list lie whose slot lies there.
fn elements(row: &[u8], at: usize) -> Option<impl Iterator<Item = usize>> {
    let count = u32_at(row, at)? as usize;
    let tail = u32_at(row, at + 4)? as usize;
    let elements = 0..count.min(row::LIST_LEN_MAX);
    Some(elements.map(move |element| tail + element * 8))
}

/// What the element answers that lies there; none if it lies outside of the row.
fn element_answer(row: &[u8], at: usize, kind: Type, op: &Op) -> Option<bool> {
    match is_string(kind) {
        true => Some(answer_of_text(op, text_at(row, at)?)),
        false => Some(answer_of_number(op, number_at(row, at, kind)?)),
    }
}

fn element_value(row: &[u8], at: usize, kind: Type) -> Option<Value<'_>> {
    Some(match kind {
        Type::IpAddr | Type::IpNet => Value::Ip(Cow::Borrowed(text_at(row, at)?)),
        Type::Text | Type::Bytes => Value::Text(Cow::Borrowed(text_at(row, at)?)),
        Type::Bool => Value::Bool(number_at(row, at, kind)? != 0),
        Type::Int | Type::Uint | Type::Port | Type::AbsTime | Type::RelTime | Type::Double => {
            Value::Number(number_at(row, at, kind)?)
        }
    })
}

fn number_at(row: &[u8], at: usize, kind: Type) -> Option<i128> {
    let number = u64::from_le_bytes(*row.get(at..)?.first_chunk::<8>()?);
    Some(match kind {
        Type::Int => number.cast_signed().into(),
        Type::Bool => (number != 0).into(),
        Type::Uint
        | Type::Port
        | Type::AbsTime
        | Type::RelTime
        | Type::Double
        | Type::Text
        | Type::Bytes
        | Type::IpAddr
        | Type::IpNet => number.into(),
    })
}

fn text_at(row: &[u8], at: usize) -> Option<&[u8]> {
    match u32_at(row, at + 4)? as usize {
        0 => Some(&[]),
        tail => {
            let len = u32_at(row, tail)? as usize;
            row.get(tail + 4..)?.get(..len)
        }
    }
}
