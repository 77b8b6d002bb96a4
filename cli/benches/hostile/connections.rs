//! Connections that do nothing: silent sockets and idle peers, all of one host.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use tailwater_hostile::tcp::{Bounds, Crowd, Dial};
use tailwater_hostile::wire::Message;
use tailwater_hostile::{Content, Pacer, Peer, Silent, Tracker};

use crate::bed::{Bed, MIB, RATE, ROUNDS, TRACKER, any_port, attacker};
use crate::figures::{Figures, median};
use crate::honest::{Honest, time_until};
use crate::victim::Victim;

/// What the honest peer transfers, in bytes: two seconds' worth.
const TRANSFER: u64 = 64 << 20;
/// The rest of it is not waited for.
const LIMIT: Duration = Duration::from_secs(20);
/// How long the idle connections have to connect.
const HEAD_START: Duration = Duration::from_secs(1);
/// An idle host that was disconnected reconnects after this.
const AGAIN: Duration = Duration::from_secs(1);
/// The part of the honest rate that has to remain.
const KEPT: f64 = 0.8;

/// The idle connections of a case.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Idle {
    /// Sockets that say nothing.
    Silent(usize),
    /// Peers that shake hands and have nothing.
    Peers(usize),
    /// The same, and they are interested in all pieces.
    Interested(usize),
}

impl Idle {
    fn connect(self, crowd: &Crowd, to: SocketAddr, content: &Content) {
        let (Self::Silent(count) | Self::Peers(count) | Self::Interested(count)) = self;
        for number in 0..count as u64 {
            let dial = Dial::to(to).from(attacker(0)).again_after(AGAIN);
            let content = content.clone();
            let dialed = match self {
                Self::Silent(_) => crowd.dial(dial, || Silent),
                Self::Peers(_) => crowd.dial(dial, move || {
                    Peer::new(&content, number).says(&Message::HaveNone)
                }),
                Self::Interested(_) => crowd.dial(dial, move || {
                    let peer = Peer::new(&content, number).says(&Message::HaveNone);
                    peer.says(&Message::Interested)
                }),
            };
            dialed.unwrap();
        }
    }
}

/// Seeding: an honest peer connects after the idle ones.
pub(crate) fn seed(bed: &Bed, idle: Idle) -> Figures {
    let round = |idle: Option<Idle>| {
        let torrent = bed.fine(0);
        let mut victim = Victim::start(
            bed,
            &[
                "seed",
                torrent.arg(),
                "--data",
                bed.data().to_str().unwrap(),
            ],
        );
        wait_for_seed(&victim, &torrent.content);
        victim.mark();
        let crowd = crowd();
        if let Some(idle) = idle {
            idle.connect(&crowd, victim.addr, &torrent.content);
        }
        thread::sleep(HEAD_START);
        let honest = Honest::start();
        let counts = honest.leech(0, victim.addr, &torrent.content);
        let time = time_until(&counts, TRANSFER, LIMIT);
        let rate = counts.payload().min(TRANSFER) as f64 / time.as_secs_f64();
        (
            rate,
            Figures::of(victim.interrupt()).attacked(crowd.counts()),
        )
    };
    compare(bed, "seed, a late peer's bytes/s", idle, round)
}

/// Downloading: the tracker names the honest seeder after the idle peers have connected.
pub(crate) fn download(bed: &Bed, idle: Idle) -> Figures {
    let round = |idle: Option<Idle>| {
        let content = &bed.fine(0).content;
        let (honest, crowd) = (Honest::start(), crowd());
        let (seeder, counts) = honest.seeder_listens(Honest::addr(0), content, &Pacer::new(RATE));
        let peers = [seeder.addr];
        let tracker = crowd.listen(any_port(TRACKER), move || {
            Tracker::naming(&peers).after(HEAD_START)
        });
        let url = format!("http://{}/announce", tracker.unwrap().addr);
        let torrent = bed.with_tracker(content, Some(&url));
        let mut victim = Victim::start(bed, &["download", torrent.arg(), "--output", "HOME"]);
        victim.mark();
        if let Some(idle) = idle {
            idle.connect(&crowd, victim.addr, content);
        }
        thread::sleep(HEAD_START);
        let time = time_until(&counts, TRANSFER, LIMIT);
        let rate = counts.payload().min(TRANSFER) as f64 / time.as_secs_f64();
        (
            rate,
            Figures::of(victim.interrupt()).attacked(crowd.counts()),
        )
    };
    compare(bed, "download, a late seeder's bytes/s", idle, round)
}

/// The median of what remains of the honest rate. Of memory and the wait for Ctrl-C the last round counts.
fn compare(
    bed: &Bed,
    baseline: &str,
    idle: Idle,
    round: impl Fn(Option<Idle>) -> (f64, Figures),
) -> Figures {
    let free = bed.baseline(baseline, || round(None).0);
    let (mut kept, mut last) = (Vec::new(), Figures::default());
    for _ in 0..ROUNDS {
        let (rate, figures) = round(Some(idle));
        kept.push(rate / free);
        last = figures;
        // Far from the target, one measurement is enough.
        if kept[0] >= KEPT || kept[0] < KEPT / 2.0 {
            break;
        }
    }
    last.at_least("honest kept", KEPT, median(kept));
    last
}

fn crowd() -> Crowd {
    Crowd::start(Bounds::lasting(Duration::from_secs(60))).unwrap()
}

/// Returns when a peer has been served.
pub(crate) fn wait_for_seed(victim: &Victim, content: &Content) {
    let honest = Honest::start();
    let counts = honest.leech_up_to(1, victim.addr, content, MIB as u64);
    victim.started_when("nothing is served", || counts.payload() >= MIB as u64);
}
