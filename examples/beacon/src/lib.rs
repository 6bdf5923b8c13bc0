//! Finds programs that call home by the clock: the same program connects to the same address
//! again and again, and the time between is nearly always the same. People and most programs are
//! not so regular. A rule file cannot say that, since it sees one event at a time.
//!
//! Settings: `connects` (8), how many in a row must be regular; `jitter` (0.1), how much the time
//! between may vary, as a part of its mean; `least_seconds` (1), below which it is no beacon.

use saker_rules_sdk::{Alerts, Config, Description, Module, Priority, Rule, State, row};
use std::collections::HashMap;
use std::net::IpAddr;

row! {
    /// What is asked of a connect.
    pub struct Connect {
        program: ProcExepath,
        name: ProcName,
        pid: ProcPid,
        address: FdSip,
        port: FdSport,
        container: ContainerId,
    }
}

/// No more programs and addresses are remembered; then the one longest unheard is forgotten.
const CALLS_MAX: usize = 4096;

/// Who calls whom.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Call {
    program: Vec<u8>,
    container: Vec<u8>,
    address: IpAddr,
    port: u64,
}

/// When the calls were: mean and variation of the times between, without keeping them (Welford).
#[derive(Default)]
struct Rhythm {
    last: u64,
    gaps: u32,
    mean: f64,
    squares: f64,
    is_told: bool,
}

impl Rhythm {
    fn add(&mut self, gap: f64) {
        self.gaps += 1;
        let from_mean = gap - self.mean;
        self.mean += from_mean / f64::from(self.gaps);
        self.squares += from_mean * (gap - self.mean);
    }

    /// How much the times between vary, as a part of their mean.
    fn jitter(&self) -> f64 {
        (self.squares / f64::from(self.gaps)).sqrt() / self.mean
    }

    /// Begins anew at that time.
    fn restart(&mut self, time: u64) {
        *self = Rhythm {
            last: time,
            ..Rhythm::default()
        };
    }
}

/// The module.
pub struct Beacon {
    gaps_min: u32,
    jitter_max: f64,
    least: f64,
    calls: HashMap<Call, Rhythm>,
}

impl Module for Beacon {
    type Row<'r> = Connect<'r>;

    fn describe() -> Description {
        Description::new("beacon", "evt.type=connect and fd.sip exists")
            .version(env!("CARGO_PKG_VERSION"))
            .state(State::Container)
            .rule(
                Rule::new("Regular connections", Priority::Warning)
                    .description("A program connects to one address by the clock.")
                    .tag("network")
                    .tag("mitre_command_and_control")
                    .tag("T1071")
                    .output(
                        "%proc.name (%proc.exepath, %proc.pid) calls %fd.sip port %fd.sport \
                             by the clock",
                    ),
            )
    }

    fn new(config: &Config) -> Result<Beacon, String> {
        let connects: u32 = config.number("connects", 8)?;
        if connects < 3 {
            return Err("`connects` takes 3 or more: two are always regular".into());
        }
        Ok(Beacon {
            gaps_min: connects - 1,
            jitter_max: config.number("jitter", 0.1)?,
            least: config.number("least_seconds", 1.0)?,
            calls: HashMap::new(),
        })
    }

    fn event(&mut self, row: Connect<'_>, alerts: &mut Alerts) {
        let (Some(program), Some(address)) = (row.program(), row.address()) else {
            return;
        };
        let call = Call {
            program: program.bytes().to_vec(),
            container: row.container().map_or(Vec::new(), |id| id.bytes().to_vec()),
            address,
            port: row.port().unwrap_or(0),
        };
        let time = row.time();
        let Some(rhythm) = self.calls.get_mut(&call) else {
            self.make_room();
            let mut rhythm = Rhythm::default();
            rhythm.restart(time);
            self.calls.insert(call, rhythm);
            return;
        };
        let gap = time.saturating_sub(rhythm.last) as f64 / 1e9;
        if gap < self.least {
            // Several connections at once are one call.
            return;
        }
        rhythm.last = time;
        rhythm.add(gap);
        if rhythm.gaps < self.gaps_min {
            return;
        }
        if rhythm.jitter() > self.jitter_max {
            rhythm.restart(time);
        } else if !rhythm.is_told {
            rhythm.is_told = true;
            alerts
                .alert(0)
                .field("beacon.connects", rhythm.gaps + 1)
                .field("beacon.interval_s", rhythm.mean)
                .field("beacon.jitter", rhythm.jitter());
        }
    }
}

impl Beacon {
    fn make_room(&mut self) {
        if self.calls.len() < CALLS_MAX {
            return;
        }
        let oldest = self.calls.iter().min_by_key(|(_, rhythm)| rhythm.last);
        if let Some(oldest) = oldest.map(|(call, _)| call.clone()) {
            self.calls.remove(&oldest);
        }
    }
}

saker_rules_sdk::export!(Beacon);
