//! One-shot timers that can be moved cheaply.

use std::collections::HashMap;

use crate::agenda::Nanos;
use crate::event::HostId;

/// The timers of all hosts. Never iterated, so that the map's order cannot affect a run.
///
/// A state machine moves its timer with almost every packet, mostly to later. Such a move does not touch the agenda:
/// when the old entry comes up, it is early, and is listed again.
#[derive(Debug, Default)]
pub(crate) struct Timers(HashMap<(HostId, u64), Timer>);

#[derive(Clone, Copy, Debug)]
struct Timer {
    due: Nanos,
    /// When its entry in the agenda comes up; entries of other times are leftovers.
    listed: Nanos,
}

/// The outcome when an entry of the agenda comes up.
pub(crate) enum Fired {
    /// The timer is due.
    Due,
    /// The timer was moved: list it again at this time.
    Later(Nanos),
    /// The timer was cancelled, or another entry replaces this one.
    Stale,
}

impl Timers {
    /// Sets or moves a timer, and returns whether it must be listed in the agenda at `due`.
    pub(crate) fn set(&mut self, host: HostId, token: u64, due: Nanos) -> bool {
        let timer = Timer { due, listed: due };
        match self.0.get_mut(&(host, token)) {
            Some(old) if old.listed <= due => {
                old.due = due;
                false
            }
            Some(old) => {
                *old = timer;
                true
            }
            None => {
                self.0.insert((host, token), timer);
                true
            }
        }
    }

    pub(crate) fn cancel(&mut self, host: HostId, token: u64) {
        self.0.remove(&(host, token));
    }

    pub(crate) fn cancel_all(&mut self, host: HostId) {
        self.0.retain(|&(owner, _), _| owner != host);
    }

    pub(crate) fn fire(&mut self, host: HostId, token: u64, now: Nanos) -> Fired {
        match self.0.get_mut(&(host, token)) {
            Some(timer) if timer.listed != now => Fired::Stale,
            Some(timer) if timer.due > now => {
                timer.listed = timer.due;
                Fired::Later(timer.due)
            }
            Some(_) => {
                self.0.remove(&(host, token));
                Fired::Due
            }
            None => Fired::Stale,
        }
    }
}
