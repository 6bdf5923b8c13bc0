//! What the macros refer to: between a [`Module`](crate::Module) and the world's bindings.

use crate::bindings::exports::saker::rules::module as world;
use crate::field::{Field, Read};
use crate::module::{Capability, Config, Description, Module, Priority, State};
use crate::row::{Record, Row};
use crate::{Alert, Alerts, Answer, Value};
use saker_rules_schema::offered::{Kind, Rows};

pub use crate::row::Column;

/// A column of a field.
pub const fn column<F: Field>(name: &'static str, many: bool) -> Column {
    Column {
        name,
        kind: <F::Kind as Read>::KIND,
        many,
    }
}

/// The length of texts together.
pub const fn length(parts: &[&str]) -> usize {
    let (mut sum, mut at) = (0, 0);
    while at < parts.len() {
        sum += parts[at].len();
        at += 1;
    }
    sum
}

/// Texts, one behind the other.
pub const fn with_argument<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut bytes = [0; N];
    let (mut at, mut part) = (0, 0);
    while part < parts.len() {
        let text = parts[part].as_bytes();
        let mut index = 0;
        while index < text.len() {
            bytes[at] = text[index];
            at += 1;
            index += 1;
        }
        part += 1;
    }
    bytes
}

/// The text of bytes that were put together of texts.
pub const fn named(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("texts give a text"),
    }
}

#[doc(hidden)]
#[macro_export]
macro_rules! __argument {
    ($argument:literal) => {{
        const TEXT: &str = stringify!($argument);
        $crate::glue::unquoted(TEXT)
    }};
}
pub use crate::__argument as argument;

/// A literal's text: without the quotes of a string.
pub const fn unquoted(literal: &'static str) -> &'static str {
    let bytes = literal.as_bytes();
    if bytes.len() >= 2 && bytes[0] == b'"' {
        let (_, rest) = literal.split_at(1);
        return rest.split_at(rest.len() - 1).0;
    }
    literal
}

fn columns<M: Module>() -> &'static [Column] {
    <M::Row<'static> as Record<'static>>::COLUMNS
}

/// Runs a module over rows.
pub fn batch<M: Module>(module: &mut M, bytes: &[u8]) -> Vec<Alert> {
    let mut alerts = Alerts::default();
    let rows = Rows::new(bytes, columns::<M>().len() as u16);
    for (index, row) in rows.enumerate() {
        alerts.row = Some(index as u32);
        module.event(M::Row::of(Row(row)), &mut alerts);
    }
    alerts.alerts
}

/// Tells a module the time.
pub fn tick<M: Module>(module: &mut M, time: u64) -> Vec<Alert> {
    let mut alerts = Alerts::default();
    module.tick(time, &mut alerts);
    alerts.alerts
}

/// Tells a module what came of a request.
pub fn response<M: Module>(
    module: &mut M,
    request: u64,
    outcome: Result<world::Answer, String>,
) -> Vec<Alert> {
    let mut alerts = Alerts::default();
    let outcome = outcome.map(|answer| Answer {
        status: answer.status,
        headers: answer.headers,
        body: answer.body,
        is_cut: answer.cut,
    });
    module.response(request, outcome, &mut alerts);
    alerts.alerts
}

/// What a module says of itself, as the world has it.
pub fn describe<M: Module>() -> world::Description {
    let Description {
        name,
        version,
        condition,
        rules,
        capabilities,
        state,
    } = M::describe();
    world::Description {
        name,
        version,
        rules: rules
            .into_iter()
            .map(|rule| world::Rule {
                name: rule.name,
                description: rule.description,
                priority: priority(rule.priority),
                tags: rule.tags,
                output: rule.output,
            })
            .collect(),
        subscription: world::Subscription {
            condition,
            fields: columns::<M>()
                .iter()
                .map(|column| column.name.into())
                .collect(),
        },
        capabilities: capabilities
            .into_iter()
            .map(|capability| match capability {
                Capability::Clock => world::Capability::Clock,
                Capability::Kv => world::Capability::Kv,
                Capability::Metrics => world::Capability::Metrics,
                Capability::Http => world::Capability::Http,
            })
            .collect(),
        state: match state {
            State::None => world::State::None,
            State::Container => world::State::Container,
            State::ProcessTree => world::State::ProcessTree,
            State::Global => world::State::Global,
        },
    }
}

fn priority(priority: Priority) -> world::Priority {
    match priority {
        Priority::Emergency => world::Priority::Emergency,
        Priority::Alert => world::Priority::Alert,
        Priority::Critical => world::Priority::Critical,
        Priority::Error => world::Priority::Error,
        Priority::Warning => world::Priority::Warning,
        Priority::Notice => world::Priority::Notice,
        Priority::Informational => world::Priority::Informational,
        Priority::Debug => world::Priority::Debug,
    }
}

/// Makes an instance, if the rows are as the module reads them.
pub fn init<M: Module>(
    config: Vec<(String, String)>,
    layout: Vec<world::Column>,
) -> Result<M, String> {
    let expected = columns::<M>();
    let is_same = |(column, given): (&Column, &world::Column)| {
        column.name == given.name && kind(column.kind) == given.kind && column.many == given.many
    };
    if layout.len() != expected.len() {
        return Err(format!("{} columns, not {}", layout.len(), expected.len()));
    }
    if let Some((column, _)) = expected.iter().zip(&layout).find(|pair| !is_same(*pair)) {
        return Err(format!(
            "`{}` is of another kind here than where the module was built",
            column.name
        ));
    }
    M::new(&Config(config))
}

fn kind(kind: Kind) -> world::Kind {
    match kind {
        Kind::Text => world::Kind::Text,
        Kind::Boolean => world::Kind::Boolean,
        Kind::Signed => world::Kind::Signed,
        Kind::Unsigned => world::Kind::Unsigned,
        Kind::Address => world::Kind::Address,
        Kind::Time => world::Kind::Time,
        Kind::Duration => world::Kind::Duration,
        Kind::Bytes => world::Kind::Bytes,
        Kind::Real => world::Kind::Real,
    }
}

/// Alerts as the world has them.
pub fn alerts(alerts: Vec<Alert>) -> Vec<world::Alert> {
    let value = |value| match value {
        Value::Text(text) => world::Value::Text(text),
        Value::Signed(number) => world::Value::Signed(number),
        Value::Unsigned(number) => world::Value::Unsigned(number),
        Value::Real(number) => world::Value::Real(number),
        Value::Boolean(flag) => world::Value::Boolean(flag),
    };
    let alerts = alerts.into_iter().map(|alert| world::Alert {
        row: alert.row,
        rule: alert.rule,
        message: alert.message,
        fields: alert
            .fields
            .into_iter()
            .map(|(name, given)| (name, value(given)))
            .collect(),
    });
    alerts.collect()
}

/// Makes a component of a [`Module`].
#[macro_export]
macro_rules! export {
    ($module:ty) => {
        #[doc(hidden)]
        mod __saker_module {
            use super::*;
            use ::std::cell::RefCell;
            use $crate::bindings::exports::saker::rules::module as world;

            // A component's instance has one thread.
            ::std::thread_local! {
                static MODULE: RefCell<Option<$module>> = const { RefCell::new(None) };
            }

            struct Exported;

            impl world::Guest for Exported {
                fn describe() -> world::Description {
                    $crate::glue::describe::<$module>()
                }

                fn init(
                    config: Vec<(String, String)>,
                    layout: Vec<world::Column>,
                ) -> Result<(), String> {
                    let module = $crate::glue::init::<$module>(config, layout)?;
                    MODULE.set(Some(module));
                    Ok(())
                }

                fn on_batch(rows: Vec<u8>) -> Vec<world::Alert> {
                    MODULE.with_borrow_mut(|module| {
                        let module = module.as_mut().expect("Saker calls `init` first");
                        $crate::glue::alerts($crate::glue::batch(module, &rows))
                    })
                }

                fn on_tick(time: u64) -> Vec<world::Alert> {
                    MODULE.with_borrow_mut(|module| {
                        let module = module.as_mut().expect("Saker calls `init` first");
                        $crate::glue::alerts($crate::glue::tick(module, time))
                    })
                }

                fn on_response(
                    request: u64,
                    outcome: Result<world::Answer, String>,
                ) -> Vec<world::Alert> {
                    MODULE.with_borrow_mut(|module| {
                        let module = module.as_mut().expect("Saker calls `init` first");
                        $crate::glue::alerts($crate::glue::response(module, request, outcome))
                    })
                }
            }

            #[cfg(target_arch = "wasm32")]
            $crate::bindings::export_bindings!(Exported with_types_in $crate::bindings);
        }
    };
}
