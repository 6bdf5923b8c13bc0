//! Settings: one table of keys with their defaults and meaning, set by `-o key=value`.
//!
//! Where Falco has a key for the same thing, its name and values are used. What a setting does
//! is the business of those who are handed the [`Config`].

mod array;

use crate::alert::{Format, ShownModule};
use crate::enrich::engine;
pub use array::{Append, ENTRY_SETTINGS, EntrySetting, ModuleChoice, RuleChoice};
use saker_rules_compiler::similar;
use saker_rules_schema::manifest::Priority;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Which of several matching rules alert on one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// Every rule that holds.
    All,
    /// The first in load order.
    First,
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The running kernel.
    Kernel,
    /// Captures.
    Replay,
}

/// What judges windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JudgedBy {
    /// A process of its own, without rights.
    Process,
    /// Threads of the sensor.
    Threads,
}

/// All settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// The form of alert lines.
    pub format: Format,
    /// What is watched, where a setting says so.
    pub engine: Option<Engine>,
    /// Alerts go to standard output.
    pub stdout: bool,
    /// Rule files beside those of the command line.
    pub rules_files: Vec<PathBuf>,
    /// Rules that are turned on or off, in this order.
    pub rules: Vec<RuleChoice>,
    /// What is added to outputs.
    pub append_output: Vec<Append>,
    /// What is set for components.
    pub modules: Vec<ModuleChoice>,
    /// The capture to replay, if none is named otherwise.
    pub capture_file: Option<PathBuf>,
    /// Alerts of rules that ask for it are accompanied by captures.
    pub capture: bool,
    /// Those of every rule are.
    pub capture_all_rules: bool,
    /// What names of captures begin with.
    pub capture_path_prefix: PathBuf,
    /// How long a capture goes on if the rule does not say.
    pub capture_duration: Duration,
    /// How far a capture reaches back.
    pub capture_before: Duration,
    /// Bytes of a capture before compression, at most.
    pub capture_bytes_max: Option<u64>,
    /// Rules below this priority are not loaded.
    pub priority: Priority,
    /// Which of several matching rules alert.
    pub matching: Matching,
    /// The host's name in alerts; `None`: the kernel's.
    pub hostname: Option<String>,
    /// Alerts waiting to be written, at most.
    pub outputs_queue_max: usize,
    /// Only processes in this cgroup (v2) and below are watched.
    pub scope_cgroup: Option<PathBuf>,
    /// CPUs that share one ring buffer.
    pub cpus_per_ring: u32,
    /// Bytes of each bulk ring buffer (a power of two).
    pub ring_bytes: u32,
    /// A window closes after that many rows.
    pub window_rows_max: usize,
    /// A window with rows closes after that time.
    pub window_flush_after: Duration,
    /// Windows in flight, at most.
    pub window_slots: u32,
    /// CPU time a ruleset may take for one window.
    pub budget_cpu: Duration,
    /// Threads that judge windows.
    pub judge_threads: usize,
    /// What judges while the kernel is watched; `None`: a process, if there can be one.
    pub judged_by: Option<JudgedBy>,
    /// Where native code of rulesets is kept; `None`: nowhere.
    pub cache_directory: Option<PathBuf>,
    /// Container engines that are asked.
    pub engines: engine::Settings,
    /// How long an event may wait for what they tell of its container.
    pub metadata_wait: Duration,
    /// Rules and modules are read again when their files change.
    pub watch_files: bool,
    /// The folder of modules; `None`: there is none.
    pub modules_folder: Option<PathBuf>,
    /// How long another version of a module is on probation.
    pub modules_probation: Duration,
    /// Whether only modules are loaded that one of the keys has signed.
    pub modules_require_signature: bool,
    /// Public keys of those whose modules are believed.
    pub modules_keys: Vec<PathBuf>,
    /// Where `saker ctl` is listened to; `None`: nowhere.
    pub control_socket: Option<PathBuf>,
    /// The page.
    pub page: Page,
    /// What kubelet and Prometheus ask.
    pub webserver: Webserver,
    /// Whether what is counted is told.
    pub metrics: bool,
    /// Where alerts are kept; `None`: nowhere, and there is no page.
    pub store: Option<PathBuf>,
    /// How old an alert that is kept may become.
    pub store_age: Duration,
    /// Bytes that alerts may take.
    pub store_bytes: u64,
    /// Bytes that recent events may take; 0: none are kept.
    pub recent_bytes: usize,
}

/// How the page is served.
#[derive(Clone, Debug)]
pub struct Page {
    /// Whether it is.
    pub enabled: bool,
    /// Where.
    pub address: SocketAddr,
    /// The file with the token of those who may change things; `None`: beside the store.
    pub token_file: Option<PathBuf>,
    /// The file with the token of those who may look.
    pub viewer_token_file: Option<PathBuf>,
    /// The certificate for TLS, with those between it and the root.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Names by which it is reached.
    pub hosts: Vec<String>,
    /// The rule file that exceptions are saved to.
    pub local_rules: LocalRules,
}

/// Where the rule file is that is loaded last, and that the page writes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LocalRules {
    /// Beside the last rule file.
    #[default]
    Beside,
    /// There.
    At(PathBuf),
    /// There is none.
    Nowhere,
}

impl Default for Page {
    fn default() -> Page {
        Page {
            enabled: true,
            address: PAGE_ADDRESS,
            token_file: None,
            viewer_token_file: None,
            certificate: None,
            key: None,
            hosts: Vec::new(),
            local_rules: LocalRules::Beside,
        }
    }
}

/// How what kubelet and Prometheus ask is answered.
#[derive(Clone, Debug)]
pub struct Webserver {
    /// Whether it is.
    pub enabled: bool,
    /// Where.
    pub address: IpAddr,
    /// At which port.
    pub port: u16,
    /// What is asked for healthiness.
    pub healthz: String,
    /// Whether metrics are told.
    pub metrics: bool,
    /// Whether over TLS.
    pub tls: bool,
    /// With which certificate and key.
    pub certificate: Option<PathBuf>,
}

impl Default for Webserver {
    fn default() -> Webserver {
        Webserver {
            enabled: false,
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 8765,
            healthz: saker_web::operations::HEALTHZ.into(),
            metrics: false,
            tls: false,
            certificate: None,
        }
    }
}

/// Where the page is.
const PAGE_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8766);
/// Where alerts are kept.
const STORE: &str = "/var/lib/saker/alerts.db";

/// Where `saker run` listens to `saker ctl`.
pub const CONTROL_SOCKET: &str = "/run/saker/control.sock";

const DAY_SECONDS: u64 = 24 * 3600;

impl Default for Config {
    fn default() -> Config {
        Config {
            format: Format::default(),
            engine: None,
            stdout: true,
            rules_files: Vec::new(),
            rules: Vec::new(),
            append_output: Vec::new(),
            modules: Vec::new(),
            capture_file: None,
            capture: false,
            capture_all_rules: false,
            capture_path_prefix: PathBuf::from("/var/lib/saker/capture"),
            capture_duration: Duration::from_secs(5),
            capture_before: Duration::from_secs(5),
            capture_bytes_max: None,
            priority: Priority::Debug,
            matching: Matching::All,
            hostname: None,
            outputs_queue_max: 10_000,
            scope_cgroup: None,
            cpus_per_ring: 2,
            ring_bytes: 8 << 20,
            window_rows_max: 4096,
            window_flush_after: Duration::from_millis(5),
            window_slots: 8,
            budget_cpu: Duration::from_millis(50),
            judge_threads: 1,
            judged_by: None,
            cache_directory: Some(PathBuf::from("/var/cache/saker")),
            engines: engine::Settings::default(),
            metadata_wait: Duration::from_millis(1500),
            watch_files: true,
            modules_folder: Some(PathBuf::from("/etc/saker/modules")),
            modules_probation: Duration::from_secs(60),
            modules_require_signature: false,
            modules_keys: Vec::new(),
            control_socket: Some(PathBuf::from(CONTROL_SOCKET)),
            page: Page::default(),
            webserver: Webserver::default(),
            metrics: false,
            store: Some(PathBuf::from(STORE)),
            store_age: Duration::from_secs(30 * DAY_SECONDS),
            store_bytes: 1 << 30,
            recent_bytes: 64 << 20,
        }
    }
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No `=` in it.
    #[error("`{0}` is no setting: write `key=value`")]
    NoValue(String),
    /// No such key.
    #[error("no setting is called `{0}`{1}")]
    UnknownKey(String, Suggestion),
    /// An entry behind the end of a list.
    #[error("`{0}` is an entry beyond the next one: write `{1}[]` to append one")]
    NoEntry(String, String),
    /// What begins like JSON is none.
    #[error("`{0}` takes a JSON value, not `{1}`")]
    NotJson(String, String),
    /// The key does not take that value.
    #[error("`{key}` takes {wanted}, not `{value}`")]
    BadValue {
        /// The key.
        key: &'static str,
        /// What was given.
        value: String,
        /// What it takes.
        wanted: &'static str,
    },
}

/// A key that may have been meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion(pub(super) Option<&'static str>);

impl std::fmt::Display for Suggestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(key) => write!(f, "; did you mean `{key}`?"),
            None => Ok(()),
        }
    }
}

/// Where a setting matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Wherever events are read.
    Any,
    /// Where rules are judged and alerts written.
    Alerts,
    /// Where the running kernel is watched.
    Kernel,
    /// Where rules judge it, and may change.
    Rules,
    /// Where captures are replayed.
    Replay,
    /// Nowhere: it says what is so anyhow.
    Falco,
}

/// One row of the table of settings.
pub struct Setting {
    /// Its name.
    pub key: &'static str,
    /// Where it matters.
    pub used: Use,
    /// What it takes, for messages.
    pub wanted: &'static str,
    /// What it does.
    pub description: &'static str,
    apply: fn(&mut Config, &str) -> Option<()>,
}

/// Every setting.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "json_output",
        used: Use::Alerts,
        wanted: "true or false (default false)",
        description: "Write alerts as JSON lines.",
        apply: |config, value| set(&mut config.format.json, boolean(value)),
    },
    Setting {
        key: "json_include_output_property",
        used: Use::Alerts,
        wanted: "true or false (default true)",
        description: "JSON alerts have `output`.",
        apply: |config, value| set(&mut config.format.include_output, boolean(value)),
    },
    Setting {
        key: "json_include_message_property",
        used: Use::Alerts,
        wanted: "true or false (default false)",
        description: "JSON alerts have `message`: the output without time and priority.",
        apply: |config, value| set(&mut config.format.include_message, boolean(value)),
    },
    Setting {
        key: "json_include_output_fields_property",
        used: Use::Alerts,
        wanted: "true or false (default true)",
        description: "JSON alerts have `output_fields`.",
        apply: |config, value| set(&mut config.format.include_output_fields, boolean(value)),
    },
    Setting {
        key: "json_include_tags_property",
        used: Use::Alerts,
        wanted: "true or false (default true)",
        description: "JSON alerts have `tags`.",
        apply: |config, value| set(&mut config.format.include_tags, boolean(value)),
    },
    Setting {
        key: "modules.in_alerts",
        used: Use::Alerts,
        wanted: "nothing, others, name or digest (default others)",
        description: "What `output_fields` say of the module that alerts: its name \
                      (`saker.module`), its name unless it is the rule files, or its name and \
                      the digest of its version (`saker.module_digest`).",
        apply: |config, value| {
            let shown = match value {
                "nothing" => Some(ShownModule::Nothing),
                "others" => Some(ShownModule::Others),
                "name" => Some(ShownModule::Name),
                "digest" => Some(ShownModule::Digest),
                _ => None,
            };
            set(&mut config.format.module, shown)
        },
    },
    Setting {
        key: "time_format_iso_8601",
        used: Use::Alerts,
        wanted: "true or false (default false)",
        description: "Write the date with the time.",
        apply: |config, value| set(&mut config.format.iso_8601, boolean(value)),
    },
    Setting {
        key: "priority",
        used: Use::Alerts,
        wanted: "emergency, alert, critical, error, warning, notice, info or debug (default debug)",
        description: "Load only rules of this priority and above.",
        apply: |config, value| set(&mut config.priority, Priority::parse(value)),
    },
    Setting {
        key: "rule_matching",
        used: Use::Alerts,
        wanted: "all or first (default all)",
        description: "Whether all rules that hold give an alert, or only the first.",
        apply: |config, value| {
            let matching = match value {
                "all" => Some(Matching::All),
                "first" => Some(Matching::First),
                _ => None,
            };
            set(&mut config.matching, matching)
        },
    },
    Setting {
        key: "hostname",
        used: Use::Any,
        wanted: "a name (default: FALCO_HOSTNAME, else the kernel's)",
        description: "The host's name in alerts.",
        apply: |config, value| set(&mut config.hostname, Some(Some(value.to_owned()))),
    },
    Setting {
        key: "stdout_output.enabled",
        used: Use::Alerts,
        wanted: "true or false (default true)",
        description: "Write alerts to standard output.",
        apply: |config, value| set(&mut config.stdout, boolean(value)),
    },
    Setting {
        key: "engine.replay.capture_file",
        used: Use::Replay,
        wanted: "a capture",
        description: "What `saker replay` judges when no file is named.",
        apply: |config, value| set(&mut config.capture_file, Some(Some(PathBuf::from(value)))),
    },
    Setting {
        key: "capture.enabled",
        used: Use::Alerts,
        wanted: "true or false (default false)",
        description: "Write a capture when a rule with `capture: true` alerts.",
        apply: |config, value| set(&mut config.capture, boolean(value)),
    },
    Setting {
        key: "capture.mode",
        used: Use::Alerts,
        wanted: "rules or all_rules (default rules)",
        description: "Whether only rules with `capture: true` give captures, or all.",
        apply: |config, value| {
            let all = match value {
                "rules" => Some(false),
                "all_rules" => Some(true),
                _ => None,
            };
            set(&mut config.capture_all_rules, all)
        },
    },
    Setting {
        key: "capture.path_prefix",
        used: Use::Alerts,
        wanted: "an absolute path (default /var/lib/saker/capture)",
        description: "What the names of captures begin with; time and number of the event follow.",
        apply: |config, value| {
            let path = value.starts_with('/').then(|| PathBuf::from(value));
            set(&mut config.capture_path_prefix, path)
        },
    },
    Setting {
        key: "capture.default_duration",
        used: Use::Alerts,
        wanted: "a number from 0 to 3600000 (default 5000)",
        description: "Milliseconds for which a capture goes on, where the rule does not say.",
        apply: |config, value| {
            let duration = number(value, 0, 3_600_000).map(|ms| Duration::from_millis(ms.into()));
            set(&mut config.capture_duration, duration)
        },
    },
    Setting {
        key: "capture.before_ms",
        used: Use::Alerts,
        wanted: "a number from 0 to 600000 (default 5000)",
        description: "Milliseconds for which a capture reaches back before the alert.",
        apply: |config, value| {
            let before = number(value, 0, 600_000).map(|ms| Duration::from_millis(ms.into()));
            set(&mut config.capture_before, before)
        },
    },
    Setting {
        key: "capture.max_file_size_mb",
        used: Use::Alerts,
        wanted: "a number from 0 to 1000000 (default 0: no bound)",
        description: "Events of a capture take no more MB than so many, before compression.",
        apply: |config, value| {
            let megabytes = number(value, 0, 1_000_000)?;
            config.capture_bytes_max =
                (megabytes > 0).then(|| u64::from(megabytes).saturating_mul(1_000_000));
            Some(())
        },
    },
    Setting {
        key: "engine.kind",
        used: Use::Alerts,
        wanted: "modern_ebpf (for `saker run`) or replay (for `saker replay`)",
        description: "What is watched; the command says so as well, and must not say otherwise.",
        apply: |config, value| {
            let engine = match value {
                "modern_ebpf" => Some(Engine::Kernel),
                "replay" => Some(Engine::Replay),
                _ => None,
            };
            set(&mut config.engine, engine.map(Some))
        },
    },
    Setting {
        key: "buffered_outputs",
        used: Use::Falco,
        wanted: "true or false (default false)",
        description: "Taken for Falco's sake: alerts are handed on together while there are more.",
        apply: |_, value| boolean(value).map(drop),
    },
    Setting {
        key: "watch_config_files",
        used: Use::Rules,
        wanted: "true or false (default true)",
        description: "Read rules and modules again when their files change.",
        apply: |config, value| set(&mut config.watch_files, boolean(value)),
    },
    Setting {
        key: "modules.folder",
        used: Use::Rules,
        wanted: "an absolute path (default /etc/saker/modules), or nothing for none",
        description: "A folder of modules (.wasm) and further rulesets (.yaml), each loaded, \
                      changed and given up with its file. Must be root's or your own, and \
                      closed to writing by others.",
        apply: |config, value| set(&mut config.modules_folder, absolute(value)),
    },
    Setting {
        key: "modules.probation_ms",
        used: Use::Rules,
        wanted: "a number from 0 to 3600000 (default 60000)",
        description: "Milliseconds within which a failure of another version of a module brings \
                      the version before back.",
        apply: |config, value| {
            let time = number(value, 0, 3_600_000).map(|ms| Duration::from_millis(ms.into()));
            set(&mut config.modules_probation, time)
        },
    },
    Setting {
        key: "modules.require_signature",
        used: Use::Alerts,
        wanted: "true or false (default false)",
        description: "Load only modules (files ending in .wasm, and rulesets of the folder of \
                      modules) that the owner of one of `modules.keys` has signed.",
        apply: |config, value| set(&mut config.modules_require_signature, boolean(value)),
    },
    Setting {
        key: "modules.keys",
        used: Use::Alerts,
        wanted: "absolute paths, separated by commas or as a JSON array",
        description: "Public keys (cosign.pub) of those who may sign modules.",
        apply: |config, value| set(&mut config.modules_keys, paths(value)),
    },
    Setting {
        key: "control.socket",
        used: Use::Rules,
        wanted: "an absolute path (default /run/saker/control.sock), or nothing for none",
        description: "The socket that `saker ctl` talks to. Only root and the user that Saker \
                      runs as may.",
        apply: |config, value| set(&mut config.control_socket, absolute(value)),
    },
    Setting {
        key: "page.enabled",
        used: Use::Rules,
        wanted: "true or false (default true)",
        description: "Serve the page, on which alerts are seen and rules changed. `saker ctl \
                      page` tells its address.",
        apply: |config, value| set(&mut config.page.enabled, boolean(value)),
    },
    Setting {
        key: "page.address",
        used: Use::Rules,
        wanted: "an address and a port (default 127.0.0.1:8766)",
        description: "Where the page is served. Beyond this machine it wants `page.certificate`.",
        apply: |config, value| set(&mut config.page.address, value.parse().ok()),
    },
    Setting {
        key: "page.token_file",
        used: Use::Rules,
        wanted: "an absolute path (default: `page.token` beside the alerts that are kept)",
        description: "The file whose first line lets in who may change things: 16 characters or \
                      more, for nobody else to read. Made where it is not there.",
        apply: |config, value| set(&mut config.page.token_file, absolute(value)),
    },
    Setting {
        key: "page.viewer_token_file",
        used: Use::Rules,
        wanted: "an absolute path, or nothing for none (default)",
        description: "Likewise, for those who may only look. It is not made.",
        apply: |config, value| set(&mut config.page.viewer_token_file, absolute(value)),
    },
    Setting {
        key: "page.certificate",
        used: Use::Rules,
        wanted: "an absolute path, or nothing for none (default)",
        description: "The certificate for TLS in PEM, with those between it and the root.",
        apply: |config, value| set(&mut config.page.certificate, absolute(value)),
    },
    Setting {
        key: "page.key",
        used: Use::Rules,
        wanted: "an absolute path, or nothing for none (default)",
        description: "The certificate's key in PEM.",
        apply: |config, value| set(&mut config.page.key, absolute(value)),
    },
    Setting {
        key: "page.hosts",
        used: Use::Rules,
        wanted: "names separated by commas",
        description: "Names by which the page is reached, beside addresses and `localhost`.",
        apply: |config, value| {
            let names: Vec<String> = (value.split(','))
                .map(|name| name.trim().to_ascii_lowercase())
                .filter(|name| !name.is_empty())
                .collect();
            let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
            let is_sound = names.iter().all(|name| name.chars().all(is_name));
            set(&mut config.page.hosts, is_sound.then_some(names))
        },
    },
    Setting {
        key: "page.local_rules",
        used: Use::Rules,
        wanted: "an absolute path (default: `saker_rules.local.yaml` beside the last rule file; \
                 /etc/saker/saker_rules.local.yaml where only the bundled rules run), or nothing \
                 for none",
        description: "The rule file that is loaded behind all others, if it is there, and the \
                      only one that the page writes to: it saves exceptions in it.",
        apply: |config, value| {
            let file = absolute(value).map(|path| path.map_or(LocalRules::Nowhere, LocalRules::At));
            set(&mut config.page.local_rules, file)
        },
    },
    Setting {
        key: "recent.max_mb",
        used: Use::Rules,
        wanted: "a number from 0 to 4096 (default 64)",
        description: "MiB that recent events may take, against which rules are tried on the page; \
                      0 keeps none.",
        apply: |config, value| {
            let bytes = number(value, 0, 4096).map(|mebibytes| (mebibytes as usize) << 20);
            set(&mut config.recent_bytes, bytes)
        },
    },
    Setting {
        key: "store.path",
        used: Use::Rules,
        wanted: "an absolute path (default /var/lib/saker/alerts.db), or nothing to keep none",
        description: "The file in which alerts are kept for the page.",
        apply: |config, value| set(&mut config.store, absolute(value)),
    },
    Setting {
        key: "store.max_age_days",
        used: Use::Rules,
        wanted: "a number from 1 to 36500 (default 30)",
        description: "Alerts that are older are given up.",
        apply: |config, value| {
            let days = number(value, 1, 36_500);
            let age = days.map(|days| Duration::from_secs(u64::from(days) * DAY_SECONDS));
            set(&mut config.store_age, age)
        },
    },
    Setting {
        key: "store.max_mb",
        used: Use::Rules,
        wanted: "a number from 16 to 1000000 (default 1024)",
        description: "MiB that alerts may take; the oldest of more are given up.",
        apply: |config, value| {
            let bytes = number(value, 16, 1_000_000).map(|mebibytes| u64::from(mebibytes) << 20);
            set(&mut config.store_bytes, bytes)
        },
    },
    Setting {
        key: "syslog_output.enabled",
        used: Use::Falco,
        wanted: "false: there is no such output yet",
        description: "Taken for Falco's sake.",
        apply: |_, value| (value == "false").then_some(()),
    },
    Setting {
        key: "webserver.enabled",
        used: Use::Rules,
        wanted: "true or false (default false)",
        description: "Answer what kubelet and Prometheus ask, to anybody: /healthz, /versions and \
                      /metrics.",
        apply: |config, value| set(&mut config.webserver.enabled, boolean(value)),
    },
    Setting {
        key: "webserver.listen_address",
        used: Use::Rules,
        wanted: "an address (default 0.0.0.0)",
        description: "Where that is listened for.",
        apply: |config, value| set(&mut config.webserver.address, value.parse().ok()),
    },
    Setting {
        key: "webserver.listen_port",
        used: Use::Rules,
        wanted: "a number from 0 to 65535 (default 8765)",
        description: "At which port.",
        apply: |config, value| {
            set(
                &mut config.webserver.port,
                number(value, 0, 65_535).map(|port| port as u16),
            )
        },
    },
    Setting {
        key: "webserver.k8s_healthz_endpoint",
        used: Use::Rules,
        wanted: "a path of letters, digits, `-`, `_` and `/` (default /healthz)",
        description: "What is asked for healthiness.",
        apply: |config, value| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_/".contains(c);
            let is_path = value.len() > 1 && value.starts_with('/') && value.chars().all(is_plain);
            let is_free = !["/versions", "/metrics"].contains(&value);
            let path = (is_path && is_free).then(|| value.to_owned());
            set(&mut config.webserver.healthz, path)
        },
    },
    Setting {
        key: "webserver.prometheus_metrics_enabled",
        used: Use::Rules,
        wanted: "true or false (default false)",
        description: "Whether /metrics is there; `metrics.enabled` must say so too.",
        apply: |config, value| set(&mut config.webserver.metrics, boolean(value)),
    },
    Setting {
        key: "webserver.ssl_enabled",
        used: Use::Rules,
        wanted: "true or false (default false)",
        description: "Whether that is answered over TLS.",
        apply: |config, value| set(&mut config.webserver.tls, boolean(value)),
    },
    Setting {
        key: "webserver.ssl_certificate",
        used: Use::Rules,
        wanted: "an absolute path",
        description: "The certificate for it and its key, in one file in PEM.",
        apply: |config, value| set(&mut config.webserver.certificate, absolute(value)),
    },
    Setting {
        key: "webserver.threadiness",
        used: Use::Falco,
        wanted: "a number: one thread always answers",
        description: "Taken for Falco's sake.",
        apply: |_, value| number(value, 0, 1024).map(drop),
    },
    Setting {
        key: "metrics.enabled",
        used: Use::Rules,
        wanted: "true or false (default false)",
        description: "Whether what is counted is told by /metrics, if the web server tells it.",
        apply: |config, value| set(&mut config.metrics, boolean(value)),
    },
    Setting {
        key: "log_stderr",
        used: Use::Falco,
        wanted: "true: messages always go there",
        description: "Taken for Falco's sake.",
        apply: |_, value| (value == "true").then_some(()),
    },
    Setting {
        key: "log_syslog",
        used: Use::Falco,
        wanted: "false: messages never go there",
        description: "Taken for Falco's sake.",
        apply: |_, value| (value == "false").then_some(()),
    },
    Setting {
        key: "log_level",
        used: Use::Falco,
        wanted: "info, notice, warning, error, critical, alert, emergency or debug",
        description: "Taken for Falco's sake: `--verbose` says more.",
        apply: |_, value| {
            let levels = [
                "emergency",
                "alert",
                "critical",
                "error",
                "warning",
                "notice",
                "info",
                "debug",
            ];
            levels.contains(&value).then_some(())
        },
    },
    Setting {
        key: "outputs_queue.capacity",
        used: Use::Alerts,
        wanted: "a number from 1 to 1000000 (default 10000)",
        description: "Alerts that may wait to be written; more are dropped and counted.",
        apply: |config, value| {
            set(
                &mut config.outputs_queue_max,
                number(value, 1, 1_000_000).map(|n| n as usize),
            )
        },
    },
    Setting {
        key: "scope.cgroup",
        used: Use::Kernel,
        wanted: "a directory of the cgroup v2 hierarchy",
        description: "Watch only processes in this cgroup and below.",
        apply: |config, value| set(&mut config.scope_cgroup, Some(Some(PathBuf::from(value)))),
    },
    Setting {
        key: "engine.modern_ebpf.cpus_for_each_buffer",
        used: Use::Kernel,
        wanted: "a number from 1 to 1024 (default 2)",
        description: "CPUs that share a ring buffer.",
        apply: |config, value| set(&mut config.cpus_per_ring, number(value, 1, 1024)),
    },
    Setting {
        key: "engine.modern_ebpf.buf_size_preset",
        used: Use::Kernel,
        wanted: "a number from 1 to 10 (default 4): 1, 2, 4, 8, 16, 32, 64, 128, 256, 512 MiB",
        description: "Size of each ring buffer.",
        apply: |config, value| {
            set(
                &mut config.ring_bytes,
                number(value, 1, 10).map(|preset| 1 << (19 + preset)),
            )
        },
    },
    Setting {
        key: "window.rows_max",
        used: Use::Any,
        wanted: "a number from 1 to 4096 (default 4096)",
        description: "Events judged together, at most.",
        apply: |config, value| {
            set(
                &mut config.window_rows_max,
                number(value, 1, 4096).map(|n| n as usize),
            )
        },
    },
    Setting {
        key: "window.flush_after_ms",
        used: Use::Kernel,
        wanted: "a number from 1 to 1000 (default 5)",
        description: "Milliseconds an event may wait for others to be judged with.",
        apply: |config, value| {
            let after = number(value, 1, 1000).map(|ms| Duration::from_millis(ms.into()));
            set(&mut config.window_flush_after, after)
        },
    },
    Setting {
        key: "sandbox.window_cpu_ms",
        used: Use::Kernel,
        wanted: "a number from 1 to 10000 (default 50)",
        description: "Milliseconds of CPU a ruleset may take for one window before it is stopped.",
        apply: |config, value| {
            let budget = number(value, 1, 10_000).map(|ms| Duration::from_millis(ms.into()));
            set(&mut config.budget_cpu, budget)
        },
    },
    Setting {
        key: "sandbox.threads",
        used: Use::Any,
        wanted: "a number from 1 to 64 (default 1)",
        description: "Threads that judge windows.",
        apply: |config, value| {
            set(
                &mut config.judge_threads,
                number(value, 1, 64).map(|n| n as usize),
            )
        },
    },
    Setting {
        key: "sandbox.judge",
        used: Use::Kernel,
        wanted: "process or threads (default: process, or threads where there can be none)",
        description: "Whether rules judge in a process of its own without any rights, and so \
                      each module in another language, or in threads of Saker's.",
        apply: |config, value| {
            let by = match value {
                "process" => Some(JudgedBy::Process),
                "threads" => Some(JudgedBy::Threads),
                _ => None,
            };
            set(&mut config.judged_by, by.map(Some))
        },
    },
    Setting {
        key: "cache.dir",
        used: Use::Any,
        wanted: "an absolute path (default /var/cache/saker), or nothing to keep none",
        description: "Where native code of rulesets is kept, so that they are ready sooner next \
                      time. Must be root's or your own, and closed to writing by others.",
        apply: |config, value| set(&mut config.cache_directory, absolute(value)),
    },
    Setting {
        key: "engines.docker.enabled",
        used: Use::Kernel,
        wanted: "true or false (default true)",
        description: "Ask Docker about containers.",
        apply: |config, value| set(&mut config.engines.docker.enabled, boolean(value)),
    },
    Setting {
        key: "engines.docker.sockets",
        used: Use::Kernel,
        wanted: "absolute paths, separated by commas or as a JSON array",
        description: "Where Docker listens, below HOST_ROOT.",
        apply: |config, value| set(&mut config.engines.docker.sockets, paths(value)),
    },
    Setting {
        key: "engines.podman.enabled",
        used: Use::Kernel,
        wanted: "true or false (default true)",
        description: "Ask Podman about containers.",
        apply: |config, value| set(&mut config.engines.podman.enabled, boolean(value)),
    },
    Setting {
        key: "engines.podman.sockets",
        used: Use::Kernel,
        wanted: "absolute paths, separated by commas or as a JSON array",
        description: "Where Podman listens, below HOST_ROOT. `$uid` stands for every user that is logged in.",
        apply: |config, value| set(&mut config.engines.podman.sockets, paths(value)),
    },
    Setting {
        key: "engines.containerd.enabled",
        used: Use::Kernel,
        wanted: "true or false (default true)",
        description: "Ask containerd about containers.",
        apply: |config, value| set(&mut config.engines.containerd.enabled, boolean(value)),
    },
    Setting {
        key: "engines.containerd.sockets",
        used: Use::Kernel,
        wanted: "absolute paths, separated by commas or as a JSON array",
        description: "Where containerd listens, below HOST_ROOT.",
        apply: |config, value| set(&mut config.engines.containerd.sockets, paths(value)),
    },
    Setting {
        key: "engines.cri.enabled",
        used: Use::Kernel,
        wanted: "true or false (default true)",
        description: "Ask the CRI's runtimes (containerd, CRI-O, k3s, ...) about containers.",
        apply: |config, value| set(&mut config.engines.cri.enabled, boolean(value)),
    },
    Setting {
        key: "engines.cri.sockets",
        used: Use::Kernel,
        wanted: "absolute paths, separated by commas or as a JSON array",
        description: "Where the CRI's runtimes (containerd, CRI-O, k3s, ...) listen, below HOST_ROOT.",
        apply: |config, value| set(&mut config.engines.cri.sockets, paths(value)),
    },
    Setting {
        key: "engines.lxc.enabled",
        used: Use::Kernel,
        wanted: "true or false (default true)",
        description: "Know the containers of LXC, by their control groups.",
        apply: |config, value| set(&mut config.engines.by_path.lxc, boolean(value)),
    },
    Setting {
        key: "engines.libvirt_lxc.enabled",
        used: Use::Kernel,
        wanted: "true or false (default true)",
        description: "Know the containers of libvirt's LXC, by their control groups.",
        apply: |config, value| set(&mut config.engines.by_path.libvirt_lxc, boolean(value)),
    },
    Setting {
        key: "engines.bpm.enabled",
        used: Use::Kernel,
        wanted: "true or false (default true)",
        description: "Know the containers of BPM, by their control groups.",
        apply: |config, value| set(&mut config.engines.by_path.bpm, boolean(value)),
    },
    Setting {
        key: "container.wait_ms",
        used: Use::Kernel,
        wanted: "a number from 0 to 60000 (default 1500)",
        description: "Milliseconds an event may wait until it is known what its container is.",
        apply: |config, value| {
            let wait = number(value, 0, 60_000).map(|ms| Duration::from_millis(ms.into()));
            set(&mut config.metadata_wait, wait)
        },
    },
];

impl Config {
    /// Applies one `key=value`.
    pub fn set(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let (key, value) = assignment
            .split_once('=')
            .ok_or_else(|| ConfigError::NoValue(assignment.to_owned()))?;
        let (key, value) = (key.trim(), value.trim());
        if let Some(done) = self.set_in_list(key, value) {
            return done;
        }
        let setting = SETTINGS
            .iter()
            .find(|setting| setting.key == key)
            .ok_or_else(|| ConfigError::UnknownKey(key.to_owned(), Suggestion(closest(key))))?;
        (setting.apply)(self, value).ok_or_else(|| ConfigError::BadValue {
            key: setting.key,
            value: value.to_owned(),
            wanted: setting.wanted,
        })
    }

    /// Whether it can be said of rules alone which of them never come to their turn: the first
    /// that holds is the only one, and no setting switches rules on or off.
    pub fn is_hiding_certain(&self) -> bool {
        self.matching == Matching::First
            && self.rules.is_empty()
            && self.priority == Priority::Debug
    }

    /// The host's name: the setting, else `FALCO_HOSTNAME`, else the kernel's.
    pub fn hostname(&self) -> String {
        self.hostname
            .clone()
            .or_else(|| std::env::var("FALCO_HOSTNAME").ok())
            .unwrap_or_else(|| {
                rustix::system::uname()
                    .nodename()
                    .to_string_lossy()
                    .into_owned()
            })
    }
}

fn set<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

/// A path from the root, or none where there is no text.
fn absolute(value: &str) -> Option<Option<PathBuf>> {
    match value {
        "" => Some(None),
        path => path.starts_with('/').then(|| Some(PathBuf::from(path))),
    }
}

fn boolean(value: &str) -> Option<bool> {
    match value {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Absolute paths: one, several with commas between them, or a JSON array.
fn paths(value: &str) -> Option<Vec<PathBuf>> {
    let paths: Vec<String> = match value.starts_with('[') {
        true => serde_json::from_str(value).ok()?,
        false => value
            .split(',')
            .map(|path| path.trim().to_owned())
            .collect(),
    };
    let is_whole = paths.iter().all(|path| path.starts_with('/'));
    is_whole.then(|| paths.into_iter().map(PathBuf::from).collect())
}

fn number(value: &str, least: u32, most: u32) -> Option<u32> {
    value
        .parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
}

/// The key that was meant, if it is but mistyped or its parts stand in another order.
fn closest(written: &str) -> Option<&'static str> {
    let entries = || ENTRY_SETTINGS.iter().map(|setting| setting.key);
    let keys = || SETTINGS.iter().map(|setting| setting.key).chain(entries());
    let parts = |key: &str| {
        let mut parts: Vec<&str> = key.split(['.', '_']).collect();
        parts.sort_unstable();
        parts.join(".")
    };
    similar(written, keys()).or_else(|| keys().find(|key| parts(key) == parts(written)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_refuses_nonsense_and_says_what_it_takes() {
        for setting in SETTINGS {
            let any = [
                "hostname",
                "scope.cgroup",
                "engine.replay.capture_file",
                "page.hosts",
            ];
            if any.contains(&setting.key) {
                continue; // any text is one
            }
            let error = Config::default()
                .set(&format!("{}=nonsense", setting.key))
                .unwrap_err();
            assert!(error.to_string().contains(setting.wanted), "{error}");
        }
    }

    #[test]
    fn sockets_are_given_one_by_one_or_as_an_array() {
        let mut config = Config::default();
        config
            .set("engines.docker.sockets=/a.sock, /b.sock")
            .unwrap();
        assert_eq!(
            config.engines.docker.sockets,
            ["/a.sock", "/b.sock"].map(PathBuf::from)
        );
        config.set(r#"engines.cri.sockets=["/c.sock"]"#).unwrap();
        assert_eq!(config.engines.cri.sockets, [PathBuf::from("/c.sock")]);
        assert!(config.set("engines.cri.sockets=[]").is_ok());
        assert!(config.set("engines.cri.sockets=c.sock").is_err());
    }

    #[test]
    fn a_buffer_preset_of_4_is_8_mib() {
        let mut config = Config::default();
        config.set("engine.modern_ebpf.buf_size_preset=4").unwrap();
        assert_eq!(config.ring_bytes, 8 << 20);
        config.set("engine.modern_ebpf.buf_size_preset=10").unwrap();
        assert_eq!(config.ring_bytes, 512 << 20);
    }

    #[test]
    fn entries_of_lists_are_appended_and_changed_whole_and_part_by_part() {
        let mut config = Config::default();
        for setting in [
            "rules[].disable.tag=network",
            "rules[].enable.rule=*",
            r#"append_output[]={"match": {"tags": ["a", "b"]}, "extra_fields": ["%proc.env"]}"#,
            "append_output[0].extra_output=x=%proc.name",
            r#"append_output=[{"suggested_output": true}, {"match": {"rule": "R"}}]"#,
        ] {
            config.set(setting).expect(setting);
        }
        let (off, on) = (&config.rules[0], &config.rules[1]);
        assert_eq!((off.enable, off.tag.as_deref()), (false, Some("network")));
        assert_eq!((on.enable, on.rule.as_deref()), (true, Some("*")));
        let [first, second, third] = &config.append_output[..] else {
            panic!("{:?}", config.append_output);
        };
        assert_eq!(first.tags, ["a", "b"]);
        assert_eq!(first.extra_fields, ["proc.env"]);
        assert_eq!(first.extra_output.as_deref(), Some("x=%proc.name"));
        assert!(second.suggested_output && !third.suggested_output);
        assert_eq!(third.rule.as_deref(), Some("R"));
    }

    #[test]
    fn what_falco_is_told_of_its_container_plugin_changes_nothing() {
        for setting in [
            "config_files=[]",
            r#"load_plugins=["container"]"#,
            "load_plugins=[container]",
            "load_plugins=[]",
            r#"plugins[]={"name": "container", "library_path": "/usr/lib/libcontainer.so",
                "init_config": {"label_max_len": 100, "with_size": false}}"#,
            "plugins[0].init_config.label_max_len=100",
            "log_level=info",
        ] {
            Config::default().set(setting).expect(setting);
        }
        for setting in [
            "config_files[]=/etc/falco/config.d",
            "plugins[].name=json",
            "plugins[].init_config.label_max_len=many",
            "plugins[].init_config.with_size=true",
            "log_level=loud",
        ] {
            assert!(Config::default().set(setting).is_err(), "{setting}");
        }
    }

    #[test]
    fn engines_are_chosen_where_falcos_container_plugin_has_them_as_well() {
        let mut config = Config::default();
        let plugin = r#"plugins[]={"name": "container", "init_config": {"engines": {
            "docker": {"enabled": true, "sockets": ["/a.sock", "/b.sock"]},
            "cri": {"enabled": false}}}}"#;
        config.set(plugin).expect(plugin);
        let sockets = ["/a.sock", "/b.sock"].map(PathBuf::from);
        assert_eq!(config.engines.docker.sockets, sockets);
        assert!(config.engines.docker.enabled && !config.engines.cri.enabled);
        let one = "plugins[0].init_config.engines.podman.enabled=false";
        config.set(one).expect(one);
        assert!(!config.engines.podman.enabled);
        let wrong = "plugins[0].init_config.engines.rkt.enabled=false";
        let error = config.set(wrong).expect_err(wrong).to_string();
        assert!(error.contains("engines.rkt.enabled"), "{error}");
    }

    #[test]
    fn a_part_that_no_entry_has_is_refused() {
        for setting in [
            "rules[].enable.name=x",
            "rules[7].enable.rule=x",
            "rules[x].enable.rule=x",
            "append_output[]={",
            "append_output[].suggested_output=perhaps",
            "load_plugins[]=json",
            "load_plugins=[container, json]",
            "rules_files=x",
        ] {
            assert!(Config::default().set(setting).is_err(), "{setting}");
        }
    }

    #[test]
    fn a_misspelt_key_is_answered_with_the_right_one() {
        for (written, meant) in [
            ("json_outptu", "json_output"),
            ("prority", "priority"),
            ("cgroup.scope", "scope.cgroup"),
        ] {
            let error = Config::default()
                .set(&format!("{written}=true"))
                .unwrap_err();
            let hint = format!("did you mean `{meant}`?");
            assert!(error.to_string().contains(&hint), "{error}");
        }
        let error = Config::default().set("nothing_like_it=x").unwrap_err();
        assert!(!error.to_string().contains("did you mean"), "{error}");
    }
}
