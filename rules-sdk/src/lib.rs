//! Rule modules for Saker, written in Rust.
//!
//! A module says which events it wants and what of them ([`row!`](crate::row!)), gets them one by
//! one, and alerts ([`Alerts`]). It is a value of a type that is a [`Module`]; [`export!`] makes
//! a component of it. Everything works natively as well, so that a module is tested as any other
//! code is ([`testing`]).
//!
//! ```
//! use saker_rules_sdk::{Alerts, Config, Description, Module, Priority, Rule, row};
//!
//! row! {
//!     /// What the module wants to know of an event.
//!     pub struct Opened { name: ProcName, file: FdName }
//! }
//!
//! /// Counts what each program opens.
//! struct Count(std::collections::HashMap<Vec<u8>, u32>);
//!
//! impl Module for Count {
//!     type Row<'r> = Opened<'r>;
//!
//!     fn describe() -> Description {
//!         Description::new("count", "evt.type in (open, openat, openat2)")
//!             .rule(Rule::new("Opens much", Priority::Notice).output("%proc.name opens %fd.name"))
//!     }
//!
//!     fn new(_: &Config) -> Result<Count, String> {
//!         Ok(Count(Default::default()))
//!     }
//!
//!     fn event(&mut self, row: Opened<'_>, alerts: &mut Alerts) {
//!         let Some(name) = row.name() else { return };
//!         let count = self.0.entry(name.bytes().to_vec()).or_default();
//!         *count += 1;
//!         if *count == 3 {
//!             alerts.alert(0).field("count", *count);
//!         }
//!     }
//! }
//! ```

mod alert;
#[doc(hidden)]
pub mod bindings;
mod capability;
pub mod field;
#[doc(hidden)]
pub mod glue;
mod module;
mod row;
pub mod testing;

pub use alert::{Alert, Alerts, Value};
pub use capability::{Level, http, http::Answer, kv, log, metrics, now};
pub use module::{Capability, Config, Description, Module, Priority, Rule, State};
pub use row::{List, Record, Row, Text};

/// A moment, or a span, in nanoseconds.
pub type Nanoseconds = u64;
