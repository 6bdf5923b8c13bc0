//! How rows lie in a slot of the window. All numbers are little-endian.
//!
//! ```text
//! window   | header page (64 KiB) | slot 0 (256 KiB) | slot 1 | …
//! slot     rows back to back, each beginning at a multiple of 8; the rest is zero
//!
//! row      0   len u32           bytes of the row, a multiple of 8
//!          4   code u16          event type's code, or PROCESS_ROW
//!          6   flags u16         ROW_*
//!          8   time u64          ns since the epoch            (process row: 0)
//!          16  number u64        evt.num                       (process row: its serial)
//!          24  process u32       ordinal of the event's process row in this window;
//!                                in a process row, its own ordinal: below PROCESS_ROWS_MAX,
//!                                no other process row of the window has it
//!          28  reserved u32
//!          32  presence          one bit per slot, in u64 words; a clear bit = absent
//!          ..  slots             8 bytes each, all zero where the field is absent
//!          ..  tail              strings and lists
//!
//! slot     number       i64 or u64; bool as 0 or 1; times in ns; one with a fraction as its
//!                       double_key
//!          string       literal id u32 | tail u32
//!          list         count u32 | tail u32: count string slots, or numbers, at tail
//! tail     string       len u32 | bytes | padding to 4; `tail` counts from the row's start
//! ```
//!
//! A process row precedes the first event row that refers to it, so that a window can be
//! judged by itself. Process rows of the same serial that are given to the same instance of a
//! module hold the same; a serial of 0 says nothing. A process mostly has the same ordinal in
//! one window as in the next. Literal id 0 means: none of the loaded modules' literals. `tail` 0 means
//! that no rule needs the bytes, and the id alone decides. An IP address is a string of 4 or
//! 16 bytes. A string longer than [`STRING_BYTES_MAX`] is cut, and the row says so.

/// Bytes of the page before the first slot.
pub const WINDOW_HEADER_BYTES: usize = 64 * 1024;
/// Bytes of a slot.
pub const SLOT_BYTES: usize = 256 * 1024;
/// Bytes of a row's fixed header.
pub const ROW_HEADER_BYTES: usize = 32;
/// No row is longer; a string that would not fit is cut to nothing and the row flagged.
pub const ROW_BYTES_MAX: usize = SLOT_BYTES / 2;
/// No string in a row is longer.
pub const STRING_BYTES_MAX: usize = 32 * 1024;
/// No list in a row has more elements.
pub const LIST_LEN_MAX: usize = 256;
/// No window has more process rows (a power of two: modules mask ordinals with it).
pub const PROCESS_ROWS_MAX: usize = 1024;
/// The code of a process row.
pub const PROCESS_ROW: u16 = u16::MAX;
/// A string of the row was cut.
pub const ROW_TRUNCATED: u16 = 1;

/// Offset of `len` in a row.
pub const LEN_AT: u32 = 0;
/// Offset of `code`.
pub const CODE_AT: u32 = 4;
/// Offset of `flags`.
pub const FLAGS_AT: u32 = 6;
/// Offset of `time`.
pub const TIME_AT: u32 = 8;
/// Offset of `number`, in a process row of its serial.
pub const NUMBER_AT: u32 = 16;
/// Offset of `process`.
pub const PROCESS_AT: u32 = 24;
/// Offset of the presence bitmap.
pub const PRESENCE_AT: u32 = 32;

/// Where things lie in the rows of one event type (or in process rows): a function of the
/// number of slots alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Number of slots.
    pub slots: u16,
}

impl Shape {
    /// Words of the presence bitmap.
    pub fn presence_words(self) -> u32 {
        u32::from(self.slots).div_ceil(64)
    }
    /// Offset in the row of the word that holds the presence bit of a slot, and its mask.
    pub fn presence(self, slot: u16) -> (u32, u64) {
        (PRESENCE_AT + u32::from(slot / 64) * 8, 1 << (slot % 64))
    }
    /// Offset of a slot in the row.
    pub fn slot(self, slot: u16) -> u32 {
        PRESENCE_AT + self.presence_words() * 8 + u32::from(slot) * 8
    }
    /// Offset of the tail in the row.
    pub fn tail(self) -> u32 {
        self.slot(self.slots)
    }
}

/// What stands for a number with a fraction where numbers are compared: keys are in the order of
/// the numbers, and equal where those are. What is no number is above all others.
pub const fn double_key(number: f64) -> u64 {
    if number.is_nan() {
        return u64::MAX;
    }
    // Both zeros are one.
    let bits = (number + 0.0).to_bits();
    match bits >> 63 {
        0 => bits | 1 << 63,
        _ => !bits,
    }
}

/// The number that a [`double_key`] stands for.
pub const fn double_of(key: u64) -> f64 {
    match key {
        u64::MAX => f64::NAN,
        _ if key >> 63 == 1 => f64::from_bits(key & !(1 << 63)),
        _ => f64::from_bits(!key),
    }
}

#[cfg(test)]
mod tests {
    use super::{double_key, double_of};

    #[test]
    fn keys_are_in_the_order_of_numbers() {
        let numbers = [
            f64::NEG_INFINITY,
            -2.5,
            -1.0,
            -f64::MIN_POSITIVE,
            0.0,
            f64::MIN_POSITIVE,
            0.03,
            1.0,
            2.5,
            f64::INFINITY,
        ];
        assert!(numbers.is_sorted_by(|a, b| double_key(*a) < double_key(*b)));
        assert_eq!(double_key(-0.0), double_key(0.0));
        assert_eq!(double_key(f64::NAN), u64::MAX);
        assert!(double_key(f64::INFINITY) < u64::MAX);
        assert!(numbers.iter().all(|n| double_of(double_key(*n)) == *n));
        assert!(double_of(double_key(f64::NAN)).is_nan());
    }
}
