//! Condition text to [`ast`]. Reports what is wrong and goes on behind it.
//!
//! Groups are kept on a stack of our own, so that nesting costs no call stack. Which fields
//! and macros exist is left to `resolve` and `lower`.

mod token;

use crate::ast::{
    Argument, Expr, Kind, Modifier, Operand, Operator, Right, Takes, Test, Transform, Transformer,
    Value,
};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::similar::similar;
use crate::text::{Span, Text};
use saker_rules_schema::field::{FieldRef, Type};
use std::ops::Range;

/// Parentheses within parentheses.
const GROUPS_MAX: usize = 1000;
/// Transformers within transformers.
const TRANSFORMERS_MAX: usize = 32;
/// Errors reported in one condition.
const ERRORS_MAX: usize = 20;

/// Parses a condition.
pub(crate) fn parse(text: &Text, diagnostics: &mut Diagnostics) -> Expr {
    let mut parser = Parser {
        text,
        at: 0,
        errors: 0,
        diagnostics,
    };
    parser.condition()
}

/// Parses what `text` begins with, if that is a transformer, and tells how many bytes it takes.
pub(crate) fn transform(text: &Text, diagnostics: &mut Diagnostics) -> Option<(Transform, usize)> {
    let mut parser = Parser {
        text,
        at: 0,
        errors: 0,
        diagnostics,
    };
    let transformer = parser.transformer_here()?;
    match parser.transform(transformer, 0) {
        Ok(transform) => Some((transform, parser.at)),
        Err(failure) => {
            parser.report(failure);
            None
        }
    }
}

struct Parser<'a> {
    text: &'a Text,
    at: usize,
    errors: usize,
    diagnostics: &'a mut Diagnostics,
}

/// A pair of parentheses, or the whole condition.
struct Group {
    start: usize,
    /// The `not`s in front of the operand awaited.
    nots: Vec<usize>,
    ands: Vec<Expr>,
    ors: Vec<Expr>,
}

impl Group {
    fn new(start: usize) -> Group {
        Group {
            start,
            nots: Vec::new(),
            ands: Vec::new(),
            ors: Vec::new(),
        }
    }
}

/// What went wrong, and where.
struct Failure {
    code: Code,
    range: Range<usize>,
    message: String,
    help: Option<String>,
}

impl Failure {
    fn at(range: Range<usize>, message: impl Into<String>) -> Failure {
        Failure {
            code: Code::Syntax,
            range,
            message: message.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Failure {
        self.help = Some(help.into());
        self
    }
}

type Parsed<T> = Result<T, Failure>;

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 8)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Bytes of an unquoted value.
fn is_bare(byte: u8) -> bool {
    !is_blank(byte) && !matches!(byte, b'(' | b')' | b',' | b'=' | b'"' | b'\'')
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_str().as_bytes()[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    /// Skips blanks and tells whether there were any.
    fn blank(&mut self) -> bool {
        let count = self
            .rest()
            .iter()
            .take_while(|byte| is_blank(**byte))
            .count();
        self.at += count;
        count > 0
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text.as_bytes());
        if found {
            self.at += text.len();
        }
        found
    }

    /// A keyword, ended by a blank, a parenthesis or the end.
    fn keyword(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let found = rest.starts_with(word.as_bytes())
            && rest
                .get(word.len())
                .is_none_or(|byte| is_blank(*byte) || matches!(*byte, b'(' | b')'));
        if found {
            self.at += word.len();
        }
        found
    }

    fn span(&self, range: Range<usize>) -> Span {
        self.text.span(range)
    }

    /// The word at the cursor, for error messages.
    fn word_here(&self) -> Range<usize> {
        let rest = self.rest();
        let count = rest
            .iter()
            .take_while(|byte| is_bare(**byte))
            .count()
            .max(1);
        let mut end = (self.at + count).min(self.text.len());
        while !self.text.as_str().is_char_boundary(end) {
            end += 1;
        }
        self.at..end
    }

    fn report(&mut self, failure: Failure) {
        self.errors += 1;
        if self.errors > ERRORS_MAX {
            return;
        }
        let span = self.span(failure.range);
        let mut diagnostic = Diagnostic::new(failure.code, span, failure.message);
        diagnostic.help = failure.help;
        self.diagnostics.push(diagnostic);
    }

    /// Goes to the next `and`, `or` or closing parenthesis outside of quotes and of parentheses
    /// that are opened on the way.
    fn recover(&mut self) {
        let bytes = self.text.as_str().as_bytes();
        let mut quote = None;
        let mut open = 0;
        let mut word_start = true;
        while let Some(&byte) = bytes.get(self.at) {
            match quote {
                Some(open) if byte == open => quote = None,
                Some(_) => {}
                // An unclosed quote hides nothing.
                None if matches!(byte, b'"' | b'\'') && bytes[self.at + 1..].contains(&byte) => {
                    quote = Some(byte);
                }
                None if byte == b'(' => open += 1,
                None if byte == b')' && open > 0 => open -= 1,
                None if byte == b')' => return,
                None if word_start && open == 0 => {
                    let here = self.at;
                    let found = self.keyword("and") || self.keyword("or");
                    self.at = here;
                    if found {
                        return;
                    }
                }
                None => {}
            }
            word_start = is_blank(byte) || byte == b')';
            self.at += 1;
        }
    }

    fn condition(&mut self) -> Expr {
        let mut groups = vec![Group::new(0)];
        loop {
            // An operand is awaited.
            self.blank();
            let start = self.at;
            let Some(group) = groups.last_mut() else {
                unreachable!("the outermost group is only taken at the end")
            };
            if self.rest().starts_with(b"not")
                && self
                    .rest()
                    .get(3)
                    .is_some_and(|byte| is_blank(*byte) || *byte == b'(')
            {
                group.nots.push(start);
                self.at += 3;
                continue;
            }
            if self.peek() == Some(b'!') {
                // It is clear what was meant: what it denies is read as well.
                group.nots.push(start);
                let failure = self.no_operand();
                self.report(failure);
                while self.eat("!") {}
                continue;
            }
            if self.peek() == Some(b'(') {
                self.at += 1;
                if groups.len() >= GROUPS_MAX {
                    let mut failure = Failure::at(
                        start..start + 1,
                        format!("the condition is nested more than {GROUPS_MAX} levels deep"),
                    );
                    failure.code = Code::TooDeep;
                    self.report(failure);
                    return self.invalid();
                }
                groups.push(Group::new(start));
                continue;
            }
            let mut operand = match self.check() {
                Ok(operand) => operand,
                Err(failure) => {
                    self.report(failure);
                    self.recover();
                    self.invalid()
                }
            };
            // Behind an operand: close groups, until an operator asks for another one.
            loop {
                let Some(group) = groups.last_mut() else {
                    unreachable!("the outermost group is only taken at the end")
                };
                for not in group.nots.drain(..).rev() {
                    let span = self.text.span(not..self.at);
                    operand = match operand.kind {
                        Kind::Not(inner) => *inner,
                        Kind::And(_)
                        | Kind::Or(_)
                        | Kind::Macro(_)
                        | Kind::Test(_)
                        | Kind::Invalid => Expr {
                            kind: Kind::Not(Box::new(operand)),
                            span,
                        },
                    };
                }
                group.ands.push(operand);
                self.blank();
                if self.at == self.text.len() {
                    let unclosed: Vec<usize> =
                        groups[1..].iter().map(|group| group.start).collect();
                    for start in unclosed.iter().take(1) {
                        self.report(
                            Failure::at(*start..*start + 1, "a parenthesis is never closed")
                                .help("add a `)`"),
                        );
                    }
                    let mut expr = None;
                    while let Some(mut group) = groups.pop() {
                        group.ands.extend(expr.take());
                        expr = Some(self.close(group));
                    }
                    return expr.unwrap_or_else(|| self.invalid());
                }
                if self.keyword("and") {
                    break;
                }
                if self.keyword("or") {
                    let span = self.text.span(group.start..self.at);
                    let ands = std::mem::take(&mut group.ands);
                    group.ors.push(join(ands, Kind::And, span));
                    break;
                }
                if self.peek() == Some(b')') && groups.len() > 1 {
                    self.at += 1;
                    let Some(group) = groups.pop() else {
                        unreachable!("there are two groups at least")
                    };
                    operand = self.close(group);
                    continue;
                }
                let range = self.word_here();
                let word = &self.text.as_str()[range.clone()];
                self.report(
                    Failure::at(range.clone(), format!("unexpected `{word}`")).help(
                        match (connective(word), word) {
                            (Some(meant), _) => format!("write `{meant}`"),
                            (None, ",") => "write several values, or the name of a list, as \
                                 `in (VALUE, VALUE)`"
                                .into(),
                            (None, word) if word.starts_with('#') => {
                                "a comment cannot stand in a condition: YAML takes it for a part \
                                 of the text"
                                    .into()
                            }
                            (None, word) if word.contains('\u{a0}') => {
                                "there is a blank in it that is none (U+00A0): write a plain one"
                                    .into()
                            }
                            (None, _) => "expected `and`, `or`, `)` or the end of the condition; \
                                 a text with blanks needs quotes"
                                .into(),
                        },
                    ),
                );
                self.at = range.end;
                self.recover();
                // A parenthesis too many would be met for ever.
                if self.peek() == Some(b')') && groups.len() == 1 {
                    self.at += 1;
                }
                operand = self.invalid();
            }
        }
    }

    fn close(&self, mut group: Group) -> Expr {
        let span = self.text.span(group.start..self.at);
        let last = join(group.ands, Kind::And, span);
        if group.ors.is_empty() {
            return last;
        }
        group.ors.push(last);
        join(group.ors, Kind::Or, span)
    }

    fn invalid(&self) -> Expr {
        Expr {
            kind: Kind::Invalid,
            span: self.span(self.at..self.at),
        }
    }

    /// A comparison or a macro's name.
    fn check(&mut self) -> Parsed<Expr> {
        let start = self.at;
        if let Some(left) = self.operand(0)? {
            return self.comparison(start, left);
        }
        if let Some(name) = self.identifier() {
            let range = start..self.at;
            if let Some(failure) = self.no_macro(&name, range.clone()) {
                return Err(failure);
            }
            return Ok(Expr {
                kind: Kind::Macro(name),
                span: self.span(range),
            });
        }
        Err(self.no_operand())
    }

    /// What is wrong with a name that can be no macro's, for what stands behind it.
    fn no_macro(&self, name: &str, range: Range<usize>) -> Option<Failure> {
        let rest = &self.text.as_str()[self.at..];
        let behind = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let field = || behind.split([' ', '\t', '\n', '\r', '(', ')', ',']).next();
        if name == Operator::Exists.name() && behind.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            let field = field().filter(|field| field.contains('.'))?;
            return Some(
                Failure::at(range, "`exists` stands behind what it asks for")
                    .help(format!("write `{field} exists`")),
            );
        }
        if !behind.starts_with('(') {
            return None;
        }
        let names = || Transformer::ALL.iter().map(|known| known.name());
        let failure = Failure::at(range, format!("`{name}` is no transformer"));
        Some(if name == Operator::Exists.name() {
            failure.help("write `FIELD exists`")
        } else if names().any(|known| known == name) {
            let message = format!("a blank between `{name}` and its parenthesis");
            Failure { message, ..failure }.help(format!("write `{name}(…)`"))
        } else {
            let all: Vec<&str> = names().collect();
            let all = format!("transformers are {}", all.join(" "));
            let meant = similar(name, names())
                .or_else(|| names().find(|known| name.len() > 2 && known.ends_with(name)));
            failure.help(match meant {
                Some(meant) => format!("did you mean `{meant}(…)`? ({all})"),
                None => format!("{all}; a macro takes nothing in parentheses"),
            })
        })
    }

    fn no_operand(&self) -> Failure {
        let range = self.word_here();
        let word = self.text.as_str().get(range.clone()).unwrap_or_default();
        let message = match word {
            "" => "expected a comparison or a macro, found the end of the condition".into(),
            word => format!("expected a comparison or a macro, found `{word}`"),
        };
        let mut failure = Failure::at(range, message);
        failure.help = connective(word).map(|meant| match meant {
            "not" if word == meant => "something is missing behind it".into(),
            "not" => format!("write `{meant}`"),
            _ => "something is missing in front of it, or it is one too many".into(),
        });
        failure
    }

    /// A transformed or a plain field; `None` if neither begins here.
    fn operand(&mut self, depth: usize) -> Parsed<Option<Operand>> {
        match self.transformer_here() {
            Some(transformer) => {
                let transform = self.transform(transformer, depth)?;
                Ok(Some(Operand::Transform(transform)))
            }
            None => Ok(self.field()?.map(Operand::Field)),
        }
    }

    fn transformer_here(&self) -> Option<Transformer> {
        let rest = self.rest();
        let is_here = |transformer: &Transformer| {
            let name = transformer.name().as_bytes();
            rest.starts_with(name) && rest.get(name.len()) == Some(&b'(')
        };
        Transformer::ALL.iter().copied().find(is_here)
    }

    /// A transformer with its arguments.
    fn transform(&mut self, transformer: Transformer, depth: usize) -> Parsed<Transform> {
        let start = self.at;
        self.at += transformer.name().len() + 1;
        if depth >= TRANSFORMERS_MAX {
            let mut failure = Failure::at(
                self.word_here(),
                format!("transformers are nested more than {TRANSFORMERS_MAX} levels deep"),
            );
            failure.code = Code::TooDeep;
            return Err(failure);
        }
        self.blank();
        let mut arguments = Vec::new();
        match transformer {
            Transformer::Val => match self.field()? {
                Some(field) => arguments.push(Argument::Operand(Operand::Field(field))),
                None => return Err(Failure::at(self.word_here(), "`val` takes a field")),
            },
            Transformer::ToLower
            | Transformer::ToUpper
            | Transformer::B64
            | Transformer::Basename
            | Transformer::Len => arguments.push(self.inner_operand(depth)?),
            Transformer::Join => {
                arguments.push(self.element(depth)?);
                self.expect(",")?;
                arguments.push(self.list_argument(depth)?);
            }
            Transformer::Concat => {
                arguments.push(self.element(depth)?);
                self.blank();
                while self.eat(",") {
                    arguments.push(self.element(depth)?);
                    self.blank();
                }
            }
            Transformer::GetOpt => {
                arguments.push(self.list_argument(depth)?);
                self.expect(",")?;
                self.blank();
                match self.literal()? {
                    Some(letters) => arguments.push(Argument::Text(letters)),
                    None => {
                        return Err(Failure::at(
                            self.word_here(),
                            "expected the options in quotes",
                        ));
                    }
                }
            }
        }
        self.expect(")")?;
        let key = match transformer {
            Transformer::GetOpt => self.argument()?,
            Transformer::ToLower
            | Transformer::ToUpper
            | Transformer::B64
            | Transformer::Basename
            | Transformer::Len
            | Transformer::Join
            | Transformer::Concat
            | Transformer::Val => None,
        };
        Ok(Transform {
            transformer,
            arguments,
            key,
            span: self.span(start..self.at),
        })
    }

    fn inner_operand(&mut self, depth: usize) -> Parsed<Argument> {
        let here = self.word_here();
        match self.operand(depth + 1)? {
            Some(Operand::Transform(Transform {
                transformer: Transformer::Val,
                ..
            })) => Err(Failure::at(here, "`val` cannot stand inside a transformer")),
            Some(operand) => Ok(Argument::Operand(operand)),
            None => Err(Failure::at(here, "expected a field or a transformer")),
        }
    }

    /// `(a, b)` or a field or transformer that gives a list.
    fn list_argument(&mut self, depth: usize) -> Parsed<Argument> {
        self.blank();
        if !self.eat("(") {
            return self.inner_operand(depth);
        }
        let mut elements = Vec::new();
        self.blank();
        if self.eat(")") {
            return Ok(Argument::List(elements));
        }
        loop {
            elements.push(self.element(depth)?);
            self.blank();
            if !self.eat(",") {
                self.expect(")")?;
                return Ok(Argument::List(elements));
            }
        }
    }

    fn element(&mut self, depth: usize) -> Parsed<Argument> {
        self.blank();
        if let Some(text) = self.literal()? {
            return Ok(Argument::Text(text));
        }
        let start = self.at;
        self.inner_operand(depth)
            .map_err(|failure| match self.peek() {
                // A text without quotes, of which nothing was read.
                Some(byte) if self.at == start && failure.help.is_none() => {
                    let end = start
                        + self.rest()[1..]
                            .iter()
                            .take_while(|byte| is_bare(**byte))
                            .count();
                    let text = match byte {
                        b')' => "",
                        _ => self.text.as_str().get(start..=end).unwrap_or_default(),
                    };
                    failure.help(format!("a text needs quotes: `'{text}'`"))
                }
                Some(_) | None => failure,
            })
    }

    /// A quoted text or a number.
    fn literal(&mut self) -> Parsed<Option<Value>> {
        let start = self.at;
        let text = match self.quoted()? {
            Some(text) => Some(text),
            None => self.number(),
        };
        let span = self.span(start..self.at);
        Ok(text.map(|text| Value { text, span }))
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        self.blank();
        if self.eat(token) {
            return Ok(());
        }
        Err(Failure::at(
            self.word_here(),
            format!("expected a `{token}`"),
        ))
    }

    fn comparison(&mut self, start: usize, left: Operand) -> Parsed<Expr> {
        self.blank();
        let operator_start = self.at;
        let operator = Operator::ALL.iter().copied().find(|operator| {
            let rest = self.rest();
            rest.starts_with(operator.name().as_bytes())
                && (!operator.needs_blank()
                    || rest
                        .get(operator.name().len())
                        .is_some_and(|byte| is_blank(*byte)))
        });
        let Some(operator) = operator else {
            let range = self.word_here();
            let word = self.text.as_str().get(range.clone()).unwrap_or_default();
            let compared = self.text.as_str()[start..operator_start].trim_end();
            let names: Vec<&str> = Operator::ALL
                .iter()
                .map(|operator| operator.name())
                .collect();
            let all = format!("operators are {}", names.join(" "));
            return Err(match (word, connective(word)) {
                (_, Some("not")) => Failure::at(range, format!("`{word}` is no operator"))
                    .help("write `not` in front of what is compared"),
                ("" | ")", _) | (_, Some(_)) => {
                    let found = match word {
                        "" => "the end of the condition".into(),
                        word => format!("`{word}`"),
                    };
                    let field = FieldRef::parse(compared).map(|field| field.kind());
                    Failure::at(range, format!("expected an operator, found {found}")).help(
                        match field {
                            Ok(Type::Bool) => format!("write `{compared} = true`, or `= false`"),
                            _ => format!("whether it has a value asks `{compared} exists`"),
                        },
                    )
                }
                (word, None) => Failure::at(range, format!("`{word}` is no operator")).help(
                    match meant_operator(word, &names) {
                        Some(meant) => format!("did you mean `{meant}`? ({all})"),
                        None => all,
                    },
                ),
            });
        };
        self.at += operator.name().len();
        let operator_span = self.span(operator_start..self.at);
        let mut modifier = None;
        let right = match operator.takes() {
            Takes::Nothing => Right::None,
            Takes::Number | Takes::Text | Takes::List => {
                let blank = self.blank();
                if operator.takes() == Takes::Text && blank {
                    modifier = self.modifier();
                }
                self.right(operator, modifier.is_some())?
            }
        };
        let test = Test {
            left,
            operator,
            operator_span,
            modifier,
            right,
        };
        Ok(Expr {
            kind: Kind::Test(Box::new(test)),
            span: self.span(start..self.at),
        })
    }

    /// `oneof`, `anyof`, `allof` before a list; before anything else they are plain values.
    fn modifier(&mut self) -> Option<(Modifier, Span)> {
        let start = self.at;
        for modifier in Modifier::ALL {
            if !self.eat(modifier.name()) {
                continue;
            }
            let end = self.at;
            if self.blank() {
                let here = self.at;
                let other = self.keyword("and") || self.keyword("or");
                self.at = here;
                let list = self
                    .peek()
                    .is_some_and(|byte| byte == b'(' || byte.is_ascii_alphabetic());
                if list && !other {
                    return Some((*modifier, self.span(start..end)));
                }
            }
            self.at = start;
        }
        None
    }

    fn right(&mut self, operator: Operator, modified: bool) -> Parsed<Right> {
        let here = self.word_here();
        if !modified && let Some(operand) = self.right_operand()? {
            return Ok(Right::Operand(operand));
        }
        let takes = if modified {
            Takes::List
        } else {
            operator.takes()
        };
        match takes {
            Takes::List => {
                if self.peek() == Some(b'(') {
                    return self.list().map(Right::List).inspect_err(|_| {
                        // What is left of the list is no part of the condition around it.
                        let rest = self.rest();
                        if let Some(close) =
                            rest.iter().position(|byte| matches!(*byte, b'(' | b')'))
                            && rest[close] == b')'
                        {
                            self.at += close + 1;
                        }
                    });
                }
                let start = self.at;
                let name = self.identifier();
                let is_modifier = |modifier: &Modifier| name.as_deref() == Some(modifier.name());
                if Modifier::ALL.iter().any(is_modifier) {
                    self.blank();
                    if self.peek() == Some(b'(') {
                        let operator = operator.name();
                        return Err(
                            Failure::at(here, format!("`{operator}` takes no modifier")).help(
                                format!("write `{operator} (VALUE, VALUE)`; modifiers stand behind operators that compare with one value, as in `contains anyof (VALUE, VALUE)`"),
                            ),
                        );
                    }
                }
                match name {
                    Some(text) => Ok(Right::List(vec![Value {
                        text,
                        span: self.span(start..self.at),
                    }])),
                    None => Err(Failure::at(
                        here,
                        format!("`{}` takes a list of values", operator.name()),
                    )
                    .help("write them as `(a, b, c)`")),
                }
            }
            Takes::Number => {
                let start = self.at;
                match self.number() {
                    Some(text) => Ok(Right::Value(Value {
                        text,
                        span: self.span(start..self.at),
                    })),
                    None => {
                        let failure =
                            Failure::at(here, format!("`{}` takes a number", operator.name()));
                        Err(failure.help(match (operator, self.peek()) {
                            (Operator::Less, Some(b'>')) => "write `!=`",
                            _ => "texts are ordered by another field's: `val(FIELD)`",
                        }))
                    }
                }
            }
            Takes::Text => match self.value()? {
                // Of other languages: nobody writes a tilde so.
                Some(value)
                    if value.text == "~" && self.text.as_str()[..here.start].ends_with('=') =>
                {
                    let failure = Failure::at(here, "`=~` is no operator");
                    Err(failure.help("write `regex`"))
                }
                Some(value) => Ok(Right::Value(value)),
                None => {
                    let name = operator.name();
                    let failure = Failure::at(here, format!("`{name}` takes a value"));
                    Err(match self.peek() {
                        Some(b'(') if matches!(operator, Operator::Equal | Operator::Equal2) => {
                            failure.help("write `in (VALUE, VALUE)`")
                        }
                        Some(b'(') if operator == Operator::NotEqual => {
                            failure.help("write `in (VALUE, VALUE)`, and `not` in front")
                        }
                        Some(b'(') => failure.help(format!("write `{name} anyof (VALUE, VALUE)`")),
                        Some(_) | None => failure,
                    })
                }
            },
            Takes::Nothing => Ok(Right::None),
        }
    }

    /// A transformer on the right side. A plain field name there is a value, as in Falco.
    fn right_operand(&mut self) -> Parsed<Option<Operand>> {
        if self.transformer_here().is_none() {
            return Ok(None);
        }
        self.operand(0)
    }

    fn list(&mut self) -> Parsed<Vec<Value>> {
        let start = self.at;
        self.at += 1;
        let mut values = Vec::new();
        self.blank();
        if self.eat(")") {
            return Ok(values);
        }
        loop {
            self.blank();
            match self.value()? {
                Some(value) => values.push(value),
                None => {
                    return Err(
                        Failure::at(self.word_here(), "expected a value in the list")
                            .help("remove a comma too many, or quote the value"),
                    );
                }
            }
            self.blank();
            if self.eat(")") {
                return Ok(values);
            }
            if !self.eat(",") {
                let range = self.word_here();
                if range.is_empty() || self.at >= self.text.len() {
                    return Err(Failure::at(start..start + 1, "this list is never closed")
                        .help("add a `)`"));
                }
                let is_field = values.last().is_some_and(|value| value.text == "val");
                let help = match self.peek() {
                    Some(b'(') if is_field => {
                        "a list takes no fields: write `FIELD = val(FIELD)`, joined by `or`"
                    }
                    Some(b'"' | b'\'' | b'=') => {
                        r#"a value with that in it needs quotes of its own: `"it's"`, among a list's items `'"it''s"'`"#
                    }
                    Some(_) | None => "values with blanks need quotes",
                };
                return Err(Failure::at(range, "expected `,` or `)` in the list").help(help));
            }
        }
    }
}

/// The word that is meant by one of other languages, or by one in capitals.
pub(crate) fn connective(word: &str) -> Option<&'static str> {
    let begins = |sign: &str| word.starts_with(sign);
    match word {
        _ if begins("&&") || word.eq_ignore_ascii_case("and") => Some("and"),
        _ if begins("||") || word.eq_ignore_ascii_case("or") => Some("or"),
        _ if begins("!") || word.eq_ignore_ascii_case("not") => Some("not"),
        _ => None,
    }
}

/// The operator that is meant by a mistyped one, or by one of another language.
fn meant_operator<'a>(word: &str, names: &[&'a str]) -> Option<&'a str> {
    match word {
        "~" | "match" | "matches" => Some("regex"),
        "like" => Some("glob"),
        "has" | "includes" => Some("contains"),
        "eq" | ":" => Some("="),
        "ne" => Some("!="),
        _ if word.contains(|c: char| c.is_ascii_alphabetic()) => {
            similar(word, names.iter().copied())
        }
        _ => None,
    }
}

fn join(mut parts: Vec<Expr>, kind: fn(Vec<Expr>) -> Kind, span: Span) -> Expr {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    Expr {
        kind: kind(parts),
        span,
    }
}
