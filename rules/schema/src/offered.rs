//! Rows as a component gets them: the world `saker:rules` of `wit/rules.wit`.
//!
//! `on-batch` is handed rows back to back, each as [`row`](crate::row) lays rows out. What is
//! told here is all there is to know of them. All numbers are little-endian; offsets count from
//! the beginning of the row.
//!
//! ```text
//! row      0   len u32           bytes of this row, a multiple of 8: the next begins behind it
//!          4   0 u16
//!          6   flags u16         bit 0: a text or list of the row was cut
//!          8   time u64          the event's time, ns since 1970
//!          16  number u64        the event's number (`evt.num`); greater than that of the row before
//!          24  0 u64
//!          32  presence          bit n (of byte n / 8, counted from its lowest) is set if column n
//!                                has a value; 8 bytes for every 64 columns begun
//!          ..  slots             8 bytes per column, in the order of the subscription
//!          ..  tail              texts and lists
//!
//! slot     boolean, signed, unsigned, time, duration, real
//!                                the number: 8 bytes
//!          text, bytes, address  0 u32 | where u32: there lies the text
//!          a list of any kind    count u32 | where u32: there lie that many slots
//! text     len u32 | that many bytes | up to 3 zeros
//! ```
//!
//! A row has the same columns whatever its event's type; those that an event of its type does not
//! have are absent. The slot of an absent column is 0. Every offset and length in a row leads to
//! bytes of that row. No row is longer than [`ROW_BYTES_MAX`](crate::row::ROW_BYTES_MAX), no text
//! than [`STRING_BYTES_MAX`](crate::row::STRING_BYTES_MAX), no list than
//! [`LIST_LEN_MAX`](crate::row::LIST_LEN_MAX).
//!
//! Names cross the sandbox, numbers do not: the number of an event type is no part of a row; who
//! needs the type subscribes to `evt.type`.

use crate::field::Type;

/// What stands in place of an event type's code.
pub const CODE: u16 = 0;

/// No component subscribes to more fields.
pub const COLUMNS_MAX: usize = 256;

/// What a column's values are: the enum `kind` of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Bytes that are text by convention.
    Text,
    /// 0 or 1.
    Boolean,
    /// A signed number.
    Signed,
    /// An unsigned number.
    Unsigned,
    /// 4 or 16 bytes.
    Address,
    /// Nanoseconds since 1970.
    Time,
    /// Nanoseconds.
    Duration,
    /// Any bytes.
    Bytes,
    /// A [`double_key`](crate::row::double_key).
    Real,
}

impl Kind {
    /// What values of that type are to a component.
    pub fn of(kind: Type) -> Kind {
        match kind {
            Type::Text => Kind::Text,
            Type::Bool => Kind::Boolean,
            Type::Int => Kind::Signed,
            Type::Uint | Type::Port => Kind::Unsigned,
            Type::IpAddr | Type::IpNet => Kind::Address,
            Type::AbsTime => Kind::Time,
            Type::RelTime => Kind::Duration,
            Type::Bytes => Kind::Bytes,
            Type::Double => Kind::Real,
        }
    }

    /// Whether a slot refers to bytes in the tail.
    pub fn is_text(self) -> bool {
        match self {
            Kind::Text | Kind::Address | Kind::Bytes => true,
            Kind::Boolean
            | Kind::Signed
            | Kind::Unsigned
            | Kind::Time
            | Kind::Duration
            | Kind::Real => false,
        }
    }
}

/// A row, read. Nothing in it is believed before it was looked at: where bytes are not as they
/// must be, a value is absent.
#[derive(Clone, Copy, Debug)]
pub struct Row<'r> {
    bytes: &'r [u8],
    columns: u16,
}

/// The rows of a batch, one after the other. It ends where a row does not fit.
#[derive(Clone, Debug)]
pub struct Rows<'r> {
    rest: &'r [u8],
    columns: u16,
}

impl<'r> Rows<'r> {
    /// The rows in `bytes`, of that many columns.
    pub fn new(bytes: &'r [u8], columns: u16) -> Rows<'r> {
        Rows {
            rest: bytes,
            columns,
        }
    }
}

impl<'r> Iterator for Rows<'r> {
    type Item = Row<'r>;

    fn next(&mut self) -> Option<Row<'r>> {
        let (row, rest) = Row::first(self.rest, self.columns)?;
        self.rest = rest;
        Some(row)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let word = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(word.try_into().ok()?))
}

impl<'r> Row<'r> {
    /// The row that `bytes` begin with, and what follows it.
    pub fn first(bytes: &'r [u8], columns: u16) -> Option<(Row<'r>, &'r [u8])> {
        let len = u32_at(bytes, crate::row::LEN_AT as usize)? as usize;
        let shape = crate::row::Shape { slots: columns };
        if len < shape.tail() as usize {
            return None;
        }
        let (bytes, rest) = bytes.split_at_checked(len)?;
        Some((Row { bytes, columns }, rest))
    }

    /// The event's time, in nanoseconds since 1970.
    pub fn time(&self) -> u64 {
        u64_at(self.bytes, crate::row::TIME_AT as usize).unwrap_or(0)
    }

    /// The event's number.
    pub fn number(&self) -> u64 {
        u64_at(self.bytes, crate::row::NUMBER_AT as usize).unwrap_or(0)
    }

    /// Whether a text or a list of it was cut.
    pub fn is_cut(&self) -> bool {
        let flags = self.bytes.get(crate::row::FLAGS_AT as usize);
        flags.is_some_and(|flags| u16::from(*flags) & crate::row::ROW_TRUNCATED != 0)
    }

    /// A column's slot, if it has a value.
    pub fn slot(&self, column: u16) -> Option<u64> {
        if column >= self.columns {
            return None;
        }
        let shape = crate::row::Shape {
            slots: self.columns,
        };
        let (at, mask) = shape.presence(column);
        let is_there = u64_at(self.bytes, at as usize)? & mask != 0;
        is_there.then(|| u64_at(self.bytes, shape.slot(column) as usize))?
    }

    /// The bytes that a slot of text refers to.
    pub fn text(&self, slot: u64) -> Option<&'r [u8]> {
        let at = (slot >> 32) as usize;
        if at == 0 {
            return None;
        }
        let len = u32_at(self.bytes, at)? as usize;
        let from = at.checked_add(4)?;
        self.bytes.get(from..from.checked_add(len)?)
    }

    /// The slots that a list's slot refers to.
    pub fn list(&self, slot: u64) -> impl Iterator<Item = u64> + use<'r> {
        let count = (slot as u32) as usize;
        let at = (slot >> 32) as usize;
        let bytes = self.bytes;
        let within = |count: &usize| {
            let end = count.checked_mul(8)?.checked_add(at)?;
            (end <= bytes.len()).then_some(())
        };
        let count = Some(count).filter(|count| within(count).is_some());
        (0..count.unwrap_or(0)).filter_map(move |index| u64_at(bytes, at + index * 8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row of two columns: a text, and an absent one.
    fn row() -> [u8; 72] {
        let mut row = [0; 72];
        row[0] = 72;
        row[8] = 5;
        row[16] = 6;
        row[32] = 1;
        row[44] = 56;
        row[56] = 3;
        row[60..63].copy_from_slice(b"abc");
        row
    }

    #[test]
    fn a_row_is_read_as_it_is_specified() {
        let bytes = row();
        let (row, rest) = Row::first(&bytes, 2).expect("a row");
        assert!(rest.is_empty());
        assert_eq!((row.time(), row.number(), row.is_cut()), (5, 6, false));
        let slot = row.slot(0).expect("present");
        assert_eq!(row.text(slot), Some(&b"abc"[..]));
        assert_eq!(row.slot(1), None);
        assert_eq!(row.slot(2), None);
    }

    #[test]
    fn no_byte_of_a_row_when_changed_leads_outside_of_it() {
        for at in 0..72 {
            for value in [1, 0x7f, 0x80, 0xff] {
                let mut bytes = row();
                bytes[at] ^= value;
                for row in Rows::new(&bytes, 2) {
                    for slot in (0..3).filter_map(|column| row.slot(column)) {
                        let _ = row.text(slot);
                        let _ = row.list(slot).count();
                    }
                }
            }
        }
    }
}
