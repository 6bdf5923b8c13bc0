//! What an event of Docker's engine says, which captures of old have: its description is
//! `key:value;key:value`.

use super::Value;
use crate::event::Captured;
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::Field;

/// An id is cut to as many characters.
const ID_LEN: usize = 12;

/// The value of one of the fields `evt.infra.docker.*`.
pub(super) fn value<'a>(field: Field, event: &Captured<'a>) -> Option<Value<'a>> {
    if event.kind != EventType::Infra {
        return None;
    }
    let description = event.text(event.kind.param("description")?)?;
    let key: &[u8] = match field {
        Field::EvtInfraDockerName => b"Event",
        Field::EvtInfraDockerContainerId => b"ID",
        Field::EvtInfraDockerContainerName => b"name",
        Field::EvtInfraDockerContainerImage => b"Image",
        _ => return None,
    };
    let entries = description.split(|byte| *byte == b';');
    let entry = entries
        .map(<[u8]>::trim_ascii)
        .find(|entry| entry.starts_with(key))?;
    let colon = memchr::memchr(b':', entry)?;
    let all = &entry[colon + 1..];
    let first = &all[..memchr::memchr(b':', all).unwrap_or(all.len())];
    let text = match field {
        Field::EvtInfraDockerContainerImage => match memchr::memchr(b'@', first) {
            Some(at) => &first[..at],
            None if memchr::memmem::find(first, b"sha256").is_some() => all,
            None => first,
        },
        _ => first,
    };
    let text = text.trim_ascii();
    let text = match field {
        Field::EvtInfraDockerContainerId => &text[..text.len().min(ID_LEN)],
        _ => text,
    };
    Some(Value::Text(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::captured;

    fn said(description: &[u8], field: Field) -> Option<String> {
        let params: [&[u8]; 4] = [b"docker\0", b"c\0", description, b"\0"];
        let mut bytes = Vec::new();
        let param = |index: usize| params[index];
        captured::write(EventType::Infra, 0, 1, -1, params.len(), param, &mut bytes);
        let event = Captured::parse(&bytes, 1).expect("it was just written");
        match value(field, &event)? {
            Value::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            other => panic!("{other:?} is no text"),
        }
    }

    #[test]
    fn an_engines_event_is_taken_apart() {
        let start = b"Event: start ; ID:0123456789abcdef;name: web;Image: nginx:1.25@sha256:0\0";
        let said_of = |field| said(start, field);
        assert_eq!(said_of(Field::EvtInfraDockerName).as_deref(), Some("start"));
        let id = said_of(Field::EvtInfraDockerContainerId);
        assert_eq!(id.as_deref(), Some("0123456789ab"));
        assert_eq!(
            said_of(Field::EvtInfraDockerContainerName).as_deref(),
            Some("web")
        );
        let image = said_of(Field::EvtInfraDockerContainerImage);
        assert_eq!(image.as_deref(), Some("nginx"));
        let image = said(b"Image:sha256:00ff\0", Field::EvtInfraDockerContainerImage);
        assert_eq!(image.as_deref(), Some("sha256:00ff"));
    }

    #[test]
    fn a_description_of_something_else_says_nothing() {
        for description in [&b""[..], b"\0", b";;:", b"Event\0", b"EventID\0", b":\0"] {
            assert_eq!(said(description, Field::EvtInfraDockerName), None);
        }
        assert_eq!(
            said(b"ID:", Field::EvtInfraDockerContainerId).as_deref(),
            Some("")
        );
    }
}
