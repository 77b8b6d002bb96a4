//! Search for the longest datagram that the path carries (RFC 8899), by probes of which only a copy can be lost.

use std::net::SocketAddr;
use std::time::Instant;

use crate::limits::{
    BASE_DATAGRAM, BLACK_HOLE_TIMEOUTS, MIN_DATAGRAM, MTU_ATTEMPTS, MTU_INTERVAL, MTU_PRECISION,
};

/// IPv6's header is longer than IPv4's by this much, in bytes.
const IPV6_OVERHEAD: usize = 20;

#[derive(Debug)]
pub(super) struct MtuSearch {
    /// What is used.
    datagram: usize,
    /// What is hoped for.
    ceiling: usize,
    /// The longest one that the configuration allows.
    max: usize,
    /// Lost probes of the present size.
    lost: u8,
    is_in_flight: bool,
    /// When the search begins again.
    again: Option<Instant>,
}

impl MtuSearch {
    pub(super) fn new(remote: SocketAddr, max: usize) -> Self {
        let max = if remote.is_ipv6() {
            max.saturating_sub(IPV6_OVERHEAD)
        } else {
            max
        };
        let max = max.max(MIN_DATAGRAM);
        Self {
            datagram: BASE_DATAGRAM.min(max),
            ceiling: max,
            max,
            lost: 0,
            is_in_flight: false,
            again: None,
        }
    }

    /// The longest datagram that is sent, in bytes.
    pub(super) const fn datagram(&self) -> usize {
        self.datagram
    }

    /// The datagram to probe for now, if any. The first one is the longest, as most paths carry it.
    pub(super) fn probe(&mut self, now: Instant) -> Option<usize> {
        if self.again.is_some_and(|again| again <= now) {
            self.again = None;
            self.ceiling = self.max;
            self.lost = 0;
        }
        let is_found = self.ceiling < self.datagram + MTU_PRECISION;
        if self.is_in_flight || self.again.is_some() || is_found {
            return None;
        }
        Some(if self.ceiling == self.max {
            self.max
        } else {
            usize::midpoint(self.datagram, self.ceiling)
        })
    }

    pub(super) const fn on_sent(&mut self) {
        self.is_in_flight = true;
    }

    pub(super) fn on_acked(&mut self, now: Instant, datagram: usize) {
        self.is_in_flight = false;
        self.lost = 0;
        self.datagram = self.datagram.max(datagram);
        self.end_search(now);
    }

    pub(super) fn on_lost(&mut self, now: Instant, datagram: usize) {
        self.is_in_flight = false;
        self.lost += 1;
        if self.lost >= MTU_ATTEMPTS {
            self.lost = 0;
            self.ceiling = self.ceiling.min(datagram - 1);
            self.end_search(now);
        }
    }

    /// The system says that the datagram is too long for the network that it is connected to.
    #[cfg(feature = "tokio")]
    pub(super) fn on_refused(&mut self, now: Instant, datagram: usize) {
        self.lost = MTU_ATTEMPTS;
        self.on_lost(now, datagram);
    }

    fn end_search(&mut self, now: Instant) {
        if self.ceiling < self.datagram + MTU_PRECISION {
            self.again = Some(now + MTU_INTERVAL);
        }
    }

    /// Nothing was acknowledged for so many timeouts in a row: the path may carry only short packets. Returns whether
    /// packets are shorter from now on.
    pub(super) fn on_timeouts(&mut self, now: Instant, timeouts: u32) -> bool {
        self.is_in_flight = false;
        if timeouts < BLACK_HOLE_TIMEOUTS || self.datagram <= MIN_DATAGRAM {
            return false;
        }
        self.datagram = if self.datagram > BASE_DATAGRAM {
            BASE_DATAGRAM
        } else {
            MIN_DATAGRAM
        };
        self.ceiling = self.datagram;
        self.again = Some(now + MTU_INTERVAL);
        true
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use super::*;
    use crate::limits::DEFAULT_MAX_DATAGRAM;

    fn search(carried: usize) -> (usize, usize) {
        let now = Instant::now();
        let mut mtu = MtuSearch::new(([10, 0, 0, 1], 1).into(), DEFAULT_MAX_DATAGRAM);
        let mut probes = 0;
        while let Some(probe) = mtu.probe(now) {
            probes += 1;
            mtu.on_sent();
            assert_eq!(mtu.probe(now), None);
            if probe <= carried {
                mtu.on_acked(now, probe);
            } else {
                mtu.on_lost(now, probe);
            }
        }
        assert_eq!(mtu.probe(now), None);
        let is_again = mtu.probe(now + MTU_INTERVAL).is_some();
        assert_eq!(is_again, mtu.datagram() < DEFAULT_MAX_DATAGRAM);
        (mtu.datagram(), probes)
    }

    #[test]
    fn the_longest_datagram_is_found() {
        assert_eq!(search(1_472), (1_472, 1));
        for carried in [1_232, 1_300, 1_399, 1_452, 1_471] {
            let (found, probes) = search(carried);
            assert!(found <= carried, "{found} of {carried}");
            assert!(found + MTU_PRECISION * 2 > carried, "{found} of {carried}");
            assert!(probes <= 20, "{probes}");
        }
    }

    #[test]
    fn repeated_timeouts_shorten_packets() {
        let now = Instant::now();
        let mut mtu = MtuSearch::new(([10, 0, 0, 1], 1).into(), DEFAULT_MAX_DATAGRAM);
        mtu.on_acked(now, 1_472);
        assert!(!mtu.on_timeouts(now, 1));
        assert!(mtu.on_timeouts(now, 2));
        assert_eq!(mtu.datagram(), BASE_DATAGRAM);
        assert!(mtu.on_timeouts(now, 3));
        assert_eq!(mtu.datagram(), MIN_DATAGRAM);
        assert!(!mtu.on_timeouts(now, 4));
        assert_eq!(mtu.probe(now), None);
    }

    #[test]
    fn ipv6_leaves_less() {
        let addr = (std::net::Ipv6Addr::LOCALHOST, 1).into();
        let mut mtu = MtuSearch::new(addr, DEFAULT_MAX_DATAGRAM);
        assert_eq!(mtu.probe(Instant::now()), Some(1_452));
    }
}
