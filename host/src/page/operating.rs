//! What kubelet and Prometheus ask: whether events are taken in, which versions these are, and what
//! was counted, under Falco's names where Falco has them.

use super::Unstarted;
use crate::config::Config;
use crate::control::{Answer, Asker, Containers, Request, Rule, Status};
use crate::enrich;
use crate::modules::roster::Listed;
use saker_rules_compiler::engine;
use saker_rules_schema::manifest::Priority;
use saker_web::operations::Operations;
use saker_web::{Served, Tls, serve_operations};
use serde_json::{Value, json};
use std::fmt::{Display, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Events are taken in if the thread that does answers within that time.
const PATIENCE: Duration = Duration::from_secs(5);
/// Who asks.
const WEBSERVER: &str = "the web server";

/// Serves it.
pub fn serve(config: &Config, asker: Asker) -> Result<Served, Unstarted> {
    let webserver = &config.webserver;
    let tls = match (webserver.tls, &webserver.certificate) {
        (false, _) => None,
        (true, None) => return Err(Unstarted::NoCertificate),
        (true, Some(path)) => Some(Tls {
            certificate: path.clone(),
            key: path.clone(),
        }),
    };
    let operating = Operating {
        asker,
        hostname: config.hostname(),
        tells_metrics: webserver.metrics && config.metrics,
        begin: since_epoch(),
    };
    let address = SocketAddr::new(webserver.address, webserver.port);
    let operations = Arc::new(operating);
    Ok(serve_operations(
        address,
        tls.as_ref(),
        &webserver.healthz,
        operations,
    )?)
}

struct Operating {
    asker: Asker,
    hostname: String,
    tells_metrics: bool,
    begin: Duration,
}

fn since_epoch() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

impl Operating {
    fn ask(&self, request: Request) -> Option<Answer> {
        self.asker.ask_within(PATIENCE, request, WEBSERVER)
    }
}

impl Operations for Operating {
    fn is_healthy(&self) -> bool {
        matches!(self.ask(Request::Status {}), Some(Answer::Status(_)))
    }

    fn versions(&self) -> Value {
        let engine = engine();
        let number = engine.split('.').nth(1).unwrap_or_default();
        json!({
            "saker_version": env!("CARGO_PKG_VERSION"),
            "engine_version": number,
            "engine_version_semver": engine,
            "plugin_versions": {},
        })
    }

    fn metrics(&self) -> Option<String> {
        if !self.tells_metrics {
            return None;
        }
        let Some(Answer::Status(status)) = self.ask(Request::Status {}) else {
            return None;
        };
        let Some(Answer::Rules(rules)) = self.ask(Request::Rules {}) else {
            return None;
        };
        let Some(Answer::Containers(containers)) = self.ask(Request::Containers {}) else {
            return None;
        };
        let Some(Answer::Modules(modules)) = self.ask(Request::List {}) else {
            return None;
        };
        let mut metrics = Metrics(String::new());
        self.tell(&status, &rules, &containers, &mut metrics);
        tell_of(&modules, &mut metrics);
        Some(metrics.0)
    }
}

impl Operating {
    fn tell(
        &self,
        status: &Status,
        rules: &[Rule],
        containers: &Containers,
        metrics: &mut Metrics,
    ) {
        let version = ("version", &*status.version);
        metrics.gauge(
            "falcosecurity_falco_version_info",
            "Saker's version",
            [(&[version][..], 1)],
        );
        let hostname = ("hostname", &*self.hostname);
        metrics.gauge(
            "falcosecurity_evt_hostname_info",
            "The host",
            [(&[hostname][..], 1)],
        );
        let system = rustix::system::uname();
        let release = system.release().to_string_lossy();
        let release = ("kernel_release", &*release);
        let name = "falcosecurity_falco_kernel_release_info";
        metrics.gauge(name, "The kernel", [(&[release][..], 1)]);
        let engine = [("engine_name", "modern_bpf"), ("evt_source", "syscall")];
        let name = "falcosecurity_scap_engine_name_info";
        metrics.gauge(name, "What watches", [(&engine[..], 1)]);
        let none: &[(&str, &str)] = &[];
        let begin = self.begin.as_nanos();
        let boot = u128::from(enrich::machine().boot_time);
        for (name, help, value) in [
            ("start_timestamp_nanoseconds", "When Saker began", begin),
            (
                "host_boot_timestamp_nanoseconds",
                "When the host was booted",
                boot,
            ),
        ] {
            metrics.gauge(
                &format!("falcosecurity_falco_{name}"),
                help,
                [(none, value)],
            );
        }
        let cpus = enrich::machine().cpus;
        let (memory, cpu_ms) = super::behind::used();
        metrics.gauge(
            "falcosecurity_falco_host_num_cpus_total",
            "Processors",
            [(none, cpus)],
        );
        metrics.gauge(
            "falcosecurity_falco_memory_rss_bytes",
            "Resident memory",
            [(none, memory)],
        );
        let seconds = cpu_ms as f64 / 1000.0;
        metrics.counter(
            "saker_cpu_seconds_total",
            "Processor time",
            [(none, seconds)],
        );
        let since = since_epoch().saturating_sub(self.begin).as_secs();
        for (name, help, value) in [
            (
                "falcosecurity_falco_duration_seconds_total",
                "Since Saker began",
                since,
            ),
            ("falcosecurity_scap_n_evts_total", "Events", status.events),
            (
                "falcosecurity_scap_n_drops_total",
                "Events without room",
                status.dropped,
            ),
            ("saker_rows_total", "Rows written for modules", status.rows),
            (
                "saker_windows_total",
                "Windows handed to modules",
                status.windows,
            ),
            ("saker_alerts_total", "Alerts", status.alerts),
            (
                "saker_swaps_total",
                "Times that other modules took over",
                status.swaps,
            ),
            (
                "saker_module_failures_total",
                "Failures of modules",
                status.module_failures,
            ),
            (
                "saker_judge_restarts_total",
                "Judges that died",
                status.judge_restarts,
            ),
        ] {
            metrics.counter(name, help, [(none, value)]);
        }
        let not_written = |loss: &&crate::control::Loss| loss.cause == "alerts not written";
        let dropped = status
            .losses
            .iter()
            .find(not_written)
            .map_or(0, |loss| loss.count);
        let name = "falcosecurity_falco_outputs_queue_num_drops_total";
        metrics.counter(name, "Alerts not written", [(none, dropped)]);
        let causes: Vec<_> = (status.losses.iter())
            .map(|loss| ([("cause", &*loss.cause)], loss.count))
            .collect();
        let causes = causes.iter().map(|(labels, count)| (&labels[..], count));
        metrics.counter("saker_lost_total", "What was lost, by cause", causes);
        let queues = |of: fn(&crate::control::Queue) -> u64| {
            let queues = status.queues.iter();
            queues
                .map(move |queue| ([("queue", &*queue.name)], of(queue)))
                .collect::<Vec<_>>()
        };
        for (name, help, queues) in [
            (
                "saker_queue_waiting",
                "What waits in a queue",
                queues(|queue| queue.waiting),
            ),
            (
                "saker_queue_most",
                "What may wait in it",
                queues(|queue| queue.most),
            ),
        ] {
            let queues = queues.iter().map(|(labels, count)| (&labels[..], count));
            metrics.gauge(name, help, queues);
        }
        for (name, help, value) in [
            (
                "falcosecurity_scap_n_threads_total",
                "Threads remembered",
                status.remembered.threads,
            ),
            (
                "falcosecurity_scap_n_fds_total",
                "Descriptors remembered",
                status.remembered.descriptors,
            ),
            (
                "saker_processes",
                "Processes remembered",
                status.remembered.processes,
            ),
            (
                "falcosecurity_plugins_container_n_containers_total",
                "Containers known",
                containers.containers.len() as u64,
            ),
        ] {
            metrics.gauge(name, help, [(none, value)]);
        }
        let absent: Vec<_> = (containers.absent.iter())
            .map(|absent| ([("reason", &*absent.why)], absent.containers))
            .collect();
        let absent = absent.iter().map(|(labels, count)| (&labels[..], count));
        let help = "Containers of which nothing could be told";
        metrics.counter("saker_containers_unknown_total", help, absent);
        let engines = |of: fn(&crate::control::Engine) -> u64| {
            let engines = containers.engines.iter();
            engines
                .map(move |engine| {
                    let labels = [("engine", &*engine.engine), ("socket", &*engine.socket)];
                    (labels, of(engine))
                })
                .collect::<Vec<_>>()
        };
        let help = "Whether an engine's events are followed";
        let followed = engines(|engine| u64::from(engine.trouble.is_none()));
        let followed = followed.iter().map(|(labels, count)| (&labels[..], count));
        metrics.gauge("saker_engine_followed", help, followed);
        for (name, help, engines) in [
            (
                "saker_engine_questions_total",
                "Questions to an engine",
                engines(|engine| engine.asked),
            ),
            (
                "saker_engine_failures_total",
                "Questions that an engine did not answer",
                engines(|engine| engine.failed),
            ),
            (
                "saker_engine_overlooked_total",
                "Containers that an engine told of too many at once",
                engines(|engine| engine.overlooked),
            ),
        ] {
            let engines = engines.iter().map(|(labels, count)| (&labels[..], count));
            metrics.counter(name, help, engines);
        }
        let name = "falcosecurity_falco_rules_matches_total";
        let rules: Vec<(Vec<(String, String)>, u64)> = rules.iter().map(matched).collect();
        metrics.head(name, "counter", "Alerts by rule");
        for (labels, count) in &rules {
            let labels: Vec<(&str, &str)> = labels
                .iter()
                .map(|(name, value)| (&**name, &**value))
                .collect();
            metrics.sample(name, &labels, count);
        }
    }
}

/// What modules took. The number of a process is no metric: it measures nothing, and would begin
/// other series each time; `saker ctl modules list` has it.
fn tell_of(modules: &[Listed], metrics: &mut Metrics) {
    let labels: Vec<_> = (modules.iter())
        .map(|listed| [("module", &*listed.name)])
        .collect();
    let works = || {
        let works = modules.iter().map(|listed| &listed.work);
        labels.iter().map(|labels| &labels[..]).zip(works)
    };
    let events = works().map(|(labels, work)| (labels, work.events));
    let help = "Events that a module was given";
    metrics.counter("saker_module_events_total", help, events);
    let seconds = works().map(|(labels, work)| (labels, work.cpu_ns as f64 / 1e9));
    let help = "Processor time that a module took";
    metrics.counter("saker_module_cpu_seconds_total", help, seconds);
    let resident =
        works().filter_map(|(labels, work)| Some((labels, super::behind::resident(work.pid?)?)));
    let help = "Resident memory of a module's process, where it has one";
    metrics.gauge("saker_module_resident_bytes", help, resident);
}

/// A rule's alerts, as Falco labels them.
fn matched(rule: &Rule) -> (Vec<(String, String)>, u64) {
    let priority = Priority::parse(&rule.priority).map_or(0, |priority| priority as u8);
    let mut labels = vec![
        ("priority".to_owned(), priority.to_string()),
        ("rule_name".into(), rule.name.clone()),
        ("source".into(), rule.source.clone()),
        ("module".into(), rule.module.clone()),
    ];
    let mut tags: Vec<String> = rule.tags.iter().map(|tag| plain(tag)).collect();
    tags.sort_unstable();
    tags.dedup();
    labels.extend(
        tags.into_iter()
            .map(|tag| (format!("tag_{tag}"), "true".into())),
    );
    (labels, rule.alerts)
}

/// A tag as part of a label's name.
fn plain(tag: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    tag.chars().map(plain).collect()
}

/// Prometheus' text form, version 0.0.4.
struct Metrics(String);

impl Metrics {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String does not fail, here and below.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"");
            for char in text.chars() {
                match char {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    char => self.0.push(char),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn family<'l>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        samples: impl IntoIterator<Item = (&'l [(&'l str, &'l str)], impl Display)>,
    ) {
        self.head(name, kind, help);
        for (labels, value) in samples {
            self.sample(name, labels, value);
        }
    }

    fn gauge<'l>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (&'l [(&'l str, &'l str)], impl Display)>,
    ) {
        self.family(name, "gauge", help, samples);
    }

    fn counter<'l>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (&'l [(&'l str, &'l str)], impl Display)>,
    ) {
        self.family(name, "counter", help, samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_ends_where_it_ends_whatever_is_in_it() {
        let mut metrics = Metrics(String::new());
        let labels = [("rule_name", "a\"} 1\n# HELP \\")];
        metrics.counter("x_total", "X", [(&labels[..], 7)]);
        let wanted = "# HELP x_total X\n# TYPE x_total counter\n\
                      x_total{rule_name=\"a\\\"} 1\\n# HELP \\\\\"} 7\n";
        assert_eq!(metrics.0, wanted);
    }

    #[test]
    fn a_rules_alerts_are_labelled_as_falco_labels_them() {
        let rule = Rule {
            name: "R".into(),
            module: "rules".into(),
            priority: "Warning".into(),
            source: "syscall".into(),
            tags: vec!["mitre.x".into(), "T1059".into(), "mitre-x".into()],
            alerts: 3,
            ..Rule::default()
        };
        let (labels, count) = matched(&rule);
        let text: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            text.join(" "),
            "priority=4 rule_name=R source=syscall module=rules tag_T1059=true tag_mitre_x=true"
        );
        assert_eq!(count, 3);
    }
}
