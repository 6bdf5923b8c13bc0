//! A condition as written: the whole language, whether or not `lower` supports it yet.

use crate::text::Span;

#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    /// A name that stands for a macro.
    Macro(String),
    Test(Box<Test>),
    /// Could not be parsed, and was reported.
    Invalid,
}

/// One comparison.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) left: Operand,
    pub(crate) operator: Operator,
    pub(crate) operator_span: Span,
    pub(crate) modifier: Option<(Modifier, Span)>,
    pub(crate) right: Right,
}

#[derive(Clone, Debug)]
pub(crate) enum Operand {
    Field(Field),
    Transform(Transform),
}

impl Operand {
    pub(crate) fn span(&self) -> Span {
        match self {
            Operand::Field(field) => field.span,
            Operand::Transform(transform) => transform.span,
        }
    }
}

/// A transformer with what stands in its parentheses.
#[derive(Clone, Debug)]
pub(crate) struct Transform {
    pub(crate) transformer: Transformer,
    pub(crate) arguments: Vec<Argument>,
    /// What stands in brackets behind it.
    pub(crate) key: Option<String>,
    pub(crate) span: Span,
}

#[derive(Clone, Debug)]
pub(crate) enum Argument {
    Operand(Operand),
    Text(Value),
    List(Vec<Argument>),
}

/// A field as written.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) arg: Option<String>,
    pub(crate) span: Span,
    pub(crate) arg_span: Span,
}

#[derive(Clone, Debug)]
pub(crate) enum Right {
    /// `exists` has none.
    None,
    Value(Value),
    List(Vec<Value>),
    Operand(Operand),
}

#[derive(Clone, Debug)]
pub(crate) struct Value {
    /// Quotes and escapes taken away.
    pub(crate) text: String,
    pub(crate) span: Span,
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($name:ident $text:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $type { $($name,)* }

        impl $type {
            pub(crate) const ALL: &'static [$type] = &[$($type::$name,)*];
            pub(crate) fn name(self) -> &'static str {
                match self { $($type::$name => $text,)* }
            }
        }
    };
}

words! {
    /// In an order in which no name hides a longer one that begins with it.
    Operator {
        Exists "exists"
        Equal2 "=="
        Equal "="
        NotEqual "!="
        LessEqual "<="
        Less "<"
        GreaterEqual ">="
        Greater ">"
        Contains "contains"
        IContains "icontains"
        BContains "bcontains"
        StartsWith "startswith"
        BStartsWith "bstartswith"
        EndsWith "endswith"
        Glob "glob"
        IGlob "iglob"
        Regex "regex"
        Intersects "intersects"
        In "in"
        PMatch "pmatch"
    }
}

words! {
    /// How many of the values on the right must satisfy the operator.
    Modifier {
        One "oneof"
        Any "anyof"
        All "allof"
    }
}

words! {
    /// A function of a field.
    Transformer {
        ToLower "tolower"
        ToUpper "toupper"
        B64 "b64"
        Basename "basename"
        Len "len"
        Join "join"
        Concat "concat"
        GetOpt "getopt"
        Val "val"
    }
}

/// What stands on the right of an operator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    Number,
    Text,
    List,
}

impl Operator {
    pub(crate) fn takes(self) -> Takes {
        match self {
            Operator::Exists => Takes::Nothing,
            Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
                Takes::Number
            }
            Operator::Equal
            | Operator::Equal2
            | Operator::NotEqual
            | Operator::Contains
            | Operator::IContains
            | Operator::BContains
            | Operator::StartsWith
            | Operator::BStartsWith
            | Operator::EndsWith
            | Operator::Glob
            | Operator::IGlob
            | Operator::Regex => Takes::Text,
            Operator::Intersects | Operator::In | Operator::PMatch => Takes::List,
        }
    }

    /// Whether it is a word that must be ended by a blank.
    pub(crate) fn needs_blank(self) -> bool {
        self.takes() == Takes::Text
            && self
                .name()
                .starts_with(|char: char| char.is_ascii_alphabetic())
    }
}
