//! Numbers of limits that do not hold. In Transmission a limit is a number and a switch, and the number stays while the switch
//! is off; the daemon has no number for a limit that does not hold, and keeps these as a text.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::control::Control;

/// The name of the text.
const KEPT: &str = "transmission_numbers";

/// Bytes of a kilobyte, in rates.
pub(super) const KILO: u64 = 1_000;
/// Seconds of a minute.
pub(super) const MINUTE: u64 = 60;

/// The numbers of the daemon: rates in kB/s.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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

/// All of them, as they are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Numbers {
    /// Torrents are added paused where the caller does not say.
    adds_paused: bool,
    daemon: OfDaemon,
    /// By the torrents' numbers; those with the usual numbers are not in it.
    torrents: HashMap<i64, OfTorrent>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    numbers: Mutex<Numbers>,
    /// They have changed since they were kept.
    is_dirty: AtomicBool,
    is_loaded: OnceCell<()>,
}

impl Remembered {
    /// Reads what was kept, once.
    pub(super) async fn load(&self, control: &Control) {
        let loading = async {
            let kept = match control.kept(KEPT).await {
                Ok(kept) => kept.unwrap_or_else(|| "{}".to_owned()),
                Err(error) => {
                    tracing::warn!("numbers of limits that do not hold cannot be read: {error}");
                    return;
                }
            };
            match serde_json::from_str(&kept) {
                Ok(numbers) => *self.numbers.lock() = numbers,
                Err(error) => tracing::warn!("numbers of limits are not readable: {error}"),
            }
        };
        self.is_loaded.get_or_init(|| loading).await;
    }

    /// Keeps them, if they have changed.
    pub(super) async fn save(&self, control: &Control) {
        if !self.is_dirty.swap(false, Ordering::Relaxed) {
            return;
        }
        let json = serde_json::to_string(&*self.numbers.lock());
        let saved = match json {
            Ok(json) => control.keep(KEPT, json).await,
            Err(_) => return,
        };
        if let Err(error) = saved {
            tracing::warn!("numbers of limits that do not hold are not kept: {error}");
        }
    }

    fn change(&self, change: impl FnOnce(&mut Numbers)) {
        let mut numbers = self.numbers.lock();
        let before = numbers.clone();
        change(&mut numbers);
        if *numbers != before {
            self.is_dirty.store(true, Ordering::Relaxed);
        }
    }

    /// Whether torrents are added paused where the caller does not say.
    pub(super) fn adds_paused(&self) -> bool {
        self.numbers.lock().adds_paused
    }

    pub(super) fn set_adds_paused(&self, adds_paused: bool) {
        self.change(|numbers| numbers.adds_paused = adds_paused);
    }

    pub(super) fn daemon(&self) -> OfDaemon {
        self.numbers.lock().daemon
    }

    pub(super) fn set_daemon(&self, of_daemon: OfDaemon) {
        self.change(|numbers| numbers.daemon = of_daemon);
    }

    pub(super) fn torrent(&self, number: i64) -> OfTorrent {
        let numbers = self.numbers.lock();
        numbers.torrents.get(&number).copied().unwrap_or_default()
    }

    pub(super) fn set_torrent(&self, number: i64, of_torrent: OfTorrent) {
        self.change(|numbers| {
            match of_torrent == OfTorrent::default() {
                true => numbers.torrents.remove(&number),
                false => numbers.torrents.insert(number, of_torrent),
            };
        });
    }

    /// Keeps those of torrents that are still there.
    pub(super) fn retain(&self, is_there: impl Fn(i64) -> bool) {
        self.change(|numbers| numbers.torrents.retain(|number, _| is_there(*number)));
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
        assert!(remembered.numbers.lock().torrents.is_empty());
        assert!(remembered.is_dirty.load(Ordering::Relaxed));
    }
}
