//! Modules without Saker: a module is run natively over events that a test makes up.
//!
//! ```
//! use saker_rules_sdk::testing::{Event, Run};
//! # use saker_rules_sdk::{Alerts, Config, Description, Module, Priority, Rule, row};
//! # row! { pub struct Seen { name: ProcName } }
//! # struct Every;
//! # impl Module for Every {
//! #     type Row<'r> = Seen<'r>;
//! #     fn describe() -> Description { Description::new("every", "evt.type=execve") }
//! #     fn new(_: &Config) -> Result<Every, String> { Ok(Every) }
//! #     fn event(&mut self, row: Seen<'_>, alerts: &mut Alerts) {
//! #         if row.name().is_some() { alerts.alert(0); }
//! #     }
//! # }
//! let mut run = Run::<Every>::start(&[]).unwrap();
//! let alerts = run.event(&Event::at(0).text("proc.name", "sh"));
//! assert_eq!(alerts.len(), 1);
//! ```
//!
//! The condition is not looked at: events are those that meet it.

use crate::glue;
use crate::module::{Config, Module};
use crate::row::Record;
use crate::{Alert, Nanoseconds};
use saker_rules_schema::offered::CODE;
use saker_rules_schema::row::{self, Shape, double_key};
use std::net::IpAddr;

/// An event that a test makes up.
#[derive(Clone, Debug, Default)]
pub struct Event {
    time: Nanoseconds,
    values: Vec<(String, Vec<Given>)>,
}

#[derive(Clone, Debug)]
enum Given {
    Bytes(Vec<u8>),
    Word(u64),
}

impl Event {
    /// An event of that time.
    pub fn at(time: Nanoseconds) -> Event {
        Event {
            time,
            values: Vec::new(),
        }
    }

    fn with(mut self, field: &str, values: Vec<Given>) -> Event {
        self.values.push((field.into(), values));
        self
    }

    /// A field's text.
    pub fn text(self, field: &str, text: impl AsRef<[u8]>) -> Event {
        self.with(field, vec![Given::Bytes(text.as_ref().to_vec())])
    }

    /// A field's number.
    pub fn number(self, field: &str, number: i64) -> Event {
        self.with(field, vec![Given::Word(number.cast_unsigned())])
    }

    /// Whether a field is true.
    pub fn flag(self, field: &str, flag: bool) -> Event {
        self.with(field, vec![Given::Word(flag.into())])
    }

    /// A field's number with a fraction.
    pub fn real(self, field: &str, number: f64) -> Event {
        self.with(field, vec![Given::Word(double_key(number))])
    }

    /// A field's address.
    pub fn address(self, field: &str, address: IpAddr) -> Event {
        let bytes = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        self.with(field, vec![Given::Bytes(bytes)])
    }

    /// A field's texts.
    pub fn texts(self, field: &str, texts: &[&str]) -> Event {
        let texts = texts
            .iter()
            .map(|text| Given::Bytes(text.as_bytes().to_vec()));
        self.with(field, texts.collect())
    }

    /// A field's numbers.
    pub fn numbers(self, field: &str, numbers: &[i64]) -> Event {
        let numbers = numbers
            .iter()
            .map(|number| Given::Word(number.cast_unsigned()));
        self.with(field, numbers.collect())
    }

    /// The row of these columns.
    fn row(&self, columns: &[glue::Column], number: u64) -> Vec<u8> {
        let shape = Shape {
            slots: columns.len() as u16,
        };
        let mut bytes = vec![0; shape.tail() as usize];
        bytes[row::CODE_AT as usize..][..2].copy_from_slice(&CODE.to_le_bytes());
        bytes[row::TIME_AT as usize..][..8].copy_from_slice(&self.time.to_le_bytes());
        bytes[row::NUMBER_AT as usize..][..8].copy_from_slice(&number.to_le_bytes());
        for (name, _) in &self.values {
            let is_column = columns.iter().any(|column| column.name == name);
            assert!(is_column, "the module does not ask for `{name}`");
        }
        for (index, column) in columns.iter().enumerate() {
            let given = self
                .values
                .iter()
                .rev()
                .find(|(name, _)| name == column.name);
            let Some((name, values)) = given else {
                continue;
            };
            for value in values {
                let is_text = matches!(value, Given::Bytes(_));
                assert_eq!(is_text, column.kind.is_text(), "a value of `{name}`");
            }
            let words: Vec<u64> = values.iter().map(|value| word(&mut bytes, value)).collect();
            let slot = match column.many {
                true => {
                    bytes.resize(bytes.len().next_multiple_of(8), 0);
                    let at = bytes.len() as u64;
                    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
                    words.len() as u64 | at << 32
                }
                false => *words.first().unwrap_or(&0),
            };
            let (at, mask) = shape.presence(index as u16);
            let presence = &mut bytes[at as usize..][..8];
            let set = u64::from_le_bytes(presence.try_into().expect("eight bytes")) | mask;
            presence.copy_from_slice(&set.to_le_bytes());
            let at = shape.slot(index as u16) as usize;
            bytes[at..at + 8].copy_from_slice(&slot.to_le_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let len = bytes.len() as u32;
        bytes[..4].copy_from_slice(&len.to_le_bytes());
        bytes
    }
}

fn word(bytes: &mut Vec<u8>, value: &Given) -> u64 {
    match value {
        Given::Word(word) => *word,
        Given::Bytes(text) => {
            let at = bytes.len() as u64;
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend(text);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            at << 32
        }
    }
}

/// A module at work.
#[derive(Debug)]
pub struct Run<M> {
    module: M,
    events: u64,
    /// The second that events have reached.
    second: Option<u64>,
    /// What the module said at ticks.
    ticked: Vec<Alert>,
}

const SECOND: u64 = 1_000_000_000;

impl<M: Module> Run<M> {
    /// Starts a module with these settings, as Saker would.
    pub fn start(config: &[(&str, &str)]) -> Result<Run<M>, String> {
        let pair = |(key, value): &(&str, &str)| (key.to_string(), value.to_string());
        let config = Config(config.iter().map(pair).collect());
        Ok(Run {
            module: M::new(&config)?,
            events: 0,
            second: None,
            ticked: Vec::new(),
        })
    }

    /// Hands an event over, and before it a tick if its second is another.
    pub fn event(&mut self, event: &Event) -> Vec<Alert> {
        self.events += 1;
        #[cfg(not(target_arch = "wasm32"))]
        crate::capability::native::NOW.set(event.time - event.time % 1_000_000);
        let second = event.time - event.time % SECOND;
        let last = *self.second.get_or_insert(second);
        if second > last {
            self.second = Some(second);
            self.ticked.extend(glue::tick(&mut self.module, second));
        }
        let columns = <M::Row<'static> as Record<'static>>::COLUMNS;
        glue::batch(&mut self.module, &event.row(columns, self.events))
    }

    /// What the module said at ticks since this was last asked.
    pub fn ticked(&mut self) -> Vec<Alert> {
        std::mem::take(&mut self.ticked)
    }

    /// The module.
    pub fn module(&mut self) -> &mut M {
        &mut self.module
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Alerts, Description, Nanoseconds, Value};

    crate::row! {
        pub(crate) struct Seen {
            name: ProcName,
            port: FdSport,
            address: FdSip,
            second: ProcAname[2],
            path: EvtArg["path"],
            all: [ProcApid],
            failed: EvtFailed,
        }
    }

    struct Echo;

    impl Module for Echo {
        type Row<'r> = Seen<'r>;

        fn describe() -> Description {
            Description::new("echo", "evt.type=connect")
        }

        fn new(_: &Config) -> Result<Echo, String> {
            Ok(Echo)
        }

        fn event(&mut self, row: Seen<'_>, alerts: &mut Alerts) {
            let alert = alerts.alert(3);
            if let Some(name) = row.name() {
                alert.field("name", name.text().into_owned());
            }
            if let Some(port) = row.port() {
                alert.field("port", port);
            }
            if let Some(address) = row.address() {
                alert.field("address", address.to_string());
            }
            if let Some(second) = row.second() {
                alert.field("second", second.text().into_owned());
            }
            for pid in row.all().iter() {
                alert.field("pid", pid);
            }
            if let Some(failed) = row.failed() {
                alert.field("failed", failed);
            }
        }

        fn tick(&mut self, time: Nanoseconds, alerts: &mut Alerts) {
            alerts.alert(0).message(format!("{time}"));
        }
    }

    #[test]
    fn columns_are_named_as_rules_name_fields() {
        let names: Vec<&str> = Seen::COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(
            names,
            [
                "proc.name",
                "fd.sport",
                "fd.sip",
                "proc.aname[2]",
                "evt.arg[path]",
                "proc.apid",
                "evt.failed"
            ]
        );
        assert!(Seen::COLUMNS[5].many && !Seen::COLUMNS[3].many);
    }

    #[test]
    fn what_a_test_says_of_an_event_is_what_the_module_sees() {
        let mut run = Run::<Echo>::start(&[]).expect("it starts");
        let event = Event::at(5)
            .text("proc.name", "sh")
            .number("fd.sport", 443)
            .address("fd.sip", [10, 0, 0, 1].into())
            .text("proc.aname[2]", "systemd")
            .numbers("proc.apid", &[3, 2, 1])
            .flag("evt.failed", true);
        let alerts = run.event(&event);
        let fields: Vec<(String, Value)> = [
            ("name", Value::from("sh")),
            ("port", 443_u64.into()),
            ("address", "10.0.0.1".into()),
            ("second", "systemd".into()),
            ("pid", 3_i64.into()),
            ("pid", 2_i64.into()),
            ("pid", 1_i64.into()),
            ("failed", true.into()),
        ]
        .map(|(name, value)| (name.to_string(), value))
        .into();
        let [alert] = &alerts[..] else {
            panic!("{alerts:?}")
        };
        assert_eq!(
            (alert.row, alert.rule, &alert.fields),
            (Some(0), 3, &fields)
        );
        assert!(run.event(&Event::at(6))[0].fields.is_empty());
    }

    #[test]
    fn a_tick_comes_before_the_first_event_of_another_second() {
        let mut run = Run::<Echo>::start(&[]).expect("it starts");
        for time in [SECOND / 2, SECOND / 2, SECOND * 3 + 1] {
            run.event(&Event::at(time));
        }
        let ticked = run.ticked();
        assert_eq!(ticked.len(), 1);
        assert_eq!(
            (ticked[0].row, ticked[0].message.as_deref()),
            (None, Some("3000000000"))
        );
    }
}
