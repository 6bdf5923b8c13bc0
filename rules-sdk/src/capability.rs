//! What a module may call. Natively, in tests, there are stand-ins.

use crate::Nanoseconds;

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For whoever wrote the module.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is not as it should be.
    Warn,
    /// The module cannot do what it is for.
    Error,
}

/// Says something to whoever runs Saker.
pub fn log(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    {
        use crate::bindings::saker::rules::log;
        let level = match level {
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        log::write(level, message);
    }
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message}");
}

/// The time, in nanoseconds since 1970 and whole milliseconds. Wants
/// [`Capability::Clock`](crate::Capability::Clock). Natively, the time of the last event.
pub fn now() -> Nanoseconds {
    #[cfg(target_arch = "wasm32")]
    {
        crate::bindings::saker::rules::clock::now()
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        native::NOW.get()
    }
}

/// Values that outlive the module's instance. Wants [`Capability::Kv`](crate::Capability::Kv).
pub mod kv {
    /// Why nothing was kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Refusal {
        /// The key or the value is too long.
        TooLong,
        /// There is no room left.
        Full,
    }

    /// What is kept under a key.
    pub fn get(key: &str) -> Option<Vec<u8>> {
        #[cfg(target_arch = "wasm32")]
        {
            crate::bindings::saker::rules::kv::get(key)
        }
        #[cfg(not(target_arch = "wasm32"))]
        {
            super::native::KEPT.with_borrow(|kept| kept.get(key).cloned())
        }
    }

    /// Keeps a value in place of the one before.
    pub fn set(key: &str, value: &[u8]) -> Result<(), Refusal> {
        #[cfg(target_arch = "wasm32")]
        {
            use crate::bindings::saker::rules::kv;
            kv::set(key, value).map_err(|refusal| match refusal {
                kv::Refusal::TooLong => Refusal::TooLong,
                kv::Refusal::Full => Refusal::Full,
            })
        }
        #[cfg(not(target_arch = "wasm32"))]
        {
            super::native::KEPT.with_borrow_mut(|kept| kept.insert(key.into(), value.to_vec()));
            Ok(())
        }
    }

    /// Forgets a key.
    pub fn delete(key: &str) {
        #[cfg(target_arch = "wasm32")]
        crate::bindings::saker::rules::kv::delete(key);
        #[cfg(not(target_arch = "wasm32"))]
        super::native::KEPT.with_borrow_mut(|kept| kept.remove(key));
    }
}

/// Numbers for whoever runs Saker. Wants [`Capability::Metrics`](crate::Capability::Metrics).
pub mod metrics {
    /// Adds to a number that only grows; false where it is none, or there are too many.
    pub fn add(name: &str, by: u64) -> bool {
        #[cfg(target_arch = "wasm32")]
        {
            crate::bindings::saker::rules::metrics::add(name, by).is_ok()
        }
        #[cfg(not(target_arch = "wasm32"))]
        {
            let _ = (name, by);
            true
        }
    }

    /// Sets a number that goes up and down; false as above.
    pub fn set(name: &str, value: f64) -> bool {
        #[cfg(target_arch = "wasm32")]
        {
            crate::bindings::saker::rules::metrics::set(name, value).is_ok()
        }
        #[cfg(not(target_arch = "wasm32"))]
        {
            let _ = (name, value);
            true
        }
    }
}

/// Requests to servers that the settings name. Wants
/// [`Capability::Http`](crate::Capability::Http).
pub mod http {
    /// What a server answered.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Answer {
        /// Its status.
        pub status: u16,
        /// Names, in small letters, and values.
        pub headers: Vec<(String, String)>,
        /// What came behind them.
        pub body: Vec<u8>,
        /// The body was too long, and is cut.
        pub is_cut: bool,
    }

    /// Why a request is not sent.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Refusal {
        /// The settings do not name that server.
        NotAllowed,
        /// It is no request.
        Invalid,
        /// It is too long.
        TooLong,
        /// Too many wait already.
        Full,
        /// There is no network: in a replay, and natively.
        Unavailable,
    }

    /// Queues a request: [`Module::response`](crate::Module::response) will have the number.
    pub fn submit(
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<u64, Refusal> {
        #[cfg(target_arch = "wasm32")]
        {
            use crate::bindings::saker::rules::http;
            let request = http::Request {
                method: method.into(),
                url: url.into(),
                headers: headers
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_string()))
                    .collect(),
                body: body.to_vec(),
            };
            http::submit(&request).map_err(|refusal| match refusal {
                http::Refusal::NotAllowed => Refusal::NotAllowed,
                http::Refusal::Invalid => Refusal::Invalid,
                http::Refusal::TooLong => Refusal::TooLong,
                http::Refusal::Full => Refusal::Full,
                http::Refusal::Unavailable => Refusal::Unavailable,
            })
        }
        #[cfg(not(target_arch = "wasm32"))]
        {
            let _ = (method, url, headers, body);
            Err(Refusal::Unavailable)
        }
    }
}

/// What stands in for the host in tests.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod native {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    thread_local! {
        pub(crate) static NOW: Cell<u64> = const { Cell::new(0) };
        pub(crate) static KEPT: RefCell<BTreeMap<String, Vec<u8>>> =
            const { RefCell::new(BTreeMap::new()) };
    }
}
