//! The limit on connections of a session, and what happens when it is reached.
//!
//! Every connection holds a [`ConnectionPermit`], from before it is dialled, or accepted, until it is closed. There are
//! [`SessionBuilder::max_connections`](crate::SessionBuilder::max_connections) of them, for all torrents together. When all
//! are taken:
//!
//! - **An incoming connection is closed at once** (`accept/mod.rs`), before its handshake.
//! - **A dial waits** in [`PermitGroup::acquire`]. The next permit goes to the torrent that holds the fewest, and among
//!   equals to the one that has waited longest.
//! - **Torrents give way.** One that holds more than its share disconnects a peer a second while another waits
//!   ([`PermitGroup::is_over_share`]), and any torrent disconnects peers that are of no use to it
//!   ([`PermitGroup::shut_out`]); both are asked in `torrent/mod.rs`, and the engine chooses the peers.
//! - **One host cannot take all**: an incoming connection is refused when its host holds as many permits as are free.
//!
//! The rate of dials is limited here too ([`DialLimit`], a token bucket): a permit for a dial is granted when its turn has
//! come.

mod dials;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::sleep_until;

use crate::torrent::Host;

pub(crate) use dials::DialLimit;

/// The most connections where file descriptors do not say less.
const DEFAULT_LIMIT: usize = 1_000;
/// A quarter of the files that the process may have open is kept for what is not a connection to a peer,
const KEPT_OF_FILES: u64 = 4;
/// and this many more: trackers, the DHT, the runtime, and the rest of the process.
const KEPT_FILES: u64 = 128;
/// The least default, however few files the process may have open.
const LEAST_DEFAULT: usize = 16;

/// The most useless peers that a torrent disconnects at once when others are shut out.
const MAX_SHED: usize = 8;

/// The default limit on connections.
pub(crate) fn default_limit() -> usize {
    limit_for(open_files_limit())
}

/// The default limit for a process that may have `open_files` files open, if that is limited.
fn limit_for(open_files: Option<u64>) -> usize {
    let left = open_files.map_or(u64::MAX, |files| {
        (files - files / KEPT_OF_FILES).saturating_sub(KEPT_FILES)
    });
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    left.clamp(LEAST_DEFAULT, DEFAULT_LIMIT)
}

#[cfg(unix)]
fn open_files_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// On this system, sockets are not files.
#[cfg(not(unix))]
const fn open_files_limit() -> Option<u64> {
    None
}

/// The connection permits that the torrents of a session share. Clones are handles to the same ones.
///
/// A [`PermitGroup`] is a torrent or a fetch of metadata. Before it dials it waits for a permit, and for its turn to dial. Of
/// those that wait, the one with the fewest permits is next, then the one that has waited longest; so the others fall back
/// to its level as their connections end.
///
/// An incoming connection does not wait, and its torrent is not known before the handshake. One that was refused may have
/// been for a torrent that has no other connection: until one has been accepted again, the last free permit is not given
/// to a group that has more than its share.
///
/// One host can take half of the permits with its incoming connections, two hosts a third each: there is always room for
/// the next host.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionPermits {
    state: Arc<Mutex<State>>,
    /// The runtime for the task that wakes dials when their turn comes; `None` outside a runtime.
    runtime: Option<Handle>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    taken: usize,
    groups: BTreeMap<u64, Account>,
    last_id: u64,
    last_ticket: u64,
    /// An incoming connection was refused, and none has been accepted since.
    refused: bool,
    /// Incoming connections that were refused.
    refusals: u64,
    /// Permits of incoming connections by their host.
    hosts: BTreeMap<Host, usize>,
    dials: DialLimit,
    /// A task waits until the next dial may be made.
    is_timed: bool,
    /// No dial gets a permit.
    is_paused: bool,
}

/// What a group holds and waits for.
#[derive(Debug, Default)]
struct Account {
    held: usize,
    /// Refusals of the session up to the last time that this group asked for them.
    refusals_seen: u64,
    /// The dials that wait, by ticket, the oldest first.
    waiting: VecDeque<(u64, Grant)>,
}

/// Wakes a dial that waits for a permit, which counts as taken by then.
type Grant = oneshot::Sender<()>;

/// A torrent, or a fetch of metadata, among those that share the permits. It has left when this and its permits are dropped.
#[derive(Debug)]
pub(crate) struct PermitGroup {
    permits: ConnectionPermits,
    id: u64,
}

/// The right to one connection, half-open or whole; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    permits: ConnectionPermits,
    /// `None` for an incoming connection before its handshake.
    group: Option<Arc<PermitGroup>>,
    /// The host of an incoming connection.
    caller: Option<Host>,
}

/// A place in the queue for permits; it is given up when this is dropped.
struct Waiting {
    group: Arc<PermitGroup>,
    /// `None` once the permit is there.
    ticket: Option<u64>,
}

impl ConnectionPermits {
    /// Permits for `limit` connections. Outside a tokio runtime, nothing wakes dials that the rate limiter holds back.
    pub(crate) fn new(limit: usize, dials: DialLimit) -> Self {
        let state = State {
            limit,
            taken: 0,
            groups: BTreeMap::new(),
            last_id: 0,
            last_ticket: 0,
            refused: false,
            refusals: 0,
            hosts: BTreeMap::new(),
            dials,
            is_timed: false,
            is_paused: false,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            runtime: Handle::try_current().ok(),
        }
    }

    /// The most connections there may be.
    pub(crate) fn limit(&self) -> usize {
        self.lock().limit
    }

    /// Changes the most connections there may be. Above it, each torrent with more than its share disconnects a peer a
    /// second.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.change(|state| state.limit = limit);
    }

    /// Whether dials wait, whatever permits there are: there is no network.
    pub(crate) fn set_paused(&self, is_paused: bool) {
        self.change(|state| state.is_paused = is_paused);
    }

    /// Connections that there are now, half-open ones included.
    pub(crate) fn taken(&self) -> usize {
        self.lock().taken
    }

    pub(crate) fn new_group(&self) -> Arc<PermitGroup> {
        let mut state = self.lock();
        state.last_id += 1;
        let id = state.last_id;
        let account = Account {
            refusals_seen: state.refusals,
            ..Account::default()
        };
        state.groups.insert(id, account);
        drop(state);
        Arc::new(PermitGroup {
            permits: self.clone(),
            id,
        })
    }

    /// A permit for an incoming connection, if there is one for its host.
    pub(crate) fn try_acquire_incoming(&self, ip: IpAddr) -> Option<ConnectionPermit> {
        let host = Host::of(ip);
        let mut state = self.lock();
        let free = state.limit.saturating_sub(state.taken);
        let held = state.hosts.get(&host).copied().unwrap_or(0);
        state.refused = held >= free;
        if state.refused {
            state.refusals += 1;
            return None;
        }
        state.taken += 1;
        state.hosts.insert(host, held + 1);
        drop(state);
        Some(ConnectionPermit {
            permits: self.clone(),
            group: None,
            caller: Some(host),
        })
    }

    /// Changes something; then grants the permits that can be granted.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let outcome = change(&mut state);
        let now = now();
        let grants = state.grant(now);
        let timer = self.runtime.as_ref().filter(|_| !state.is_timed);
        let timer = timer.and_then(|runtime| Some((runtime, state.next_dial(now)?)));
        state.is_timed |= timer.is_some();
        // Tasks are woken without the lock, which they take next.
        drop(state);
        wake(grants);
        if let Some((runtime, at)) = timer {
            runtime.spawn(serve_dials(Arc::downgrade(&self.state), at));
        }
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// The time by tokio's clock, which tests can stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn wake(grants: Vec<Grant>) {
    for grant in grants {
        // A dial that no longer waits gives the permit back by itself.
        let _ = grant.send(());
    }
}

/// Grants permits at the times when dials may be made, until no dial waits for such a time or the session is gone.
async fn serve_dials(state: Weak<Mutex<State>>, mut at: Instant) {
    loop {
        sleep_until(at.into()).await;
        let Some(state) = state.upgrade() else {
            return;
        };
        let mut state = state.lock();
        let now = now();
        let grants = state.grant(now);
        let next = state.next_dial(now);
        state.is_timed = next.is_some();
        drop(state);
        wake(grants);
        match next {
            Some(next) => at = next,
            None => return,
        }
    }
}

impl State {
    fn grant(&mut self, now: Instant) -> Vec<Grant> {
        let mut grants = Vec::new();
        while self.dials.next(now) <= now
            && let Some(id) = self.next()
        {
            let account = self.groups.get_mut(&id);
            let Some((_, grant)) = account.and_then(Account::serve) else {
                break;
            };
            self.taken += 1;
            self.dials.take(now);
            grants.push(grant);
        }
        grants
    }

    /// When the next dial is granted a permit, if only the rate limit holds it back.
    fn next_dial(&self, now: Instant) -> Option<Instant> {
        self.next().map(|_| self.dials.next(now))
    }

    /// The group whose turn it is to dial, if there is one.
    fn next(&self) -> Option<u64> {
        if self.is_paused {
            return None;
        }
        let free = self.limit.saturating_sub(self.taken);
        let waiting = self.groups.iter().filter_map(|(&id, account)| {
            let (ticket, _) = account.waiting.front()?;
            Some((account.held, *ticket, id))
        });
        let (.., id) = waiting.min()?;
        let kept_for_callers = self.refused && free == 1 && self.is_over_share(id, true);
        (free > 0 && !kept_for_callers).then_some(id)
    }

    /// Whether a group has more than its share, and at least two more than a group that could use one: for a difference of
    /// one, the permit would only go back and forth. `count_idle`: groups that an incoming connection might be for count as
    /// well.
    fn is_over_share(&self, id: u64, count_idle: bool) -> bool {
        let Some(held) = self.groups.get(&id).map(|account| account.held) else {
            return false;
        };
        let accounts = || self.groups.values();
        let claimants = accounts().filter(|account| !account.is_idle()).count();
        // An incoming connection is for one of the idle groups at most.
        let called = count_idle && accounts().any(Account::is_idle);
        let share = self.limit / (claimants + usize::from(called)).max(1);
        if self.taken > self.limit && held > share {
            // The limit was lowered.
            return true;
        }
        let wanting = accounts().filter(|account| count_idle || !account.waiting.is_empty());
        let least = wanting.map(|account| account.held).min();
        held > share && least.is_some_and(|least| held >= least + 2)
    }

    fn give_back(&mut self, group: Option<u64>, caller: Option<Host>) {
        self.taken -= 1;
        if let Some(host) = caller
            && let Some(held) = self.hosts.get_mut(&host)
        {
            *held -= 1;
            if *held == 0 {
                self.hosts.remove(&host);
            }
        }
        if let Some(account) = group.and_then(|id| self.groups.get_mut(&id)) {
            account.held -= 1;
        }
    }
}

impl Account {
    fn is_idle(&self) -> bool {
        self.held == 0 && self.waiting.is_empty()
    }

    fn serve(&mut self) -> Option<(u64, Grant)> {
        let first = self.waiting.pop_front()?;
        self.held += 1;
        Some(first)
    }

    /// Says whether the ticket was still waiting.
    fn leave(&mut self, ticket: u64) -> bool {
        let waited = self.waiting.len();
        self.waiting.retain(|(other, _)| *other != ticket);
        self.waiting.len() < waited
    }
}

impl PermitGroup {
    /// Waits for a permit, and for the turn to dial.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the dial leaves the queue, and a permit that was just granted goes to the next.
    pub(crate) async fn acquire(self: Arc<Self>) -> ConnectionPermit {
        let (grant, granted) = oneshot::channel();
        let ticket = self.permits.change(|state| {
            state.last_ticket += 1;
            let ticket = state.last_ticket;
            if let Some(account) = state.groups.get_mut(&self.id) {
                account.waiting.push_back((ticket, grant));
            }
            ticket
        });
        let mut waiting = Waiting {
            group: Arc::clone(&self),
            ticket: Some(ticket),
        };
        // The sender is not dropped before it has sent: the account lives as long as the group.
        let _ = granted.await;
        waiting.ticket = None;
        ConnectionPermit {
            permits: self.permits.clone(),
            group: Some(self),
            caller: None,
        }
    }

    /// The handshake of an incoming connection has named this group's torrent: its permit counts as this group's.
    pub(crate) fn adopt(self: &Arc<Self>, permit: &mut ConnectionPermit) {
        if permit.group.is_some() {
            return;
        }
        permit.group = Some(Arc::clone(self));
        if let Some(account) = self.permits.lock().groups.get_mut(&self.id) {
            account.held += 1;
        }
    }

    /// Whether to disconnect a peer, because a group with fewer waits, or an incoming connection was refused.
    pub(crate) fn is_over_share(&self) -> bool {
        let state = self.permits.lock();
        let count_idle = state.refused && state.taken >= state.limit;
        state.is_over_share(self.id, count_idle)
    }

    /// How many useless peers to disconnect for others that have no permit: incoming connections that were refused since
    /// the last time, and dials of any torrent that wait.
    pub(crate) fn shut_out(&self) -> usize {
        let mut state = self.permits.lock();
        let is_full = state.taken >= state.limit;
        let waiting = state.groups.values().map(|account| account.waiting.len());
        let waiting = if is_full { waiting.sum() } else { 0 };
        let refusals = state.refusals;
        let Some(account) = state.groups.get_mut(&self.id) else {
            return 0;
        };
        let refused = refusals - std::mem::replace(&mut account.refusals_seen, refusals);
        usize::try_from(refused)
            .unwrap_or(MAX_SHED)
            .saturating_add(waiting)
            .min(MAX_SHED)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else {
            return;
        };
        let id = self.group.id;
        self.group.permits.change(|state| {
            let account = state.groups.get_mut(&id);
            if !account.is_some_and(|account| account.leave(ticket)) {
                state.give_back(Some(id), None);
            }
        });
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let group = self.group.as_ref().map(|group| group.id);
        let caller = self.caller;
        self.permits.change(|state| state.give_back(group, caller));
    }
}

impl Drop for PermitGroup {
    fn drop(&mut self) {
        self.permits.change(|state| state.groups.remove(&self.id));
    }
}
