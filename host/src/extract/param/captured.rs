//! Parameters of events from captures: bytes of the file, by the type that Falco's table gives
//! them.
//!
//! A parameter is shown as a value and, where it stands for something, that in parentheses. A
//! file can hold any bytes: what is not as long as its type is shown as what could not be read.

#[cfg(test)]
mod tests;

use super::{Form, none_id, write_flags, write_meaning};
use crate::event::captured::address::{Address, Tuple};
use crate::event::path::{Base, join};
use crate::event::{Captured, encode};
use crate::extract::{Value, View, path, printable, time};
use saker_rules_schema::event::{self, EventType, Param, ParamType};
use saker_rules_schema::syscall;
use std::io::Write;

/// Falco's text for a string that could not be read, also in files.
const ABSENT: &[u8] = b"<NA>";
/// Its text for bytes that could not be.
const NULL: &[u8] = b"NULL";

/// What `evt.type` is of an event that says that itself.
pub(in crate::extract) fn name_of_event<'a>(event: &Captured<'a>) -> Option<&'a [u8]> {
    match event.kind {
        EventType::Syscall => {
            let id = u16::try_from(event.unsigned(0)?).ok()?;
            Some(syscall::name(id).unwrap_or(UNKNOWN_CALL).as_bytes())
        }
        EventType::Asyncevent => event.text(1),
        kind => Some(kind.name().as_bytes()),
    }
}

/// A number that is no system call's.
const UNKNOWN_CALL: &str = "<unknown syscall>";

/// Appends the parameter at that place; nothing if the event's type has none there.
pub(super) fn write(
    view: &View<'_>,
    event: &Captured<'_>,
    index: usize,
    form: Form,
    out: &mut Vec<u8>,
) -> Option<()> {
    let param = event.kind.params().get(index)?;
    let bytes = event.bytes(index).unwrap_or_default();
    let place = Place {
        view,
        event,
        index,
        form,
    };
    place.write(param, bytes, out);
    Some(())
}

/// A parameter of an event, and how it is asked for.
#[derive(Clone, Copy)]
struct Place<'p, 'v> {
    view: &'p View<'v>,
    event: &'p Captured<'v>,
    index: usize,
    form: Form,
}

impl Place<'_, '_> {
    fn write(&self, param: &Param, bytes: &[u8], out: &mut Vec<u8>) {
        if bytes.is_empty() {
            out.extend_from_slice(missing(param.kind));
            return;
        }
        match param.kind {
            ParamType::Text => printable::push_text(up_to_nul(bytes), out),
            ParamType::Path | ParamType::RelativePath => self.path(param, up_to_nul(bytes), out),
            ParamType::Bytes => printable::push_bytes(bytes, out),
            ParamType::TextList => list(bytes, b".", out),
            ParamType::PairList => pairs(bytes, out),
            ParamType::FdList => self.descriptors(bytes, out),
            ParamType::Tuple => sanitised(out, |out| {
                if let Some(tuple) = Tuple::parse(bytes) {
                    tuple.write(out);
                }
            }),
            ParamType::Address => sanitised(out, |out| {
                if let Some(address) = Address::parse(bytes) {
                    address.write(out);
                }
            }),
            ParamType::Ipv4 | ParamType::Ipv6 => {
                let mark = out.len();
                crate::state::descriptor::write_address(bytes, out);
                if out.len() == mark {
                    out.extend_from_slice(ABSENT);
                }
            }
            ParamType::Dyn(variants) => self.variant(param, variants, bytes, out),
            ParamType::Errno
            | ParamType::Fd
            | ParamType::Pid
            | ParamType::Uid
            | ParamType::Gid
            | ParamType::Signal
            | ParamType::SignalSet
            | ParamType::SyscallId
            | ParamType::U8
            | ParamType::U16
            | ParamType::U32
            | ParamType::U64
            | ParamType::I16
            | ParamType::I32
            | ParamType::I64
            | ParamType::Time
            | ParamType::RelTime
            | ParamType::Port
            | ParamType::Flags
            | ParamType::Enum
            | ParamType::Mode => match Number::read(bytes) {
                Some(number) => self.number(param, number, out),
                None => out.extend_from_slice(ABSENT),
            },
        }
    }

    /// The name of a user. Those of containers have none here, whatever the capture tells.
    fn user(&self, uid: u32) -> Option<&[u8]> {
        let user = self.view.state.users().user(uid)?;
        (!self.is_in_container()).then_some(&*user.name)
    }

    /// The name of a group, in the same way.
    fn group(&self, gid: u32) -> Option<&[u8]> {
        let group = self.view.state.users().group(gid)?;
        (!self.is_in_container()).then_some(group)
    }

    fn is_in_container(&self) -> bool {
        let version = self.view.state.version(self.view.seen.version);
        version.is_some_and(|version| version.container().is_some())
    }

    fn number(&self, param: &Param, number: Number, out: &mut Vec<u8>) {
        let Number { signed, unsigned } = number;
        match param.kind {
            ParamType::Errno => {
                let name = encode::error_name(signed.saturating_neg()).filter(|_| signed < 0);
                self.named(signed, out, |out| {
                    out.extend_from_slice(name.unwrap_or_default().as_bytes());
                });
            }
            ParamType::Fd => self.named(signed, out, |out| self.descriptor(signed, out)),
            ParamType::Pid => self.named(signed, out, |out| {
                let pid = u32::try_from(signed).ok();
                let name = super::name_of_pid(self.view, pid).unwrap_or_default();
                printable::push_text(name, out);
            }),
            ParamType::Uid => {
                let id = unsigned as u32;
                let name = none_id(id).or(self.user(id)).unwrap_or(ABSENT);
                self.named((id as i32).into(), out, |out| {
                    printable::push_text(name, out);
                });
            }
            ParamType::Gid => {
                let id = unsigned as u32;
                let name = none_id(id).or(self.group(id)).unwrap_or(ABSENT);
                self.named((id as i32).into(), out, |out| {
                    printable::push_text(name, out);
                });
            }
            ParamType::Signal => {
                let name = encode::signal_name(unsigned as i64).unwrap_or_default();
                self.named(unsigned as i64, out, |out| {
                    out.extend_from_slice(name.as_bytes());
                });
            }
            ParamType::SyscallId => {
                let name = syscall::name(unsigned as u16).unwrap_or(UNKNOWN_CALL);
                self.named(unsigned as i64, out, |out| {
                    out.extend_from_slice(name.as_bytes());
                });
            }
            ParamType::Flags => self.meant(unsigned, out, |out| {
                write_flags(unsigned, param.symbols, out);
            }),
            ParamType::Enum => self.meant(unsigned, out, |out| {
                write_values(unsigned, param.symbols, out);
            }),
            ParamType::Mode => {
                let start = out.len();
                write_octal(unsigned, out);
                write_meaning(start, self.form, out, |out| {
                    if unsigned != 0 {
                        write_mode(unsigned, param.symbols, out);
                    }
                });
            }
            ParamType::SignalSet => write_signals(unsigned, out),
            ParamType::Time => time::write_date_and_time(unsigned, out),
            ParamType::RelTime => self.meant(unsigned, out, |out| write_seconds(unsigned, out)),
            ParamType::U8
            | ParamType::U16
            | ParamType::U32
            | ParamType::U64
            | ParamType::I16
            | ParamType::I32
            | ParamType::I64
            | ParamType::Port => {
                let _ = match param.base {
                    // Also of those that have no sign.
                    event::Base::Decimal => write!(out, "{signed}"),
                    event::Base::Unset => write!(out, "{unsigned}"),
                    event::Base::Hexadecimal => write!(out, "{unsigned:X}"),
                    event::Base::Octal => {
                        write_octal(unsigned, out);
                        Ok(())
                    }
                };
            }
            // They are no numbers.
            ParamType::Text
            | ParamType::Path
            | ParamType::RelativePath
            | ParamType::Bytes
            | ParamType::TextList
            | ParamType::PairList
            | ParamType::FdList
            | ParamType::Tuple
            | ParamType::Address
            | ParamType::Ipv4
            | ParamType::Ipv6
            | ParamType::Dyn(_) => {}
        }
    }

    /// Appends a number and what it stands for.
    fn named(&self, number: i64, out: &mut Vec<u8>, name: impl FnOnce(&mut Vec<u8>)) {
        self.with_meaning(number, out, name);
    }

    fn meant(&self, number: u64, out: &mut Vec<u8>, meaning: impl FnOnce(&mut Vec<u8>)) {
        self.with_meaning(number, out, meaning);
    }

    fn with_meaning(
        &self,
        number: impl std::fmt::Display,
        out: &mut Vec<u8>,
        meaning: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = out.len();
        // Writing to a vector cannot fail.
        match self.form {
            Form::Both => {
                let _ = write!(out, "{number}");
                write_meaning(start, self.form, out, meaning);
            }
            Form::Resolved => {
                meaning(out);
                if out.len() == start {
                    let _ = write!(out, "{number}");
                }
            }
        }
    }

    /// Appends what a descriptor stands for, or which error its number is.
    fn descriptor(&self, number: i64, out: &mut Vec<u8>) {
        if number == i64::from(libc::AT_FDCWD) {
            out.extend_from_slice(b"AT_FDCWD");
        } else if number < 0 {
            let name = encode::error_name(number.saturating_neg());
            out.extend_from_slice(name.unwrap_or_default().as_bytes());
        } else if let Some(info) = self.view.descriptor_at(number) {
            sanitised(out, |out| super::push_descriptor(info, out));
        }
    }

    /// Appends a path as it was given and, if that is relative, made absolute.
    fn path(&self, param: &Param, raw: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        printable::push_text(raw, out);
        if raw.is_empty() || raw.starts_with(b"/") || raw == ABSENT {
            return;
        }
        let directory = match param.kind {
            ParamType::RelativePath => self.index.checked_sub(1),
            _ => None,
        };
        let base = match path::captured::base(self.view, self.event, directory) {
            Base::Unknown => Base::Path(b""),
            base => base,
        };
        write_meaning(start, self.form, out, |out| {
            sanitised(out, |out| join(base, raw, out));
        });
    }

    /// Appends descriptors that are waited for: number, kind, and what for.
    fn descriptors(&self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some((count, rest)) = bytes.split_first_chunk::<2>() else {
            out.extend_from_slice(NULL);
            return;
        };
        let (entries, _) = rest.as_chunks::<10>();
        for (index, entry) in entries
            .iter()
            .take(u16::from_le_bytes(*count).into())
            .enumerate()
        {
            if index > 0 {
                out.push(b' ');
            }
            let [a, b, c, d, e, f, g, h, low, high] = *entry;
            let fd = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
            let kind = self
                .view
                .descriptor_at(fd)
                .map_or("?", |info| info.kind.letter());
            let flags = u16::from_le_bytes([low, high]);
            let _ = write!(out, "{fd}:{kind}{flags:x}");
        }
    }

    /// Appends a value of one of several types, of which the first byte says which.
    fn variant(&self, param: &Param, variants: event::Variants, bytes: &[u8], out: &mut Vec<u8>) {
        let Some((which, rest)) = bytes.split_first() else {
            return;
        };
        match variants.params().get(usize::from(*which)) {
            Some(variant) => {
                // How it is printed is said by the event's own parameter.
                let variant = Param {
                    base: param.base,
                    symbols: param.symbols,
                    ..*variant
                };
                self.write(&variant, rest, out);
            }
            None => out.extend_from_slice(b"INVALID DYNAMIC PARAMETER"),
        }
    }
}

/// The value of the parameter at that place, as it is compared and as it is shown.
pub(super) fn raw<'v>(event: &Captured<'v>, index: usize) -> Option<Value<'v>> {
    let param = event.kind.params().get(index)?;
    let bytes = event.bytes(index)?;
    match param.kind {
        ParamType::Text | ParamType::Path | ParamType::RelativePath => {
            Some(Value::Given(match bytes.is_empty() {
                true => ABSENT,
                false => up_to_nul(bytes),
            }))
        }
        ParamType::Bytes => Some(Value::Bytes(bytes)),
        ParamType::Errno
        | ParamType::Fd
        | ParamType::Pid
        | ParamType::I16
        | ParamType::I32
        | ParamType::I64
            if param.base != event::Base::Hexadecimal =>
        {
            raw_number(param, Number::read(bytes)?.signed as u64)
        }
        _ => raw_number(param, Number::read(bytes)?.unsigned),
    }
}

/// The same of a number, extended to 64 bits as its type says.
pub(super) fn raw_number<'v>(param: &Param, number: u64) -> Option<Value<'v>> {
    use event::Base;
    match param.kind {
        ParamType::Errno
        | ParamType::Signal
        | ParamType::SyscallId
        | ParamType::SignalSet
        | ParamType::Mode => Some(Value::Unshown(number as i64)),
        ParamType::Fd | ParamType::Pid | ParamType::I16 | ParamType::I32 | ParamType::I64 => {
            Some(match param.base {
                Base::Decimal => Value::Int(number as i64),
                Base::Unset | Base::Hexadecimal | Base::Octal => Value::Based(number, param.base),
            })
        }
        ParamType::Uid
        | ParamType::Gid
        | ParamType::U8
        | ParamType::U16
        | ParamType::U32
        | ParamType::U64
        | ParamType::Time
        | ParamType::RelTime
        | ParamType::Port
        | ParamType::Flags
        | ParamType::Enum => Some(match param.base {
            Base::Decimal | Base::Unset => Value::Uint(number),
            Base::Hexadecimal | Base::Octal => Value::Based(number, param.base),
        }),
        // Falco neither compares nor shows them.
        ParamType::Text
        | ParamType::Path
        | ParamType::RelativePath
        | ParamType::Bytes
        | ParamType::TextList
        | ParamType::PairList
        | ParamType::FdList
        | ParamType::Tuple
        | ParamType::Address
        | ParamType::Ipv4
        | ParamType::Ipv6
        | ParamType::Dyn(_) => None,
    }
}

/// A number as it lies in a file, with and without a sign.
#[derive(Clone, Copy)]
struct Number {
    signed: i64,
    unsigned: u64,
}

impl Number {
    /// Reads 1, 2, 4 or 8 bytes.
    fn read(bytes: &[u8]) -> Option<Number> {
        let (signed, unsigned) = match *bytes {
            [a] => (i64::from(a as i8), u64::from(a)),
            [a, b] => {
                let bytes = [a, b];
                (
                    i16::from_le_bytes(bytes).into(),
                    u16::from_le_bytes(bytes).into(),
                )
            }
            [a, b, c, d] => {
                let bytes = [a, b, c, d];
                (
                    i32::from_le_bytes(bytes).into(),
                    u32::from_le_bytes(bytes).into(),
                )
            }
            _ => {
                let bytes = bytes.try_into().ok()?;
                (i64::from_le_bytes(bytes), u64::from_le_bytes(bytes))
            }
        };
        Some(Number { signed, unsigned })
    }
}

/// What stands for a parameter of no bytes.
fn missing(kind: ParamType) -> &'static [u8] {
    match kind {
        ParamType::Bytes
        | ParamType::Tuple
        | ParamType::FdList
        | ParamType::TextList
        | ParamType::PairList
        | ParamType::Dyn(_) => NULL,
        ParamType::Errno
        | ParamType::Fd
        | ParamType::Pid
        | ParamType::Uid
        | ParamType::Gid
        | ParamType::Signal
        | ParamType::SignalSet
        | ParamType::SyscallId
        | ParamType::U8
        | ParamType::U16
        | ParamType::U32
        | ParamType::U64
        | ParamType::I16
        | ParamType::I32
        | ParamType::I64
        | ParamType::Time
        | ParamType::RelTime
        | ParamType::Port
        | ParamType::Flags
        | ParamType::Enum
        | ParamType::Mode
        | ParamType::Text
        | ParamType::Path
        | ParamType::RelativePath
        | ParamType::Address
        | ParamType::Ipv4
        | ParamType::Ipv6 => ABSENT,
    }
}

fn up_to_nul(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    &bytes[..end]
}

/// Appends what `write` appends, as text that can be shown.
fn sanitised(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~');
    if out
        .get(start..)
        .is_some_and(|text| !text.iter().all(is_plain))
    {
        let text = out.split_off(start);
        printable::push_text(&text, out);
    }
}

/// Appends strings that each end with a NUL.
fn list(bytes: &[u8], between: &[u8], out: &mut Vec<u8>) {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    for (index, text) in bytes.split(|byte| *byte == 0).enumerate() {
        if index > 0 {
            out.extend_from_slice(between);
        }
        printable::push_text(text, out);
    }
}

/// Appends names and values: two strings each.
fn pairs(bytes: &[u8], out: &mut Vec<u8>) {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    for (index, text) in bytes.split(|byte| *byte == 0).enumerate() {
        if index > 0 {
            out.push(if index % 2 == 1 { b':' } else { b',' });
        }
        printable::push_text(text, out);
    }
}

/// As C writes it: a zero in front of any number but zero.
fn write_octal(number: u64, out: &mut Vec<u8>) {
    let _ = match number {
        0 => write!(out, "0"),
        number => write!(out, "0{number:o}"),
    };
}

/// Appends every name that the value has.
fn write_values(value: u64, symbols: &[event::Symbol], out: &mut Vec<u8>) {
    let start = out.len();
    for (name, _) in symbols.iter().filter(|symbol| symbol.1 == value) {
        if out.len() > start {
            out.push(b'|');
        }
        out.extend_from_slice(name.as_bytes());
    }
}

/// Appends the names of a mode's bits: those that are among what is left and, last, one that is
/// all of it.
fn write_mode(mode: u64, symbols: &[event::Symbol], out: &mut Vec<u8>) {
    let start = out.len();
    let mut left = mode;
    for (name, bits) in symbols {
        let is_all = *bits == mode;
        if is_all || *bits != 0 && left & bits == *bits {
            if out.len() > start {
                out.push(b'|');
            }
            out.extend_from_slice(name.as_bytes());
            left &= !bits;
        }
        if is_all {
            return;
        }
    }
}

/// Appends the names of the signals in a set, the least bit for signal 1.
fn write_signals(set: u64, out: &mut Vec<u8>) {
    let start = out.len();
    for signal in 1..=32i64 {
        if set >> (signal - 1) & 1 == 0 {
            continue;
        }
        if let Some(name) = encode::signal_name(signal) {
            if out.len() > start {
                out.push(b' ');
            }
            out.extend_from_slice(name.as_bytes());
        }
    }
}

/// Appends a time span in seconds, as C's `%g` does: six digits that count.
fn write_seconds(ns: u64, out: &mut Vec<u8>) {
    if ns == u64::MAX {
        out.extend_from_slice(b"none");
        return;
    }
    let seconds = ns as f64 / time::SECOND as f64;
    let scientific = format!("{seconds:.5e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let _ = if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        write!(out, "{}s", without_zeros(&format!("{seconds:.decimals$}")))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(
            out,
            "{}e{sign}{:02}s",
            without_zeros(digits),
            exponent.unsigned_abs()
        )
    };
}

/// A number without zeros at its end that say nothing.
fn without_zeros(number: &str) -> &str {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    }
}
