//! Numbers of limits that do not hold. In Transmission a limit is a number and a switch, and the number stays while the switch
//! is off; the daemon has no number for a limit that does not hold. They are forgotten when the process ends.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

/// Bytes of a kilobyte, in rates.
pub(super) const KILO: u64 = 1_000;
/// Seconds of a minute.
pub(super) const MINUTE: u64 = 60;

/// The numbers of the daemon: rates in kB/s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct OfDaemon {
    pub(super) down: u64,
    pub(super) up: u64,
    pub(super) alternative_down: u64,
    pub(super) alternative_up: u64,
    pub(super) ratio: f64,
    pub(super) idle_minutes: u64,
    pub(super) downloads: u64,
    pub(super) seeds: u64,
}

impl Default for OfDaemon {
    /// Transmission's own.
    fn default() -> Self {
        Self {
            down: 100,
            up: 100,
            alternative_down: 50,
            alternative_up: 50,
            ratio: 2.0,
            idle_minutes: 30,
            downloads: 5,
            seeds: 10,
        }
    }
}

/// The numbers of a torrent: rates in kB/s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct OfTorrent {
    pub(super) down: u64,
    pub(super) up: u64,
    pub(super) ratio: f64,
    pub(super) idle_minutes: u64,
}

impl Default for OfTorrent {
    fn default() -> Self {
        Self {
            down: 100,
            up: 100,
            ratio: 2.0,
            idle_minutes: 30,
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// Torrents are added paused where the caller does not say.
    pub(super) adds_paused: AtomicBool,
    daemon: Mutex<OfDaemon>,
    /// By the torrents' numbers; those with the usual numbers are not in it.
    torrents: Mutex<HashMap<i64, OfTorrent>>,
}

impl Remembered {
    pub(super) fn daemon(&self) -> OfDaemon {
        *self.daemon.lock()
    }

    pub(super) fn set_daemon(&self, numbers: OfDaemon) {
        *self.daemon.lock() = numbers;
    }

    pub(super) fn torrent(&self, number: i64) -> OfTorrent {
        let torrents = self.torrents.lock();
        torrents.get(&number).copied().unwrap_or_default()
    }

    pub(super) fn set_torrent(&self, number: i64, numbers: OfTorrent) {
        let mut torrents = self.torrents.lock();
        match numbers == OfTorrent::default() {
            true => torrents.remove(&number),
            false => torrents.insert(number, numbers),
        };
    }

    /// Keeps those of torrents that are still there.
    pub(super) fn retain(&self, is_there: impl Fn(i64) -> bool) {
        self.torrents.lock().retain(|number, _| is_there(*number));
    }
}

/// kB/s of a rate.
pub(super) const fn kilo(rate: u64) -> u64 {
    rate / KILO
}

/// The rate of so many kB/s. The daemon has no limit of 0; 1 byte a second is as good as none.
pub(super) const fn rate(kilo: u64) -> u64 {
    match kilo.saturating_mul(KILO) {
        0 => 1,
        rate => rate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_nothing_is_shown_as_such() {
        assert_eq!((rate(0), kilo(rate(0))), (1, 0));
        assert_eq!((rate(5), kilo(rate(5))), (5_000, 5));
        assert_eq!(kilo(rate(u64::MAX)), u64::MAX / KILO);
    }

    #[test]
    fn numbers_of_torrents_that_are_gone_are_forgotten() {
        let remembered = Remembered::default();
        let numbers = OfTorrent {
            down: 7,
            ..OfTorrent::default()
        };
        remembered.set_torrent(1, numbers);
        remembered.set_torrent(2, numbers);
        remembered.retain(|number| number == 2);
        assert_eq!(remembered.torrent(1), OfTorrent::default());
        assert_eq!(remembered.torrent(2), numbers);
        remembered.set_torrent(2, OfTorrent::default());
        assert!(remembered.torrents.lock().is_empty());
    }
}
