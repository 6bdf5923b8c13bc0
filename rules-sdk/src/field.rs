//! The catalogue of fields as types: what [`row!`](crate::row!) names columns by. Derived from
//! the table that Saker itself is made from.

use crate::row::Text;
use saker_rules_schema::offered::{Kind, Row};
use saker_rules_schema::row::double_of;
use std::net::IpAddr;

/// A field of the catalogue.
pub trait Field {
    /// Its name in rules.
    const NAME: &'static str;
    /// What its values are.
    type Kind: Read;
}

/// How values are read from a row.
pub trait Read {
    /// What a value is.
    type Value<'r>;
    /// What Saker calls that.
    const KIND: Kind;

    /// Reads the value of a slot.
    fn read<'r>(row: &Row<'r>, slot: u64) -> Option<Self::Value<'r>>;
}

/// The types of fields.
pub mod kind {
    use super::{Kind, Read, Row, double_of};

    macro_rules! kinds {
        ($($(#[$doc:meta])* $name:ident $kind:ident $value:ty: |$row:ident, $slot:ident| $read:expr;)*) => {
            $($(#[$doc])*
            #[derive(Debug)]
            pub struct $name;
            impl Read for $name {
                type Value<'r> = $value;
                const KIND: Kind = Kind::$kind;
                fn read<'r>($row: &Row<'r>, $slot: u64) -> Option<$value> {
                    $read
                }
            })*
        };
    }

    kinds! {
        /// A text.
        Text Text super::Text<'r>: |row, slot| row.text(slot).map(super::Text::new);
        /// Any bytes.
        Bytes Bytes &'r [u8]: |row, slot| row.text(slot);
        /// True or false.
        Bool Boolean bool: |_row, slot| Some(slot != 0);
        /// A signed number.
        Int Signed i64: |_row, slot| Some(slot.cast_signed());
        /// An unsigned number.
        Uint Unsigned u64: |_row, slot| Some(slot);
        /// A port.
        Port Unsigned u64: |_row, slot| Some(slot);
        /// An address.
        IpAddr Address super::IpAddr: |row, slot| address(row.text(slot)?);
        /// An address, held against networks.
        IpNet Address super::IpAddr: |row, slot| address(row.text(slot)?);
        /// Nanoseconds since 1970.
        AbsTime Time u64: |_row, slot| Some(slot);
        /// Nanoseconds.
        RelTime Duration u64: |_row, slot| Some(slot);
        /// A number with a fraction.
        Double Real f64: |_row, slot| Some(double_of(slot));
    }

    fn address(bytes: &[u8]) -> Option<super::IpAddr> {
        match bytes.len() {
            4 => Some(<[u8; 4]>::try_from(bytes).ok()?.into()),
            _ => Some(<[u8; 16]>::try_from(bytes).ok()?.into()),
        }
    }
}

macro_rules! fields {
    ($($variant:ident $name:literal $type:ident $binding:ident $arg:ident $doc:literal $($flag:ident)*;)*) => {
        $(#[doc = $doc]
        #[derive(Debug)]
        pub struct $variant;
        impl Field for $variant {
            const NAME: &'static str = $name;
            type Kind = kind::$type;
        })*
    };
}

saker_rules_schema::for_each_field!(fields);
