//! The rate limit of incoming encrypted handshakes, each of which makes us compute.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tailwater_types::BoundedMap;
use tailwater_types::pacing::{Rate, TokenBucket};

use crate::torrent::Host;

/// Key exchanges over all hosts. Each is two exponentiations, some 0.1 ms together: 1 % of a processor.
const OF_ALL: Rate = Rate::every(Duration::from_millis(10), 200);
/// Key exchanges of one host: one that seeds a hundred of our torrents connects to all of them within half a minute.
const OF_HOST: Rate = Rate::every(Duration::from_millis(500), 20);
/// The same for a loopback address, where a whole swarm may be.
const OF_LOOPBACK: Rate = Rate::every(Duration::from_millis(20), 100);
/// Hosts whose rate is remembered. A host that is forgotten starts with a full bucket, which the limit of all bounds.
const MAX_HOSTS: usize = 1_024;

/// Limits how many key exchanges strangers can ask for.
#[derive(Debug)]
pub(crate) struct ExchangeBudget {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    all: TokenBucket,
    of_host: BoundedMap<Host, TokenBucket>,
}

impl Default for ExchangeBudget {
    fn default() -> Self {
        let state = State {
            all: TokenBucket::default(),
            of_host: BoundedMap::new(MAX_HOSTS),
        };
        Self {
            state: Mutex::new(state),
        }
    }
}

impl ExchangeBudget {
    /// Takes one key exchange for a host; false when it, or all of them, have had enough for now.
    pub(super) fn take(&self, ip: IpAddr) -> bool {
        let now = tokio::time::Instant::now().into_std();
        self.state.lock().take(now, Host::of(ip))
    }
}

impl State {
    fn take(&mut self, now: Instant, host: Host) -> bool {
        let rate = host.by_scope(OF_HOST, OF_HOST, OF_LOOPBACK);
        let mut bucket = self.of_host.get(&host).copied().unwrap_or_default();
        if !self.all.has(now, OF_ALL, 1) || !bucket.take(now, rate, 1) {
            return false;
        }
        self.of_host.insert(host, bucket);
        self.all.take(now, OF_ALL, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;

    fn host(number: u8) -> Host {
        Host::of([9, 9, number, 1].into())
    }

    fn burst(state: &mut State, now: Instant, host: Host) -> usize {
        (0..1_000).filter(|_| state.take(now, host)).count()
    }

    #[test]
    fn one_host_leaves_key_exchanges_for_others() {
        let now = epoch();
        let mut state = ExchangeBudget::default().state.into_inner();
        assert_eq!(burst(&mut state, now, host(1)), 20);
        assert_eq!(burst(&mut state, now, host(2)), 20);
        assert_eq!(burst(&mut state, now + Duration::from_secs(1), host(1)), 2);
    }

    #[test]
    fn all_hosts_together_have_a_limit_too() {
        let now = epoch();
        let mut state = ExchangeBudget::default().state.into_inner();
        let taken: usize = (0..100)
            .map(|number| burst(&mut state, now, host(number)))
            .sum();
        assert_eq!(taken, 200);
        let later = now + Duration::from_secs(1);
        let taken: usize = (100..200)
            .map(|number| burst(&mut state, later, host(number)))
            .sum();
        assert_eq!(taken, 100);
    }
}
