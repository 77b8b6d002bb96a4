//! An entry of the routing table: a node with its status, as its answers and timeouts determine it.

use std::time::{Duration, Instant};

use crate::{NodeId, NodeInfo};

/// How long a node stays good after its last answer or query (BEP 5).
pub const GOOD_FOR: Duration = Duration::from_secs(15 * 60);
/// Queries in a row that a node may leave unanswered before it is bad. BEP 5 suggests trying once more.
pub const MAX_FAILURES: u8 = 2;

/// The status of a node (BEP 5).
///
/// ```text
///            GOOD_FOR without an answer or a query          MAX_FAILURES timeouts in a row
///    Good ─────────────────────────────────▶ Questionable ──────────────────────────────▶ Bad
///     ▲ ▲                                         │                                        │
///     │ └──────────── answer or query ────────────┘                                        │
///     └────────────────────────────────────── answer ──────────────────────────────────────┘
/// ```
///
/// A good node turns bad in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It answered or asked within [`GOOD_FOR`].
    Good,
    /// It has been silent for longer.
    Questionable,
    /// Has left [`MAX_FAILURES`] queries in a row unanswered. The first to be replaced.
    Bad,
}

/// A node that has answered at least once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    node: NodeInfo,
    /// The last answer or query. Since an entry has answered, a query counts as much (BEP 5).
    last_seen: Instant,
    failures: u8,
    /// The table has asked for a ping and does not know the outcome yet.
    pinged: bool,
    /// Whether BEP 42 lets a node at its address have its id.
    is_secure: bool,
    /// How long its last measured answer took.
    rtt: Option<Duration>,
}

impl Entry {
    pub(super) fn new(now: Instant, node: NodeInfo) -> Self {
        Self {
            node,
            last_seen: now,
            failures: 0,
            pinged: false,
            is_secure: node.id.is_valid_for(node.addr.ip()),
            rtt: None,
        }
    }

    /// The node.
    #[must_use]
    pub const fn node(&self) -> NodeInfo {
        self.node
    }

    /// The node's id.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.node.id
    }

    /// When it last answered a query or sent one.
    #[must_use]
    pub const fn last_seen(&self) -> Instant {
        self.last_seen
    }

    /// Its status at `now`.
    #[must_use]
    pub fn status(&self, now: Instant) -> Status {
        if self.is_bad() {
            Status::Bad
        } else if now.saturating_duration_since(self.last_seen) < GOOD_FOR {
            Status::Good
        } else {
            Status::Questionable
        }
    }

    /// Whether it is [`Status::Bad`], which does not depend on the time.
    #[must_use]
    pub const fn is_bad(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    /// Whether its id is one that a node at its address may have (BEP 42).
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// How long its last measured answer took.
    #[must_use]
    pub const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    pub(super) const fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = Some(rtt);
    }

    pub(super) const fn is_pinged(&self) -> bool {
        self.pinged
    }

    /// When it turns questionable; `None` if it is bad.
    pub(super) fn good_until(&self) -> Option<Instant> {
        if self.is_bad() {
            return None;
        }
        self.last_seen.checked_add(GOOD_FOR)
    }

    pub(super) fn on_response(&mut self, now: Instant) {
        self.last_seen = self.last_seen.max(now);
        self.failures = 0;
        self.pinged = false;
    }

    pub(super) fn on_query(&mut self, now: Instant) {
        self.last_seen = self.last_seen.max(now);
    }

    pub(super) const fn on_ping(&mut self) {
        self.pinged = true;
    }

    pub(super) const fn on_timeout(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.pinged = false;
    }
}
