//! What an alert kept of its event: fields with their values, as far as those are surely whole.

use crate::alert::{Scene, Why};
use saker_rules_compiler::oracle::{Value, Values};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{Arg, Field, FieldRef, Type};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// So many of a process's ancestors are offered.
const ANCESTORS: usize = 4;
/// A text from `why` or a scene that is as long may have been cut.
const CUT_BYTES: usize = 1024;

/// What an alert kept of its event: fields with their values, where those are surely whole.
pub(super) struct Seen {
    pub(super) event: Option<EventType>,
    pub(super) fields: BTreeMap<FieldRef, Json>,
}

impl Seen {
    pub(super) fn of(line: &Json, scene: Option<&Scene>, why: Option<&Why>) -> Seen {
        let mut seen = Seen {
            event: None,
            fields: BTreeMap::new(),
        };
        // The first who tells of a field is believed.
        for (name, value) in line["output_fields"].as_object().into_iter().flatten() {
            seen.tell(name, value);
        }
        if let Some(scene) = scene {
            let mut events = EventType::ALL.iter().copied();
            seen.event = events.find(|event| event.name() == scene.event);
            for (name, value) in &scene.object {
                seen.tell(name, value);
            }
        }
        if let Some(why) = why {
            seen.take_tests(why);
        }
        if let Some(scene) = scene {
            seen.take_scene(scene);
        }
        seen
    }

    fn tell(&mut self, name: &str, value: &Json) {
        if let Ok(field) = FieldRef::parse(name) {
            self.fields.entry(field).or_insert_with(|| value.clone());
        }
    }

    fn take_tests(&mut self, why: &Why) {
        for (name, value) in &why.values {
            let is_cut = value.as_str().is_some_and(|text| text.len() >= CUT_BYTES);
            if !is_cut {
                self.tell(name, value);
            }
        }
        for part in &why.parts {
            self.take_tests(part);
        }
    }

    fn take_scene(&mut self, scene: &Scene) {
        // Names and paths of a scene are shown as they can be: only plain ones surely are theirs.
        let mut text = |field: Field, arg: Arg, text: &str| {
            if !text.is_empty() && text.is_ascii() && text.len() < CUT_BYTES {
                let kept = self.fields.entry(FieldRef { field, arg });
                kept.or_insert_with(|| text.into());
            }
        };
        const OF_PROCESSES: [[Field; 3]; 2] = [
            [Field::ProcName, Field::ProcExepath, Field::ProcCmdline],
            [Field::ProcPname, Field::ProcPexepath, Field::ProcPcmdline],
        ];
        for (fields, process) in OF_PROCESSES.iter().zip(&scene.processes) {
            let values = [&process.name, &process.exepath, &process.cmdline];
            for (field, value) in fields.iter().zip(values) {
                text(*field, Arg::None, value);
            }
        }
        let ancestors = scene.processes.iter().enumerate().skip(1).take(ANCESTORS);
        for (at, process) in ancestors {
            let arg = || Arg::Index(at as u32);
            text(Field::ProcAname, arg(), &process.name);
            text(Field::ProcAexepath, arg(), &process.exepath);
        }
        match &scene.container {
            Some(container) => {
                for (field, value) in [
                    (Field::ContainerId, &container.id),
                    (Field::ContainerName, &container.name),
                    (Field::ContainerImage, &container.image),
                    (Field::ContainerImageRepository, &container.image_repository),
                    (Field::K8sNsName, &container.namespace),
                    (Field::K8sPodName, &container.pod),
                ] {
                    text(field, Arg::None, value);
                }
            }
            None if !scene.processes.is_empty() => {
                text(Field::ContainerId, Arg::None, "host");
            }
            None => {}
        }
    }

    /// Whether the value that was kept is the one that the event had.
    pub(super) fn knows(&self, field: &FieldRef) -> bool {
        self.fields
            .get(field)
            .is_some_and(|value| typed(field, value).is_some())
    }
}

impl Values for Seen {
    fn value(&self, field: &FieldRef) -> Option<Value<'_>> {
        typed(field, self.fields.get(field)?)?
    }
}

/// The value that was shown so; none if that does not tell, none within if the field has none.
pub(super) fn typed<'v>(field: &FieldRef, shown: &'v Json) -> Option<Option<Value<'v>>> {
    let kind = field.kind();
    let one = |shown: &'v Json| match (kind, shown) {
        // What cannot be shown was replaced by it.
        (Type::Text, Json::String(text)) => {
            (!text.contains('\u{fffd}')).then(|| Value::Text(text.as_bytes().into()))
        }
        (Type::IpAddr | Type::IpNet, Json::String(text)) => {
            let address = text.parse::<IpAddr>().ok()?;
            Some(Value::Ip(match address {
                IpAddr::V4(address) => address.octets().to_vec().into(),
                IpAddr::V6(address) => address.octets().to_vec().into(),
            }))
        }
        (Type::Bool, Json::Bool(truth)) => Some(Value::Bool(*truth)),
        (Type::Int | Type::Uint | Type::Port, Json::Number(number)) => {
            let number = number.as_i64().map(i128::from);
            number
                .or_else(|| shown.as_u64().map(i128::from))
                .map(Value::Number)
        }
        _ => None,
    };
    match shown {
        Json::Array(elements) if field.is_list() => {
            let elements: Option<Vec<Value<'v>>> = elements.iter().map(one).collect();
            elements.map(|elements| Some(Value::List(elements)))
        }
        // Some numbers are there and not shown.
        Json::Null => match kind {
            Type::Text | Type::IpAddr | Type::IpNet => Some(None),
            _ => None,
        },
        shown if !field.is_list() => one(shown).map(Some),
        _ => None,
    }
}
