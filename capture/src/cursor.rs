//! Taking numbers and texts off the front of bytes, and putting them at the end of others.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes that are read from the front. `None` means that fewer are there than are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    #[inline]
    pub(crate) fn get<V: Value<'a>>(&mut self) -> Option<V> {
        V::read(self)
    }
}

/// What a list's entry has as one of its members.
pub(crate) trait Value<'a>: Sized {
    fn read(cursor: &mut Cursor<'a>) -> Option<Self>;
    /// `limit` is the length that readers take a text of; numbers have none.
    fn write(self, out: &mut Encoder<'_>, limit: usize);
}

macro_rules! number {
    ($($type:ty)*) => {$(
        impl Value<'_> for $type {
            #[inline]
            fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
                cursor.array().map(<$type>::from_le_bytes)
            }

            #[inline]
            fn write(self, out: &mut Encoder<'_>, _limit: usize) {
                out.put(&self.to_le_bytes());
            }
        }
    )*};
}

number!(u8 u16 u32 u64 i64);

impl Value<'_> for bool {
    #[inline]
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        u8::read(cursor).map(|byte| byte != 0)
    }

    #[inline]
    fn write(self, out: &mut Encoder<'_>, _limit: usize) {
        out.put(&[self.into()]);
    }
}

/// A text: its length in two bytes, then its bytes.
impl<'a> Value<'a> for &'a [u8] {
    #[inline]
    fn read(cursor: &mut Cursor<'a>) -> Option<Self> {
        let length = u16::read(cursor)?;
        cursor.take(length.into())
    }

    #[inline]
    fn write(self, out: &mut Encoder<'_>, limit: usize) {
        let kept = self.get(..limit).unwrap_or(self);
        out.texts_cut += u64::from(kept.len() < self.len());
        let length = u16::try_from(kept.len()).expect("limits are below 64 KiB");
        out.put(&length.to_le_bytes());
        out.put(kept);
    }
}

/// Addresses lie as they travel, most significant byte first.
impl Value<'_> for Ipv4Addr {
    #[inline]
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        cursor.array::<4>().map(Self::from)
    }

    #[inline]
    fn write(self, out: &mut Encoder<'_>, _limit: usize) {
        out.put(&self.octets());
    }
}

impl Value<'_> for Ipv6Addr {
    #[inline]
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        cursor.array::<16>().map(Self::from)
    }

    #[inline]
    fn write(self, out: &mut Encoder<'_>, _limit: usize) {
        out.put(&self.octets());
    }
}

/// Where entries are written to.
pub(crate) struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    /// Texts that were longer than readers take them.
    pub(crate) texts_cut: u64,
}

impl<'o> Encoder<'o> {
    #[inline]
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, texts_cut: 0 }
    }

    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    pub(crate) fn value<'a>(&mut self, value: impl Value<'a>) {
        value.write(self, 0);
    }

    #[inline]
    pub(crate) fn text(&mut self, text: &[u8], limit: usize) {
        text.write(self, limit);
    }
}
