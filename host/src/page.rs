//! The page's host side: what `web` asks, answered from the store, from the event thread (which is
//! asked as `saker ctl` asks it) and from the modules that are loaded.

mod addition;
mod behind;
mod editor;
mod exception;
mod operating;
mod token;

use crate::config::Config;
use crate::control::Asker;
use crate::local::LocalFile;
use crate::modules::{Module, Selection};
use crate::store::Store;
use behind::Behind;
pub use operating::serve as serve_operations;
use saker_web::health::Check;
use saker_web::{Refusal, Served, Settings, Tls, Unserved};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
pub use token::Unfit;

/// Tells what is missing here.
pub type Doctor = Box<dyn Fn() -> Vec<Check> + Send + Sync>;

/// Tries rules. What tries them stands below the page, which therefore knows it by this.
pub trait Try: Send + Sync {
    /// Over recent events, or those of a capture.
    fn judge(&self, tried: &Tried<'_>) -> Result<saker_web::trial::Tried, Refusal>;
}

/// What is tried, over what, and what it is compared with.
pub struct Tried<'a> {
    /// The rules.
    pub module: Module,
    /// The module whose place they would take.
    pub replaces: Option<String>,
    /// A capture; recent events where it is none.
    pub capture: Option<&'a [u8]>,
    /// The modules that run.
    pub running: Vec<Module>,
    /// Which rules are on.
    pub selection: &'a Selection,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum Unstarted {
    /// A token cannot be had.
    #[error("`{0}` is no file of a token: {1}")]
    Token(PathBuf, Unfit),
    /// One of both files is not said.
    #[error("`page.certificate` and `page.key` belong together")]
    HalfOfTls,
    /// TLS is wanted, and no certificate is named.
    #[error("`webserver.ssl_enabled` wants `webserver.ssl_certificate`")]
    NoCertificate,
    /// It cannot be served.
    #[error("{0}")]
    Unserved(#[from] Unserved),
}

/// What is loaded, as the page shows it.
#[derive(Clone, Default)]
pub struct Loaded {
    /// The modules, and whether they run.
    pub modules: Vec<(Module, bool)>,
    /// Which rules are on.
    pub selection: Selection,
    /// The file that stands in for the rule files, if one does.
    pub stand_in: Option<PathBuf>,
}

/// What is loaded, for the threads that answer.
type Shown = Arc<Mutex<Arc<Loaded>>>;

/// The page, as long as it is served.
pub struct Page {
    served: Served,
    is_secure: bool,
    token: String,
    shown: Shown,
}

impl Page {
    /// Serves it.
    pub fn serve(
        config: &Config,
        store: Store,
        asker: Asker,
        doctor: Doctor,
        trials: Box<dyn Try>,
        local: Option<LocalFile>,
    ) -> Result<Page, Unstarted> {
        let page = &config.page;
        let beside = || store.path().with_file_name("page.token");
        let file = page.token_file.clone().unwrap_or_else(beside);
        let of = |path: PathBuf, found| match found {
            Ok(found) => Ok(found),
            Err(why) => Err(Unstarted::Token(path, why)),
        };
        let (token, admin) = of(file.clone(), token::read_or_make(&file))?;
        let viewer = page.viewer_token_file.clone();
        let viewer = viewer.map(|file| of(file.clone(), token::read(&file)));
        let tls = match (&page.certificate, &page.key) {
            (Some(certificate), Some(key)) => Some(Tls {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(Unstarted::HalfOfTls),
        };
        let settings = Settings {
            address: page.address,
            tls,
            admin,
            viewer: viewer.transpose()?.map(|(_, token)| token),
            hosts: page.hosts.clone(),
            sessions: Some(store.path().with_file_name("page.sessions")),
        };
        let shown = Shown::default();
        let behind = Behind::new(config, store, asker, doctor, trials, shown.clone(), local);
        Ok(Page {
            served: saker_web::serve(&settings, Arc::new(behind))?,
            is_secure: settings.tls.is_some(),
            token,
            shown,
        })
    }

    /// Where it is.
    pub fn address(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}/", self.socket())
    }

    /// Where it is listened for.
    pub fn socket(&self) -> SocketAddr {
        self.served.address
    }

    /// A link that lets in whoever follows it. What stands behind `#` is sent to no server.
    pub fn link(&self) -> String {
        format!("{}#token={}", self.address(), self.token)
    }

    /// Has it show other modules.
    pub fn show(&self, loaded: Loaded) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
    }
}
