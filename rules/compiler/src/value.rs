//! Values of a condition by the type of the field they are compared with.

use crate::ast::Value;
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::Network;
use crate::service;
use saker_rules_schema::event::{ParamType, UNUSED};
use saker_rules_schema::field::{Field, Type};
use saker_rules_schema::row::STRING_BYTES_MAX;
use saker_rules_schema::row::double_key;
use saker_rules_schema::syscall;
use saker_rules_schema::term::Term;
use saker_rules_schema::wire::wire;

/// Whether Falco has, or had, an event type or a system call of that name.
pub(crate) fn is_known_event(name: &str) -> bool {
    let codes = (0..=u16::MAX).map_while(wire);
    syscall::is_known(name)
        || codes
            .filter(|wire| wire.flags & UNUSED == 0)
            .any(|wire| wire.name == name)
}

/// The least and the greatest value of a number type.
pub(crate) fn limits(kind: Type) -> (i128, i128) {
    match kind {
        Type::Int => (i64::MIN.into(), i64::MAX.into()),
        // In keys.
        Type::Double => (0, u64::MAX.into()),
        Type::Uint | Type::AbsTime | Type::RelTime => (0, u64::MAX.into()),
        Type::Port => (0, u16::MAX.into()),
        Type::Bool => (0, 1),
        Type::Text | Type::Bytes | Type::IpAddr | Type::IpNet => (0, 0),
    }
}

/// The value of a number, port, time or truth value.
pub(crate) fn number(field: &Term, value: &Value) -> Result<i128, Box<Diagnostic>> {
    let kind = field.kind();
    let text = value.text.as_str();
    let wrong = |what: &str| {
        Box::new(Diagnostic::new(
            Code::Value,
            value.span,
            format!("`{text}` is not {what}, which `{field}` is"),
        ))
    };
    if kind == Type::Bool {
        return match text {
            "true" => Ok(1),
            "false" => Ok(0),
            _ => {
                let mut wrong = wrong("`true` or `false`");
                wrong.help = match text.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "on" | "1" => Some("write `true`".into()),
                    "false" | "no" | "off" | "0" => Some("write `false`".into()),
                    _ => None,
                };
                Err(wrong)
            }
        };
    }
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            i128::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None if kind == Type::Port => {
            let by_name = || service::port(text).map(i128::from);
            text.parse().ok().or_else(by_name)
        }
        None => text.parse().ok(),
    };
    // As C reads it for Falco, a number below 0 is one of the highest: an id of -1 is that of
    // nobody.
    let parsed = match (kind, parsed) {
        (Type::Uint | Type::AbsTime | Type::RelTime, Some(number))
            if (i64::MIN.into()..0).contains(&number) =>
        {
            Some(match is_32_bit(field) {
                true => i128::from(number as u32),
                false => i128::from(number as u64),
            })
        }
        _ => parsed,
    };
    let (min, max) = match kind {
        Type::Double => limits(Type::Int),
        _ => limits(kind),
    };
    let whole = parsed.filter(|number| (min..=max).contains(number));
    let what = match kind {
        Type::Int => "a whole number of 64 bits",
        Type::Uint => "a whole number of 0 or more",
        Type::Port => "a port number",
        Type::AbsTime | Type::RelTime => "a time in nanoseconds",
        // Falco reads no fractions, not even for fields that have them.
        Type::Double => {
            return whole
                .map(|whole| double_key(whole as f64).into())
                .ok_or_else(|| {
                    let message = format!(
                        "`{text}` is no whole number, and `{field}` is compared with no other"
                    );
                    Box::new(Diagnostic::new(Code::Value, value.span, message))
                });
        }
        Type::Bool | Type::Text | Type::Bytes | Type::IpAddr | Type::IpNet => "a number",
    };
    whole.ok_or_else(|| wrong(what))
}

/// Whether Falco holds that number in 32 bits.
fn is_32_bit(field: &Term) -> bool {
    let Term::Field(field) = field else {
        return false;
    };
    if let Some(param) = field.raw_param() {
        return matches!(
            param.kind,
            ParamType::Uid | ParamType::Gid | ParamType::U32 | ParamType::Mode
        );
    }
    matches!(
        field.field,
        Field::EvtTypeIs
            | Field::EvtCount
            | Field::EvtCountError
            | Field::EvtCountErrorFile
            | Field::EvtCountErrorNet
            | Field::EvtCountErrorMemory
            | Field::EvtCountErrorOther
            | Field::EvtCountExit
            | Field::EvtCountProcinfo
            | Field::EvtCountThreadinfo
            | Field::GroupGid
            | Field::ProcTty
            | Field::UserUid
    )
}

/// The bytes of a value that gives them in hexadecimal, two digits each.
pub(crate) fn hexadecimal(value: &Value) -> Result<Vec<u8>, Box<Diagnostic>> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    let (pairs, rest) = value.text.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok());
    let bytes: Option<Vec<u8>> = bytes.collect();
    let fault = |message: String| Box::new(Diagnostic::new(Code::Value, value.span, message));
    match bytes {
        Some(bytes) if bytes.len() > STRING_BYTES_MAX => Err(fault(format!(
            "no text is longer than {STRING_BYTES_MAX} bytes, as this is"
        ))),
        Some(bytes) if rest.is_empty() && !bytes.is_empty() => Ok(bytes),
        _ => Err(fault(format!(
            "`{}` is no bytes in hexadecimal digits",
            value.text
        ))
        .help("write two digits for each byte, for example `2f746d70`")
        .into()),
    }
}

/// A network, as `10.0.0.0/8` or `2001:db8::/32`.
pub(crate) fn network(field: &Term, value: &Value) -> Result<Network, Box<Diagnostic>> {
    let text = value.text.as_str();
    let parsed = text.split_once('/').and_then(|(address, bits)| {
        // As for Falco, `0x8` and `+8` are no numbers of bits.
        let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        Network::new(address.parse().ok()?, digits.then(|| bits.parse().ok())??)
    });
    parsed.ok_or_else(|| {
        Box::new(
            Diagnostic::new(
                Code::Value,
                value.span,
                format!("`{text}` is no network, which `{field}` is"),
            )
            .help("write an address and how many bits of it count, for example `10.0.0.0/8`"),
        )
    })
}

/// The field of networks that goes with one of addresses.
pub(crate) fn network_field(field: &Term) -> Option<&'static str> {
    match field.field()?.field {
        Field::FdIp => Some("fd.net"),
        Field::FdCip => Some("fd.cnet"),
        Field::FdSip => Some("fd.snet"),
        Field::FdLip => Some("fd.lnet"),
        Field::FdRip => Some("fd.rnet"),
        _ => None,
    }
}

/// The bytes of a text or an address.
pub(crate) fn text(field: &Term, value: &Value) -> Result<Vec<u8>, Box<Diagnostic>> {
    let text = value.text.as_str();
    if field.kind() == Type::IpAddr {
        return match text.parse() {
            Ok(std::net::IpAddr::V4(address)) => Ok(address.octets().to_vec()),
            Ok(std::net::IpAddr::V6(address)) => Ok(address.octets().to_vec()),
            Err(_) => Err(Box::new(
                Diagnostic::new(
                    Code::Value,
                    value.span,
                    format!("`{text}` is no IP address, which `{field}` is"),
                )
                .help(match network_field(field) {
                    Some(of) => format!(
                        "write one address, for example `10.0.0.1`; networks are asked of `{of}`"
                    ),
                    None => "write one address, for example `10.0.0.1`".into(),
                }),
            )),
        };
    }
    if text.len() > STRING_BYTES_MAX {
        return Err(Box::new(Diagnostic::new(
            Code::Value,
            value.span,
            format!("no text is longer than {STRING_BYTES_MAX} bytes, as this is"),
        )));
    }
    Ok(text.as_bytes().to_vec())
}
