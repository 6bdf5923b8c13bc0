//! How often somebody may show a wrong token: so that nobody guesses on and on, and nobody keeps
//! others out by doing so.
//!
//! Each address has an allowance of its own. On this machine all have one address: whoever finds
//! its allowance used up has one by user, as the kernel tells whose connection it is.

use super::Bucket;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// So often somebody may fail, and then once in so long.
const FAILURES: u32 = 10;
const FAILURE_EVERY: Duration = Duration::from_secs(2);
/// It is told of somebody once in so long.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Of so many it is remembered; the one who failed longest ago makes room.
const REMEMBERED_MAX: usize = 1024;
/// Of the kernel's list of connections no more is read.
const CONNECTIONS_BYTES_MAX: u64 = 4 << 20;

/// Who fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// Whoever is at that address; of version 6, in that network of one site.
    Address(IpAddr),
    /// A user of this machine.
    User(u32),
}

/// Who failed lately.
#[derive(Debug, Default)]
pub(super) struct Failures {
    by: HashMap<Who, Bucket>,
    /// Of whom it was told lately, and when.
    told: HashMap<Who, Instant>,
}

impl Failures {
    /// As whom that peer may try; none if it has failed too often.
    pub(super) fn may_try(&mut self, peer: SocketAddr, now: Instant) -> Option<Who> {
        self.may_try_as(peer, now, user_of)
    }

    fn may_try_as(
        &mut self,
        peer: SocketAddr,
        now: Instant,
        user: impl Fn(SocketAddr) -> Option<u32>,
    ) -> Option<Who> {
        let who = Who::Address(site(peer.ip()));
        if self.has_left(who, now) {
            return Some(who);
        }
        if !peer.ip().to_canonical().is_loopback() {
            return None;
        }
        let who = Who::User(user(peer)?);
        self.has_left(who, now).then_some(who)
    }

    fn has_left(&mut self, who: Who, now: Instant) -> bool {
        let bucket = self.by.get_mut(&who);
        bucket.is_none_or(|bucket| !bucket.is_empty(now))
    }

    /// Whether it is to be told that somebody failed: once a minute, and of no more than are
    /// remembered in that time.
    pub(super) fn is_told(&mut self, who: Who, now: Instant) -> bool {
        self.told
            .retain(|_, told| now.duration_since(*told) < TOLD_EVERY);
        let is_new = self.told.len() < REMEMBERED_MAX && !self.told.contains_key(&who);
        if is_new {
            self.told.insert(who, now);
        }
        is_new
    }

    /// Notes that somebody failed.
    pub(super) fn failed(&mut self, who: Who, now: Instant) {
        if self.by.len() >= REMEMBERED_MAX && !self.by.contains_key(&who) {
            let longest = self.by.iter().min_by_key(|(_, bucket)| bucket.since);
            if let Some(longest) = longest.map(|(who, _)| *who) {
                self.by.remove(&longest);
            }
        }
        let fresh = || Bucket::new(FAILURES, FAILURE_EVERY, now);
        self.by.entry(who).or_insert_with(fresh).take(now);
    }
}

/// Of version 6 one site has a whole network of addresses.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

/// Whose connection of this machine it is that begins there.
fn user_of(peer: SocketAddr) -> Option<u32> {
    let file = match peer.ip() {
        IpAddr::V4(_) => "/proc/net/tcp",
        IpAddr::V6(_) => "/proc/net/tcp6",
    };
    let list = std::fs::File::open(file).ok()?;
    let lines = BufReader::new(list.take(CONNECTIONS_BYTES_MAX)).lines();
    user_in(lines.map_while(Result::ok), peer)
}

fn user_in(mut lines: impl Iterator<Item = String>, peer: SocketAddr) -> Option<u32> {
    let own = shown(peer);
    lines.find_map(|line| {
        // Number, local address, remote address, state, queues, timers, retransmissions, user.
        let mut words = line.split_whitespace();
        let local = words.nth(1)?;
        (local == own).then(|| words.nth(5)?.parse().ok())?
    })
}

/// An address as the kernel lists it: words of the machine's own order, in hexadecimal digits.
fn shown(address: SocketAddr) -> String {
    let words: Vec<u8> = match address.ip() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let words = words.as_chunks::<4>().0.iter();
    let words = words.map(|word| format!("{:08X}", u32::from_ne_bytes(*word)));
    format!("{}:{:04X}", words.collect::<String>(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn use_up(failures: &mut Failures, peer: SocketAddr, now: Instant, user: u32) -> u32 {
        let mut tries = 0;
        while let Some(who) = failures.may_try_as(peer, now, |_| Some(user)) {
            failures.failed(who, now);
            tries += 1;
        }
        tries
    }

    #[test]
    fn who_guesses_keeps_nobody_else_out() {
        let now = Instant::now();
        let mut failures = Failures::default();
        let at = |address: [u8; 4]| SocketAddr::from((address, 1));
        assert_eq!(use_up(&mut failures, at([10, 0, 0, 1]), now, 7), FAILURES);
        assert!(
            failures
                .may_try_as(at([10, 0, 0, 2]), now, |_| None)
                .is_some()
        );
        // On this machine, the address's allowance and then one's own.
        let here = at([127, 0, 0, 1]);
        assert_eq!(use_up(&mut failures, here, now, 1000), 2 * FAILURES);
        assert!(failures.may_try_as(here, now, |_| Some(1000)).is_none());
        assert!(failures.may_try_as(here, now, |_| Some(0)).is_some());
        assert!(failures.may_try_as(here, now, |_| None).is_none());
        let later = now + FAILURE_EVERY;
        assert!(
            failures
                .may_try_as(at([10, 0, 0, 1]), later, |_| None)
                .is_some()
        );
    }

    #[test]
    fn a_network_of_version_6_is_one_and_memory_is_bounded() {
        let now = Instant::now();
        let mut failures = Failures::default();
        let peer = |host: u16| SocketAddr::from(([0x2001, 0xdb8, 0, 1, 0, 0, 0, host], 1));
        assert_eq!(use_up(&mut failures, peer(1), now, 0), FAILURES);
        assert!(failures.may_try_as(peer(2), now, |_| None).is_none());
        for number in 0..2 * REMEMBERED_MAX as u32 {
            failures.failed(Who::User(number), now);
        }
        assert_eq!(failures.by.len(), REMEMBERED_MAX);
    }

    #[test]
    fn it_is_told_once_a_minute_of_each_and_not_of_more_than_are_remembered() {
        let now = Instant::now();
        let mut failures = Failures::default();
        assert!(failures.is_told(Who::User(0), now) && !failures.is_told(Who::User(0), now));
        let told = (0..2 * REMEMBERED_MAX as u32)
            .filter(|number| failures.is_told(Who::User(*number), now));
        assert_eq!(told.count(), REMEMBERED_MAX - 1);
        assert!(failures.is_told(Who::User(0), now + TOLD_EVERY));
    }

    #[test]
    fn the_kernel_tells_whose_a_connection_is() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let there = listener.local_addr().expect("it is bound");
        let stream = std::net::TcpStream::connect(there).expect("it listens");
        let peer = stream.local_addr().expect("it is connected");
        let own = std::fs::metadata("/proc/self").map(|found| {
            use std::os::unix::fs::MetadataExt;
            found.uid()
        });
        assert_eq!(user_of(peer), Some(own.expect("of this process")));
        let gone = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        assert_eq!(user_of(gone), None);
    }
}
