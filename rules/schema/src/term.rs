//! What a slot of a row holds and a test asks for: a field, or what is made of fields.
//!
//! A transformer of Falco's language, or a comparison of two fields, is one value to a module:
//! whoever writes the row makes it, so that a module only ever looks at slots. How it is made is
//! `saker_rules_compiler::made`'s to say.

use crate::field::{Binding, FieldRef, Flag, Type};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Terms within terms; bounds what reading a manifest may recurse. Of the compiler's 32
/// transformers within each other, each may have a list around the next.
pub const DEPTH_MAX: usize = 80;

/// A value that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Term {
    /// A field's value.
    Field(FieldRef),
    /// This text.
    Text(String),
    /// Several values; only an argument.
    List(Vec<Term>),
    /// What a transformer makes of its arguments.
    Made(Transformer, Vec<Term>),
    /// Whether the left value compares so with the right one; absent if one of them is.
    Compared(Comparison, Box<[Term; 2]>),
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$item:meta])* $name:ident $text:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $type { $($(#[$item])* $name,)* }

        impl $type {
            /// All, in the order of their numbers in manifests.
            pub const ALL: &'static [$type] = &[$($type::$name,)*];

            /// The word of the rule language.
            pub fn name(self) -> &'static str {
                match self { $($type::$name => $text,)* }
            }
        }
    };
}

words! {
    /// A function of Falco's language.
    Transformer {
        /// ASCII letters in lower case.
        ToLower "tolower"
        /// ASCII letters in upper case.
        ToUpper "toupper"
        /// Base64 decoded, with or without padding; absent if it is none.
        B64 "b64"
        /// What follows the last slash.
        Basename "basename"
        /// Bytes of a text, elements of a list.
        Len "len"
        /// Elements of the second, with the first between them.
        Join "join"
        /// All texts, one behind the other.
        Concat "concat"
        /// Options of a list of arguments (first) as getopt(3) reads them by a text (second);
        /// with a third, the value of the last option of that letter.
        GetOpt "getopt"
    }
}

words! {
    /// How two values are compared.
    Comparison {
        /// Equal.
        Equal "="
        /// Not equal.
        Differs "!="
        /// Less; texts byte by byte.
        Less "<"
        /// Less or equal.
        LessEqual "<="
        /// Greater.
        Greater ">"
        /// Greater or equal.
        GreaterEqual ">="
        /// The left contains the right.
        Contains "contains"
        /// The same, in upper or lower case.
        IContains "icontains"
        /// The left begins with the right.
        StartsWith "startswith"
        /// The left ends with the right.
        EndsWith "endswith"
        /// The left matches the right, a glob pattern.
        Glob "glob"
        /// The same, in upper or lower case.
        IGlob "iglob"
        /// All of the left are among the right.
        In "in"
        /// One of the left is among the right.
        Intersects "intersects"
        /// The left is one of the right, paths that may have glob patterns in them, or below one.
        PMatch "pmatch"
    }
}

impl From<FieldRef> for Term {
    fn from(field: FieldRef) -> Term {
        Term::Field(field)
    }
}

impl Term {
    /// The field, if it is just one.
    pub fn field(&self) -> Option<&FieldRef> {
        match self {
            Term::Field(field) => Some(field),
            Term::Text(_) | Term::List(_) | Term::Made(..) | Term::Compared(..) => None,
        }
    }

    /// What it is directly made of.
    fn parts(&self) -> &[Term] {
        match self {
            Term::Field(_) | Term::Text(_) => &[],
            Term::List(parts) | Term::Made(_, parts) => parts,
            Term::Compared(_, parts) => &parts[..],
        }
    }

    /// Calls `visit` with every field in it.
    pub fn each_field<'t>(&'t self, visit: &mut dyn FnMut(&'t FieldRef)) {
        if let Term::Field(field) = self {
            visit(field);
        }
        self.parts().iter().for_each(|part| part.each_field(visit));
    }

    /// How many terms it is made of, itself included.
    pub fn size(&self) -> usize {
        1 + self.parts().iter().map(Term::size).sum::<usize>()
    }

    /// Whether that holds for all fields in it, of which there is one at least.
    fn all_fields(&self, holds: impl Fn(&FieldRef) -> bool) -> bool {
        let (mut any, mut all) = (false, true);
        self.each_field(&mut |field| {
            any = true;
            all &= holds(field);
        });
        any && all
    }

    /// Type of the value (of the elements, for a list).
    pub fn kind(&self) -> Type {
        match self {
            Term::Field(field) => field.kind(),
            Term::Made(Transformer::Len, _) => Type::Uint,
            Term::Made(Transformer::B64, parts) => parts.first().map_or(Type::Text, Term::kind),
            Term::Text(_) | Term::List(_) | Term::Made(..) => Type::Text,
            Term::Compared(..) => Type::Bool,
        }
    }

    /// Whether it is a list of the rule language, to which only `exists`, `in` and `intersects`
    /// can be asked.
    pub fn is_many(&self) -> bool {
        match self {
            Term::Field(field) => field.field.has(Flag::List),
            Term::List(_) => true,
            Term::Made(Transformer::GetOpt, parts) => parts.len() < 3,
            Term::Made(
                Transformer::ToLower
                | Transformer::ToUpper
                | Transformer::B64
                | Transformer::Basename,
                parts,
            ) => parts.first().is_some_and(Term::is_many),
            Term::Made(Transformer::Len | Transformer::Join | Transformer::Concat, _)
            | Term::Text(_)
            | Term::Compared(..) => false,
        }
    }

    /// Whether a slot with it holds several values, of which one must satisfy a test.
    pub fn is_list(&self) -> bool {
        self.field().is_some_and(FieldRef::is_list)
    }

    /// What its value depends on.
    pub fn binding(&self) -> Binding {
        if self.all_fields(|field| field.field.binding() == Binding::Process) {
            Binding::Process
        } else {
            Binding::Event
        }
    }

    /// Whether a field in it never has a value.
    pub fn is_absent(&self) -> bool {
        let mut absent = false;
        self.each_field(&mut |field| absent |= field.field.is_absent());
        absent
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, parts: &[Term]| {
            f.write_str("(")?;
            for (at, part) in parts.iter().enumerate() {
                let comma = if at == 0 { "" } else { ", " };
                write!(f, "{comma}{part}")?;
            }
            f.write_str(")")
        };
        match self {
            Term::Field(field) => field.fmt(f),
            Term::Text(text) => write!(f, "{text:?}"),
            Term::List(parts) => list(f, parts),
            Term::Made(transformer, parts) => {
                f.write_str(transformer.name())?;
                match (transformer, parts.as_slice()) {
                    (Transformer::GetOpt, [args @ .., Term::Text(key)]) if args.len() == 2 => {
                        list(f, args)?;
                        write!(f, "[{key}]")
                    }
                    _ => list(f, parts),
                }
            }
            Term::Compared(comparison, sides) => {
                let [left, right] = &**sides;
                write!(f, "{left} {} ", comparison.name())?;
                match right {
                    Term::Field(field) => write!(f, "val({field})"),
                    Term::Text(_) | Term::List(_) | Term::Made(..) | Term::Compared(..) => {
                        right.fmt(f)
                    }
                }
            }
        }
    }
}
