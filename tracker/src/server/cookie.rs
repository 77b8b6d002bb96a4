//! UDP connection ids that need no memory: cookies (BEP 15).

use std::net::IpAddr;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// An id is made for one window of time and honoured in the next one too: for 2 to 4 minutes,
/// where BEP 15 demands 2.
const WINDOW: Duration = Duration::from_secs(120);

/// Makes and checks connection ids: a keyed hash of an address and the time. A client that sends one back has shown
/// that it receives at that address. Ports do not count, as clients change them.
#[derive(Debug)]
pub(super) struct Cookies {
    secret: [u8; 32],
    start: Instant,
}

impl Cookies {
    pub(super) const fn new(now: Instant, secret: [u8; 32]) -> Self {
        Self { secret, start: now }
    }

    pub(super) fn make(&self, now: Instant, address: IpAddr) -> u64 {
        self.hash(self.window(now), address)
    }

    pub(super) fn check(&self, now: Instant, address: IpAddr, id: u64) -> bool {
        let window = self.window(now);
        let previous = window
            .checked_sub(1)
            .map(|window| self.hash(window, address));
        id == self.hash(window, address) || Some(id) == previous
    }

    fn window(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_secs() / WINDOW.as_secs()
    }

    fn hash(&self, window: u64, address: IpAddr) -> u64 {
        let octets = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        // All parts have a fixed length and only 8 bytes come out: a plain keyed hash is enough.
        let mut hasher = Sha256::new();
        hasher.update(self.secret);
        hasher.update(octets);
        hasher.update(window.to_be_bytes());
        let digest: [u8; 32] = hasher.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::origin;

    #[test]
    fn an_id_is_good_for_its_address_and_two_minutes() {
        let start = origin();
        let cookies = Cookies::new(start, [7; 32]);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        for made in [0, 60, 119, 120, 300] {
            let made = start + Duration::from_secs(made);
            let id = cookies.make(made, address);
            assert!(cookies.check(made, address, id));
            assert!(cookies.check(made + Duration::from_secs(120), address, id));
            assert!(!cookies.check(made + Duration::from_secs(240), address, id));
            assert!(!cookies.check(made, "192.0.2.2".parse().unwrap(), id));
            assert!(!cookies.check(made, address, id ^ 1));
            assert!(!Cookies::new(start, [8; 32]).check(made, address, id));
        }
    }
}
