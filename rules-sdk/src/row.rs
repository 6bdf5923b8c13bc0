//! Rows, and types that read them.

use crate::field::Read;
use saker_rules_schema::offered;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A text of an event. Programs and files may be called anything: nobody has checked that it is
/// UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<'r>(&'r [u8]);

impl<'r> Text<'r> {
    /// A text of these bytes.
    pub fn new(bytes: &'r [u8]) -> Text<'r> {
        Text(bytes)
    }

    /// Its bytes.
    pub fn bytes(self) -> &'r [u8] {
        self.0
    }

    /// Its characters; what is none is shown as `�`.
    pub fn text(self) -> Cow<'r, str> {
        String::from_utf8_lossy(self.0)
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}

/// An event, as far as the module asked for it.
#[derive(Clone, Copy, Debug)]
pub struct Row<'r>(pub(crate) offered::Row<'r>);

impl<'r> Row<'r> {
    /// When it happened: nanoseconds since 1970.
    pub fn time(&self) -> u64 {
        self.0.time()
    }

    /// Its number (`evt.num`).
    pub fn number(&self) -> u64 {
        self.0.number()
    }

    /// Whether a text or a list in it was too long and is cut.
    pub fn is_cut(&self) -> bool {
        self.0.is_cut()
    }

    /// A column's value.
    pub fn get<K: Read>(&self, column: u16) -> Option<K::Value<'r>> {
        K::read(&self.0, self.0.slot(column)?)
    }

    /// A column's values, where they are lists.
    pub fn list<K: Read>(&self, column: u16) -> List<'r, K> {
        List {
            row: self.0,
            slot: self.0.slot(column),
            kind: PhantomData,
        }
    }
}

/// Values of a list.
#[derive(Debug)]
pub struct List<'r, K> {
    row: offered::Row<'r>,
    slot: Option<u64>,
    kind: PhantomData<K>,
}

impl<'r, K: Read> List<'r, K> {
    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = K::Value<'r>> + use<'r, K> {
        let row = self.row;
        let slots = self.slot.map(|slot| row.list(slot)).into_iter().flatten();
        slots.filter_map(move |slot| K::read(&row, slot))
    }
}

/// A type that reads rows: made by [`row!`](crate::row!).
pub trait Record<'r>: Sized {
    /// Its columns.
    const COLUMNS: &'static [Column];

    /// A row's view.
    fn of(row: Row<'r>) -> Self;
}

/// A column as a module expects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The field's name.
    pub name: &'static str,
    /// What its values are.
    pub kind: offered::Kind,
    /// They are lists.
    pub many: bool,
}

/// Names the fields that a module wants, and makes a type of them that reads rows.
///
/// A field is a type of [`field`](crate::field): `ProcName` for `proc.name`. What takes an
/// argument is given it in brackets (`ProcAname[2]`, `EvtArg["path"]`); what gives a list stands
/// in brackets itself (`[ProcAname]`).
///
/// ```
/// saker_rules_sdk::row! {
///     pub struct Connect {
///         program: ProcExepath,
///         grandparent: ProcAname[2],
///         ancestors: [ProcApid],
///     }
/// }
/// ```
#[macro_export]
macro_rules! row {
    ($(#[$doc:meta])* $visible:vis struct $name:ident { $($fields:tt)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        $visible struct $name<'r>($crate::Row<'r>);

        #[allow(dead_code)]
        impl<'r> $name<'r> {
            /// When it happened: nanoseconds since 1970.
            $visible fn time(&self) -> u64 {
                self.0.time()
            }

            /// The event itself.
            $visible fn row(&self) -> $crate::Row<'r> {
                self.0
            }
        }

        $crate::row!(@column $name $visible () () $($fields)*,);
    };

    // The columns are collected first, so that each knows how many are before it.
    (@column $name:ident $visible:vis ($($columns:tt)*) ($($before:tt)*) $field:ident: [$type:ident], $($rest:tt)*) => {
        #[allow(dead_code)]
        impl<'r> $name<'r> {
            $visible fn $field(&self) -> $crate::List<'r, <$crate::field::$type as $crate::field::Field>::Kind> {
                self.0.list(<[()]>::len(&[$($before)*]) as u16)
            }
        }
        $crate::row!(@column $name $visible
            ($($columns)* $crate::glue::column::<$crate::field::$type>(
                <$crate::field::$type as $crate::field::Field>::NAME, true),)
            ($($before)* (),) $($rest)*);
    };
    (@column $name:ident $visible:vis ($($columns:tt)*) ($($before:tt)*) $field:ident: $type:ident[$argument:literal], $($rest:tt)*) => {
        $crate::row!(@single $name $visible $field $type ($($before)*));
        $crate::row!(@column $name $visible
            ($($columns)* $crate::glue::column::<$crate::field::$type>(
                $crate::glue::named(const {
                    &$crate::glue::with_argument::<
                        { $crate::glue::length(&[<$crate::field::$type as $crate::field::Field>::NAME, "[", $crate::glue::argument!($argument), "]"]) }
                    >(&[<$crate::field::$type as $crate::field::Field>::NAME, "[", $crate::glue::argument!($argument), "]"])
                }), false),)
            ($($before)* (),) $($rest)*);
    };
    (@column $name:ident $visible:vis ($($columns:tt)*) ($($before:tt)*) $field:ident: $type:ident, $($rest:tt)*) => {
        $crate::row!(@single $name $visible $field $type ($($before)*));
        $crate::row!(@column $name $visible
            ($($columns)* $crate::glue::column::<$crate::field::$type>(
                <$crate::field::$type as $crate::field::Field>::NAME, false),)
            ($($before)* (),) $($rest)*);
    };
    (@column $name:ident $visible:vis ($($columns:tt)*) ($($before:tt)*) $(,)?) => {
        impl<'r> $crate::Record<'r> for $name<'r> {
            const COLUMNS: &'static [$crate::glue::Column] = &[$($columns)*];

            fn of(row: $crate::Row<'r>) -> Self {
                $name(row)
            }
        }
    };
    (@single $name:ident $visible:vis $field:ident $type:ident ($($before:tt)*)) => {
        #[allow(dead_code)]
        impl<'r> $name<'r> {
            $visible fn $field(&self) -> Option<
                <<$crate::field::$type as $crate::field::Field>::Kind as $crate::field::Read>::Value<'r>
            > {
                self.0.get::<<$crate::field::$type as $crate::field::Field>::Kind>(
                    <[()]>::len(&[$($before)*]) as u16)
            }
        }
    };
}
