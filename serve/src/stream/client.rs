//! The client of a connection: its address group and its activity, by which a victim is chosen when no permit is free.

use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Addresses that count as one client: one IPv4 address, or one IPv6 /64, which is what a single customer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AddrGroup(IpAddr);

impl AddrGroup {
    pub(crate) fn of(addr: IpAddr) -> Self {
        Self(match addr.to_canonical() {
            IpAddr::V6(addr) => {
                let [a, b, c, d, ..] = addr.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    /// An address that stands for all of them.
    pub(crate) const fn addr(self) -> IpAddr {
        self.0
    }
}

/// How long a client may be idle before a new client displaces it. While there are free places, no client is displaced.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Time limit of a client whose socket takes no bytes although there are some. A paused player does that too, and
    /// asks again when it plays.
    pub stalled_after: Duration,
    /// Time limit of a client that waits for bytes that do not arrive from the swarm.
    pub starved_after: Duration,
}

/// The activity of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    /// A request has come, and its answer is not complete.
    is_answering: bool,
    /// There are bytes for the socket, and it takes none.
    is_blocked: bool,
    /// The last event: the connection was made, a request came, the socket took bytes or began to take none, or an
    /// answer was complete.
    since: Instant,
}

/// Why a client can be displaced, in the order in which victims are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Idleness {
    /// It has not sent a whole request, or not the next one.
    Silent,
    /// Its socket takes no bytes.
    Stalled,
    /// It waits for bytes that do not come.
    Starved,
}

impl Activity {
    /// A connection that has just been made.
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            is_answering: false,
            is_blocked: false,
            since: now,
        }
    }

    pub(crate) const fn on_request(&mut self, now: Instant) {
        self.is_answering = true;
        self.since = now;
    }

    /// The body is complete, or was dropped. Bytes of it may still wait for the socket.
    pub(crate) const fn on_answered(&mut self, now: Instant) {
        self.is_answering = false;
        if !self.is_blocked {
            self.since = now;
        }
    }

    /// The socket has taken bytes. Returns whether it took none before.
    pub(crate) const fn on_taken(&mut self, now: Instant) -> bool {
        let was_blocked = self.is_blocked;
        self.is_blocked = false;
        self.since = now;
        was_blocked
    }

    /// The socket takes nothing. Returns whether it took bytes before.
    pub(crate) const fn on_blocked(&mut self, now: Instant) -> bool {
        let is_news = !self.is_blocked;
        if is_news {
            self.is_blocked = true;
            self.since = now;
        }
        is_news
    }

    /// The time of the last event.
    pub(crate) const fn since(&self) -> Instant {
        self.since
    }

    /// Whether it has been idle for so long that a new client may displace it.
    pub(crate) fn idleness(&self, now: Instant, patience: Patience) -> Option<Idleness> {
        let idle = now.saturating_duration_since(self.since);
        match (self.is_blocked, self.is_answering) {
            (true, _) => (idle >= patience.stalled_after).then_some(Idleness::Stalled),
            (false, true) => (idle >= patience.starved_after).then_some(Idleness::Starved),
            (false, false) => Some(Idleness::Silent),
        }
    }
}

/// The client of one connection. Its task reports its activity, and ends when it is displaced.
#[derive(Debug)]
pub(crate) struct Client {
    group: AddrGroup,
    activity: Mutex<Activity>,
    /// The task that produces bytes for the socket, woken when the socket begins or ceases to take them.
    producer: Mutex<Option<Waker>>,
    displaced: CancellationToken,
}

impl Client {
    /// One that has just connected.
    pub(crate) fn new(addr: IpAddr) -> Arc<Self> {
        Arc::new(Self {
            group: AddrGroup::of(addr),
            activity: Mutex::new(Activity::new(Instant::now())),
            producer: Mutex::default(),
            displaced: CancellationToken::new(),
        })
    }

    pub(crate) const fn group(&self) -> AddrGroup {
        self.group
    }

    pub(crate) fn activity(&self) -> Activity {
        *self.lock()
    }

    /// The socket has taken bytes.
    pub(crate) fn on_taken(&self) {
        let is_news = self.lock().on_taken(Instant::now());
        self.wake_if(is_news);
    }

    /// The socket takes nothing.
    pub(crate) fn on_blocked(&self) {
        let is_news = self.lock().on_blocked(Instant::now());
        self.wake_if(is_news);
    }

    /// Whether the socket takes bytes: while it takes none, there is no use for more. The task of `cx` is woken when that
    /// changes.
    pub(crate) fn poll_wants(&self, cx: &Context<'_>) -> Poll<()> {
        // Registered before the check, so that no change is missed.
        *self.producer() = Some(cx.waker().clone());
        match self.activity().is_blocked {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }

    fn wake_if(&self, is_news: bool) {
        if !is_news {
            return;
        }
        let producer = self.producer().take();
        if let Some(waker) = producer {
            waker.wake();
        }
    }

    fn producer(&self) -> MutexGuard<'_, Option<Waker>> {
        self.producer.lock()
    }

    /// A request has come. Keep the returned guard with its answer.
    pub(crate) fn on_request(self: &Arc<Self>) -> Answering {
        self.lock().on_request(Instant::now());
        Answering(Arc::clone(self))
    }

    /// A new client gets its place: ends its task.
    pub(crate) fn displace(&self) {
        self.displaced.cancel();
    }

    /// Runs `work` until the client is displaced.
    pub(crate) async fn serve(&self, work: impl Future<Output = ()>) {
        if self.displaced.run_until_cancelled(work).await.is_none() {
            tracing::debug!(client = ?self.group, "displaced by a newcomer");
        }
    }

    /// Held briefly, and never while another lock is awaited.
    fn lock(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock()
    }
}

/// While it exists, a request of its client is being answered.
#[derive(Debug)]
pub(crate) struct Answering(Arc<Client>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.lock().on_answered(Instant::now());
    }
}

/// A response's body, which is dropped when all of it waits for the socket.
pub(crate) struct Answer<B> {
    body: B,
    _answering: Answering,
}

impl<B> Answer<B> {
    pub(crate) const fn new(body: B, answering: Answering) -> Self {
        Self {
            body,
            _answering: answering,
        }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const PATIENCE: Patience = Patience {
        stalled_after: Duration::from_secs(5),
        starved_after: Duration::from_secs(60),
    };

    #[test]
    fn an_ipv6_network_is_one_group() {
        let group = |addr: &str| AddrGroup::of(addr.parse().unwrap());
        assert_eq!(group("2001:db8::1"), group("2001:db8::ffff:0:0:1"));
        assert_ne!(group("2001:db8::1"), group("2001:db8:0:1::1"));
        assert_eq!(group("::ffff:192.0.2.1"), group("192.0.2.1"));
        assert_ne!(group("192.0.2.1"), group("192.0.2.2"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_silent_until_it_asks_and_after_its_answer() {
        let began = Instant::now();
        let mut activity = Activity::new(began);
        let idleness = |activity: &Activity, after| activity.idleness(began + after, PATIENCE);
        assert_eq!(idleness(&activity, SECOND), Some(Idleness::Silent));
        activity.on_request(began + SECOND);
        assert_eq!(idleness(&activity, 2 * SECOND), None);
        activity.on_answered(began + 3 * SECOND);
        assert_eq!(idleness(&activity, 3 * SECOND), Some(Idleness::Silent));
        assert_eq!(activity.since(), began + 3 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_stalls_even_when_its_answer_is_complete() {
        let began = Instant::now();
        let mut activity = Activity::new(began);
        let idleness = |activity: &Activity, after| activity.idleness(began + after, PATIENCE);
        activity.on_request(began);
        activity.on_taken(began + SECOND);
        activity.on_blocked(began + 2 * SECOND);
        activity.on_blocked(began + 3 * SECOND);
        activity.on_answered(began + 4 * SECOND);
        assert_eq!(idleness(&activity, 6 * SECOND), None);
        assert_eq!(idleness(&activity, 7 * SECOND), Some(Idleness::Stalled));
        activity.on_taken(began + 7 * SECOND);
        assert_eq!(idleness(&activity, 7 * SECOND), Some(Idleness::Silent));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_waits_for_the_swarm_is_given_more_time() {
        let began = Instant::now();
        let mut activity = Activity::new(began);
        activity.on_request(began);
        let idleness = |after| activity.idleness(began + after, PATIENCE);
        assert_eq!(idleness(59 * SECOND), None);
        assert_eq!(idleness(60 * SECOND), Some(Idleness::Starved));
    }
}
