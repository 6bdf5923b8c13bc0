//! Parameters of events from captures: bytes of the file, by the type that Falco's table gives
//! them.

use super::{
    Form, name_of_pid, none_id, write_fd, write_flags, write_meaning, write_named, write_path,
};
use crate::event::{Captured, encode};
use crate::extract::{Scratch, View, time};
use saker_rules_schema::event::{Base, ParamType};
use std::io::Write;

/// Bytes of a parameter that are shown.
const BYTES_SHOWN: usize = 4096;

/// Appends the parameter at that place to the scratch text.
pub(super) fn write(
    view: &View<'_>,
    event: &Captured<'_>,
    index: usize,
    form: Form,
    scratch: &mut Scratch,
) -> Option<()> {
    let param = event.kind.params().get(index)?;
    let bytes = event.bytes(index).unwrap_or_default();
    let number = event.signed(index).unwrap_or(0);
    let unsigned = event.unsigned(index).unwrap_or(0);
    let out = &mut scratch.text;
    match param.kind {
        _ if bytes.is_empty() => out.extend_from_slice(b"<NA>"),
        ParamType::Errno => {
            let name = encode::error_name(number.saturating_neg()).filter(|_| number < 0);
            write_named(number, name.map(str::as_bytes), form, out);
        }
        ParamType::Fd => write_fd(view, number, form, scratch),
        ParamType::Pid => {
            let pid = u32::try_from(number).ok().filter(|pid| *pid != 0);
            write_named(number, name_of_pid(view, pid), form, out);
        }
        ParamType::Uid => {
            let id = unsigned as u32;
            let user = view.state.users().user(id).map(|user| &*user.name);
            write_named((id as i32).into(), user.or(none_id(id)), form, out);
        }
        ParamType::Gid => {
            let id = unsigned as u32;
            let group = view.state.users().group(id);
            write_named((id as i32).into(), group.or(none_id(id)), form, out);
        }
        ParamType::Signal => {
            let name = encode::signal_name(number).map(str::as_bytes);
            write_named(number, name, form, out);
        }
        ParamType::U8
        | ParamType::U16
        | ParamType::U32
        | ParamType::U64
        | ParamType::Port
        | ParamType::RelTime
        | ParamType::SyscallId
        | ParamType::SignalSet => {
            let _ = match param.base {
                Base::Decimal => write!(out, "{unsigned}"),
                Base::Hexadecimal => write!(out, "{unsigned:X}"),
                Base::Octal if unsigned == 0 => write!(out, "0"),
                Base::Octal => write!(out, "0{unsigned:o}"),
            };
        }
        ParamType::I16 | ParamType::I32 | ParamType::I64 => {
            let _ = match param.base {
                Base::Decimal => write!(out, "{number}"),
                Base::Hexadecimal => write!(out, "{number:X}"),
                Base::Octal => write!(out, "0{number:o}"),
            };
        }
        ParamType::Time => time::write_date_and_time(unsigned, out),
        ParamType::Flags | ParamType::Mode => {
            let start = out.len();
            if param.kind == ParamType::Mode && unsigned != 0 {
                let _ = write!(out, "0{unsigned:o}");
            } else {
                let _ = write!(out, "{unsigned}");
            }
            write_meaning(start, form, out, |out| {
                write_flags(unsigned, param.symbols, out)
            });
        }
        ParamType::Enum => {
            let start = out.len();
            let _ = write!(out, "{unsigned}");
            write_meaning(start, form, out, |out| {
                let named = param.symbols.iter().filter(|symbol| symbol.1 == unsigned);
                for (index, (name, _)) in named.enumerate() {
                    if index > 0 {
                        out.push(b'|');
                    }
                    out.extend_from_slice(name.as_bytes());
                }
            });
        }
        ParamType::Text => out.extend_from_slice(event.text(index).unwrap_or_default()),
        ParamType::Path | ParamType::RelativePath => {
            let text = event.text(index).unwrap_or_default();
            write_path(view, event.kind, index, text, form, out);
        }
        ParamType::Bytes
        | ParamType::TextList
        | ParamType::PairList
        | ParamType::FdList
        | ParamType::Tuple
        | ParamType::Address
        | ParamType::Ipv4
        | ParamType::Ipv6
        | ParamType::Dyn(_) => {
            let shown = &bytes[..bytes.len().min(BYTES_SHOWN)];
            let printable = |byte: &u8| match *byte {
                byte @ 32..=126 => byte,
                _ => b'.',
            };
            out.extend(shown.iter().map(printable));
        }
    }
    Some(())
}
