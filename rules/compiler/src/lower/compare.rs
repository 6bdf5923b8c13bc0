//! Comparisons: of a value with what is written, and of two values with each other.

use super::Lowering;
use crate::ast::{self, Operand, Operator, Value};
use crate::automaton;
use crate::diagnostic::Code;
use crate::glob;
use crate::ir::{Id, Op, is_string};
use crate::terms::{Lower, fault};
use crate::text::Span;
use crate::value::{self, network_field};
use saker_rules_schema::field::{Field, FieldRef, Flag, Type};
use saker_rules_schema::term::{Comparison, Term, Transformer};

impl Lowering<'_> {
    /// A comparison with a list, of which all elements (`in`) or one (`intersects`) must be among
    /// the values.
    fn compare_many(&mut self, term: &Term, operator: Operator, values: &[Value]) -> Lower<Id> {
        // It is there if its length is.
        if operator == Operator::Exists {
            let length = Term::Made(Transformer::Len, vec![term.clone()]);
            return Ok(self.graph.test(length, Op::Exists));
        }
        let Some(comparison @ (Comparison::In | Comparison::Intersects)) = comparison(operator)
        else {
            return Ok(Id::FALSE);
        };
        let mut texts = Vec::new();
        for value in values {
            let bytes = value::text(term, value)?;
            texts.push(Term::Text(String::from_utf8_lossy(&bytes).into_owned()));
        }
        Ok(self.compared(comparison, term.clone(), Term::List(texts)))
    }

    fn compared(&mut self, comparison: Comparison, left: Term, right: Term) -> Id {
        let term = Term::Compared(comparison, Box::new([left, right]));
        self.graph.test(term, Op::Numbers(vec![1]))
    }

    /// A comparison of two values, neither of which is written in the condition.
    pub(super) fn compare_with(
        &mut self,
        left: Term,
        test: &ast::Test,
        right: &Operand,
    ) -> Lower<Id> {
        let written = right.span();
        let right = self.operand(right)?;
        for (term, span) in [(&left, test.left.span()), (&right, written)] {
            if let Some(field) = term.field().filter(|field| field.field.has(Flag::NoRhs)) {
                let message = format!("field `{field}` cannot be compared with another field");
                return Err(fault(Code::OperatorType, span, message));
            }
        }
        let kinds = (compares_as(left.kind()), compares_as(right.kind()));
        if kinds.0 != kinds.1 || left.is_many() != right.is_many() {
            let what = |term: &Term| match term.is_many() {
                true => "a list",
                false => what_it_is(term.kind()),
            };
            return Err(fault(
                Code::OperatorType,
                written,
                format!(
                    "`{left}` is {}, and `{right}` is {}",
                    what(&left),
                    what(&right)
                ),
            ));
        }
        let Some(comparison) = comparison(test.operator) else {
            // Compiling one for each event is at the mercy of whoever chooses the value.
            let message = "a regular expression must be written out";
            return Err(fault(Code::OperatorType, written, message));
        };
        Ok(self.compared(comparison, left, right))
    }

    /// A comparison with one value. `!=` comes as `=` and `negative`, unless it stands for
    /// both ends of a connection.
    pub(super) fn compare(
        &mut self,
        term: &Term,
        operator: Operator,
        values: &[Value],
        negative: bool,
    ) -> Lower<Id> {
        if term.is_many() {
            return self.compare_many(term, operator, values);
        }
        if operator == Operator::Exists {
            let all_ancestors = |field: &FieldRef| field.field.is_ancestor() && term.is_list();
            // One of them has to be there.
            if term.field().is_some_and(all_ancestors) {
                let count = Term::Made(Transformer::Len, vec![term.clone()]);
                let some = Op::Range(1, u64::MAX.into());
                return Ok(self.graph.test(count, some));
            }
            return Ok(self.graph.test(term.clone(), Op::Exists));
        }
        if term.kind() == Type::IpNet {
            let mut networks = Vec::new();
            for value in values {
                networks.push(value::network(term, value)?);
            }
            networks.sort_unstable();
            networks.dedup();
            let inside = self.graph.test(term.clone(), Op::Networks(networks));
            return Ok(self.unless(term, inside, negative));
        }
        if is_string(term.kind()) {
            return self.compare_text(term, operator, values, negative);
        }
        let mut numbers = Vec::new();
        for value in values {
            numbers.push(value::number(term, value)?);
        }
        if term
            .field()
            .is_some_and(|field| field.field == Field::EvtAround)
        {
            return self.compare_distance(term, operator, &numbers, values);
        }
        numbers.sort_unstable();
        numbers.dedup();
        let first = numbers.first().copied().unwrap_or_default();
        let (min, max) = value::limits(term.kind());
        let id = match operator {
            Operator::Less => self.graph.test(term.clone(), Op::Range(min, first - 1)),
            Operator::LessEqual => self.graph.test(term.clone(), Op::Range(min, first)),
            Operator::Greater => self.graph.test(term.clone(), Op::Range(first + 1, max)),
            Operator::GreaterEqual => self.graph.test(term.clone(), Op::Range(first, max)),
            Operator::NotEqual if negative && term.is_list() => {
                let below = self.graph.test(term.clone(), Op::Range(min, first - 1));
                let above = self.graph.test(term.clone(), Op::Range(first + 1, max));
                self.graph.or(vec![below, above])
            }
            Operator::Equal
            | Operator::Equal2
            | Operator::NotEqual
            | Operator::In
            | Operator::Intersects => {
                let equal = self.graph.test(term.clone(), Op::Numbers(numbers));
                self.unless(term, equal, negative)
            }
            Operator::Exists
            | Operator::Contains
            | Operator::IContains
            | Operator::BContains
            | Operator::StartsWith
            | Operator::BStartsWith
            | Operator::EndsWith
            | Operator::Glob
            | Operator::IGlob
            | Operator::Regex
            | Operator::PMatch => Id::FALSE,
        };
        Ok(id)
    }

    fn compare_text(
        &mut self,
        term: &Term,
        operator: Operator,
        values: &[Value],
        negative: bool,
    ) -> Lower<Id> {
        let is_hexadecimal = matches!(operator, Operator::BContains | Operator::BStartsWith);
        let mut texts = Vec::new();
        for value in values {
            texts.push(match is_hexadecimal {
                true => value::hexadecimal(value)?,
                false => value::text(term, value)?,
            });
        }
        if operator.takes() == ast::Takes::Number
            && let Some(comparison) = comparison(operator)
        {
            let Some(value) = values.first() else {
                return Ok(Id::FALSE);
            };
            let right = Term::Text(value.text.clone());
            return Ok(self.compared(comparison, term.clone(), right));
        }
        let span = values.first().map(|value| value.span);
        let first = || texts.first().cloned().unwrap_or_default();
        let op = match operator {
            Operator::NotEqual if negative && term.is_list() => Op::Differs(first()),
            // Of a list, one element must be among the values.
            Operator::Equal
            | Operator::Equal2
            | Operator::NotEqual
            | Operator::In
            | Operator::Intersects => {
                texts.sort_unstable();
                texts.dedup();
                Op::In(texts)
            }
            Operator::Contains | Operator::BContains => Op::Contains(first()),
            Operator::IContains => Op::IContains(first().to_ascii_lowercase()),
            Operator::StartsWith | Operator::BStartsWith => Op::StartsWith(first()),
            Operator::EndsWith => Op::EndsWith(first()),
            Operator::Glob | Operator::IGlob => match (glob::pattern(&first()), span) {
                (Some(pattern), _) if operator == Operator::IGlob => {
                    Op::Glob(glob::folded(pattern))
                }
                (Some(pattern), _) => Op::Glob(pattern),
                (None, Some(span)) => {
                    return Err(fault(Code::Value, span, "the pattern is too long"));
                }
                (None, None) => return Ok(Id::FALSE),
            },
            Operator::Regex => {
                let Some(value) = values.first() else {
                    return Ok(Id::FALSE);
                };
                let automaton = self.automata.regex(&value.text);
                Op::Accepted(automaton.map_err(|why| {
                    let message = format!(
                        "the regular expression `{}` does not compile: {why}",
                        value.text
                    );
                    fault(Code::Value, value.span, message)
                })?)
            }
            Operator::PMatch => {
                let mut parts = Vec::new();
                for group in automaton::groups(&texts) {
                    let automaton = self.automata.paths(&texts[group.clone()]).map_err(|why| {
                        let message = format!("the paths from here on do not compile: {why}");
                        fault(Code::Value, values[group.start].span, message)
                    })?;
                    parts.push(self.graph.test(term.clone(), Op::Accepted(automaton)));
                }
                let any = self.graph.or(parts);
                return Ok(self.unless(term, any, negative));
            }
            Operator::Exists
            | Operator::Less
            | Operator::LessEqual
            | Operator::Greater
            | Operator::GreaterEqual => return Ok(Id::FALSE),
        };
        let negative = negative && !matches!(op, Op::Differs(_));
        let id = self.graph.test(term.clone(), op);
        Ok(self.unless(term, id, negative))
    }

    /// `evt.around[T] = D`: the event is at most D milliseconds from T. The field's value is how
    /// many nanoseconds it is.
    fn compare_distance(
        &mut self,
        term: &Term,
        operator: Operator,
        numbers: &[i128],
        values: &[Value],
    ) -> Lower<Id> {
        let ([milliseconds], Operator::Equal | Operator::Equal2) = (numbers, operator) else {
            let Some(value) = values.first() else {
                return Ok(Id::FALSE);
            };
            let message = format!("`{term}` can only be compared by `=`, with one number");
            return Err(fault(Code::OperatorType, value.span, message));
        };
        let far = milliseconds.saturating_mul(1_000_000);
        Ok(self.graph.test(term.clone(), Op::Range(0, far)))
    }

    /// The contrary of a test, but false for an absent field.
    fn unless(&mut self, term: &Term, test: Id, negative: bool) -> Id {
        if !negative {
            return test;
        }
        let exists = self.graph.test(term.clone(), Op::Exists);
        let not = self.graph.not(test);
        self.graph.and(vec![exists, not])
    }
}

/// The comparison of two values that an operator asks for; `exists` asks for none, and a regular
/// expression is no value.
fn comparison(operator: Operator) -> Option<Comparison> {
    Some(match operator {
        Operator::Equal | Operator::Equal2 => Comparison::Equal,
        Operator::NotEqual => Comparison::Differs,
        Operator::Less => Comparison::Less,
        Operator::LessEqual => Comparison::LessEqual,
        Operator::Greater => Comparison::Greater,
        Operator::GreaterEqual => Comparison::GreaterEqual,
        Operator::Contains | Operator::BContains => Comparison::Contains,
        Operator::IContains => Comparison::IContains,
        Operator::StartsWith | Operator::BStartsWith => Comparison::StartsWith,
        Operator::EndsWith => Comparison::EndsWith,
        Operator::Glob => Comparison::Glob,
        Operator::IGlob => Comparison::IGlob,
        Operator::In => Comparison::In,
        Operator::Intersects => Comparison::Intersects,
        Operator::PMatch => Comparison::PMatch,
        Operator::Regex | Operator::Exists => return None,
    })
}

/// Types whose values are compared with each other, by one of them.
fn compares_as(kind: Type) -> Type {
    match kind {
        Type::Int | Type::Uint | Type::Port | Type::AbsTime | Type::RelTime => Type::Int,
        Type::Text | Type::Bool | Type::IpAddr | Type::IpNet | Type::Bytes | Type::Double => kind,
    }
}

/// What values of a type are, in a sentence.
pub(crate) fn what_it_is(kind: Type) -> &'static str {
    match kind {
        Type::Text => "a text",
        Type::Bool => "true or false",
        Type::Int | Type::Uint => "a number",
        Type::Port => "a port number",
        Type::Bytes => "bytes",
        Type::Double => "a number with a fraction",
        Type::IpAddr => "an address",
        Type::IpNet => "a network",
        Type::AbsTime | Type::RelTime => "a time in nanoseconds",
    }
}

/// Whether the operator works on values of the type.
pub(super) fn check_type(operator: Operator, term: &Term, span: Span) -> Lower<()> {
    let kind = term.kind();
    let number = !is_string(kind) && kind != Type::Bool;
    let fits = match operator {
        Operator::Exists | Operator::In | Operator::Intersects => true,
        Operator::Equal | Operator::Equal2 | Operator::NotEqual => true,
        Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
            number || kind == Type::Text
        }
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => {
            matches!(kind, Type::Text | Type::Bytes)
        }
        Operator::IContains
        | Operator::Glob
        | Operator::IGlob
        | Operator::Regex
        | Operator::PMatch => kind == Type::Text,
        Operator::BContains | Operator::BStartsWith => kind == Type::Bytes,
    };
    let asks_elements = matches!(
        operator,
        Operator::Exists | Operator::In | Operator::Intersects
    );
    if fits && (asks_elements || !term.is_many()) {
        return Ok(());
    }
    let what = match term.is_many() {
        true => "a list",
        false => what_it_is(kind),
    };
    let message = format!(
        "operator `{}` does not work on `{term}`, which is {what}",
        operator.name()
    );
    let mut wrong = fault(Code::OperatorType, span, message);
    wrong.help = match term {
        Term::Made(Transformer::GetOpt, _) if term.is_many() => Some(format!(
            "write `{term}[OPTION]`, or `intersects (VALUE, VALUE)` behind it"
        )),
        _ if term.is_many() => Some("write `in` or `intersects`, and `(VALUE, VALUE)`".into()),
        _ if kind == Type::IpAddr => network_field(term)
            .map(|of| format!("networks are asked of `{of}`: `{of} = 10.0.0.0/8`")),
        _ => None,
    };
    Err(wrong)
}
