//! Honest transfers beside an attack.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tailwater_hostile::peer::{Leech, MetadataServer, Supply};
use tailwater_hostile::tcp::{Bounds, Crowd, Dial, Listener};
use tailwater_hostile::{Content, Counts, Pacer, Peer};

use crate::bed::{HONEST, RATE, any_port};

/// How long after a disconnection an honest side reconnects.
const AGAIN: Duration = Duration::from_millis(50);

/// The first number of honest peers: no attacker has the peer id of one of them.
const FIRST_NUMBER: u64 = 1 << 40;

/// Honest sides, on a thread of their own.
pub(crate) struct Honest {
    crowd: Crowd,
    /// The number of the next honest peer.
    number: Arc<AtomicU64>,
}

impl Honest {
    pub(crate) fn start() -> Self {
        let bounds = Bounds::lasting(Duration::from_secs(150));
        Self {
            crowd: Crowd::start(bounds).unwrap(),
            number: Arc::new(AtomicU64::new(FIRST_NUMBER)),
        }
    }

    /// Downloads from `to` without end, from the `which`-th honest host, at [`RATE`]; the counter of what comes.
    pub(crate) fn leech(&self, which: usize, to: SocketAddr, content: &Content) -> Arc<Counts> {
        self.leech_up_to(which, to, content, u64::MAX)
    }

    /// The same, until `bytes` bytes have come.
    pub(crate) fn leech_up_to(
        &self,
        which: usize,
        to: SocketAddr,
        content: &Content,
        bytes: u64,
    ) -> Arc<Counts> {
        let counts = Arc::<Counts>::default();
        let leech = Leech::of(content)
            .paced(&Pacer::new(RATE))
            .counting(&counts)
            .stops_after(bytes);
        let content = content.clone();
        let dial = Dial::to(to).from(HONEST[which]).again_after(AGAIN);
        let number = Arc::clone(&self.number);
        self.crowd
            .dial(dial, move || {
                Peer::leech(&content, next(&number), leech.clone())
            })
            .unwrap();
        counts
    }

    /// Connects to `to` and serves it, at [`RATE`]; returns the counter of served bytes.
    pub(crate) fn seeder_calls(
        &self,
        which: usize,
        to: SocketAddr,
        content: &Content,
    ) -> Arc<Counts> {
        let counts = Arc::<Counts>::default();
        let supply = Supply::of(content)
            .paced(&Pacer::new(RATE))
            .counting(&counts);
        let dial = Dial::to(to).from(HONEST[which]).again_after(AGAIN);
        let (content, number) = (content.clone(), Arc::clone(&self.number));
        self.crowd
            .dial(dial, move || {
                Peer::seeder(&content, next(&number), supply.clone())
            })
            .unwrap();
        counts
    }

    /// Listens and serves each peer that connects, with metadata too; returns its address and the counter of served
    /// bytes.
    pub(crate) fn seeder_listens(
        &self,
        at: SocketAddr,
        content: &Content,
        pacer: &Pacer,
    ) -> (Listener, Arc<Counts>) {
        let counts = Arc::<Counts>::default();
        let supply = Supply::of(content).paced(pacer).counting(&counts);
        let (content, number) = (content.clone(), Arc::clone(&self.number));
        let listener = self.crowd.listen(at, move || {
            Peer::seeder(&content, next(&number), supply.clone())
                .does(MetadataServer::honest(&content))
        });
        (listener.unwrap(), counts)
    }

    /// The first honest host.
    pub(crate) fn addr(which: usize) -> SocketAddr {
        any_port(HONEST[which])
    }
}

fn next(number: &AtomicU64) -> u64 {
    number.fetch_add(1, Ordering::Relaxed)
}

/// Waits until `counts` has `bytes` bytes of payload; returns how long that took, at most `limit`.
pub(crate) fn time_until(counts: &Counts, bytes: u64, limit: Duration) -> Duration {
    let began = Instant::now();
    while counts.payload() < bytes && began.elapsed() < limit {
        thread::sleep(Duration::from_millis(1));
    }
    began.elapsed().min(limit)
}
