//! Honest transfers beside an attack.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tailwater_hostile::peer::{Leech, MetadataServer, Supply};
use tailwater_hostile::tcp::{Bounds, Crowd, Dial, Listener};
use tailwater_hostile::{Content, Counts, Pacer, Peer};

use crate::bed::{HONEST, RATE, any_port};

/// An honest side calls again so long after it was hung up on.
const AGAIN: Duration = Duration::from_millis(50);

/// Honest sides, on a thread of their own.
pub(crate) struct Honest {
    crowd: Crowd,
}

impl Honest {
    pub(crate) fn start() -> Self {
        let bounds = Bounds::lasting(Duration::from_secs(150));
        Self {
            crowd: Crowd::start(bounds).unwrap(),
        }
    }

    /// Downloads from `to` without end, from the `which`-th honest host, at [`RATE`]; the counter of what comes.
    pub(crate) fn leech(&self, which: usize, to: SocketAddr, content: &Content) -> Arc<Counts> {
        self.leech_up_to(which, to, content, u64::MAX)
    }

    /// The same, until so many bytes have come.
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
        let number = 1_000 + which as u64;
        self.crowd
            .dial(dial, move || Peer::leech(&content, number, leech.clone()))
            .unwrap();
        counts
    }

    /// Calls `to` and serves it, at [`RATE`]; the counter of what is served.
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
        let (content, number) = (content.clone(), 1_000 + which as u64);
        self.crowd
            .dial(dial, move || Peer::seeder(&content, number, supply.clone()))
            .unwrap();
        counts
    }

    /// Waits to be called and serves whoever calls, with metadata too; where, and the counter of what is served.
    pub(crate) fn seeder_listens(
        &self,
        at: SocketAddr,
        content: &Content,
        pacer: &Pacer,
    ) -> (Listener, Arc<Counts>) {
        let counts = Arc::<Counts>::default();
        let supply = Supply::of(content).paced(pacer).counting(&counts);
        let content = content.clone();
        let mut number = 2_000 + u64::from(at.port());
        let listener = self.crowd.listen(at, move || {
            number += 1;
            Peer::seeder(&content, number, supply.clone()).does(MetadataServer::honest(&content))
        });
        (listener.unwrap(), counts)
    }

    /// The first honest host.
    pub(crate) fn addr(which: usize) -> SocketAddr {
        any_port(HONEST[which])
    }
}

/// Waits until `counts` has so many bytes of payload; how long that took, no longer than `limit`.
pub(crate) fn time_until(counts: &Counts, bytes: u64, limit: Duration) -> Duration {
    let began = Instant::now();
    while counts.payload() < bytes && began.elapsed() < limit {
        thread::sleep(Duration::from_millis(1));
    }
    began.elapsed().min(limit)
}
