//! Peers that want more than their share of a seed.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tailwater_hostile::peer::{Hoard, Leech};
use tailwater_hostile::tcp::{Bounds, Crowd, Dial};
use tailwater_hostile::{Counts, Flood, Peer};

use crate::bed::{Bed, Torrent, attacker};
use crate::figures::{Figures, mib};
use crate::honest::{Honest, time_until};
use crate::victim::Victim;

/// How long it goes on.
const TIME: Duration = Duration::from_secs(6);
/// Hosts that attack at once.
const HOSTS: usize = 20;
/// As many allowed-fast pieces as a seed gives (BEP 6).
const ALLOWED_FAST: f64 = 10.0;
/// How often each of their blocks is served to choked peers at most, and a little more for blocks in flight.
const SERVINGS: f64 = 3.5;

/// A seed of the torrent, which has answered an honest peer.
fn seed(bed: &Bed, torrent: &Torrent) -> Victim {
    let victim = Victim::start(
        bed,
        &[
            "seed",
            torrent.arg(),
            "--data",
            bed.data().to_str().unwrap(),
        ],
    );
    let honest = Honest::start();
    let counts = honest.leech(0, victim.addr, &torrent.content);
    victim.started_when("nothing is served", || counts.payload() > 0);
    victim
}

/// Twenty peers request all they can and never read; `flood` chooses the messages.
fn outbox(bed: &Bed, torrent: &Torrent, flood: Flood) -> Figures {
    let mut victim = seed(bed, torrent);
    victim.mark();
    let crowd = Crowd::start(Bounds::lasting(3 * TIME)).unwrap();
    let portion = flood.portion(&torrent.content);
    for number in 0..HOSTS {
        let dial = Dial::to(victim.addr)
            .from(attacker(number))
            .receive_buffer(4 * 1024);
        let (content, portion) = (torrent.content.clone(), portion.clone());
        let script = move || {
            flood
                .peer_saying(&content, number as u64, portion.clone())
                .never_reads()
        };
        crowd.dial(dial, script).unwrap();
    }
    thread::sleep(TIME);
    Figures::of(victim.interrupt()).attacked(crowd.counts())
}

pub(crate) fn outbox_requests(bed: &Bed) -> Figures {
    outbox(bed, bed.coarse(), Flood::Requests)
}

pub(crate) fn outbox_big_requests(bed: &Bed) -> Figures {
    outbox(bed, bed.coarse(), Flood::BigRequests)
}

pub(crate) fn outbox_each_piece(bed: &Bed) -> Figures {
    let torrent = bed.fine(0);
    let mut victim = seed(bed, torrent);
    victim.mark();
    let crowd = Crowd::start(Bounds::lasting(3 * TIME)).unwrap();
    for number in 0..HOSTS {
        let dial = Dial::to(victim.addr)
            .from(attacker(number))
            .receive_buffer(4 * 1024);
        let (content, number) = (torrent.content.clone(), number as u64);
        let script = move || Peer::new(&content, number).does(Hoard::of(&content, number));
        crowd.dial(dial, script).unwrap();
    }
    thread::sleep(TIME);
    Figures::of(victim.interrupt()).attacked(crowd.counts())
}

/// A choked peer requests its allowed-fast pieces without end, and reads.
pub(crate) fn allowed_fast(bed: &Bed) -> Figures {
    let torrent = bed.coarse();
    let mut victim = seed(bed, torrent);
    victim.mark();
    let crowd = Crowd::start(Bounds::lasting(3 * TIME)).unwrap();
    let got = Arc::<Counts>::default();
    let leech = Leech::of(&torrent.content)
        .only_allowed_fast()
        .counting(&got);
    let content = torrent.content.clone();
    let dial = Dial::to(victim.addr).from(attacker(0));
    crowd
        .dial(dial, move || Peer::leech(&content, 1, leech.clone()))
        .unwrap();
    time_until(&got, u64::MAX, TIME);
    let piece = f64::from(torrent.content.geometry().piece_length()) / 1_048_576.0;
    let mut figures = Figures::of(victim.interrupt()).attacked(crowd.counts());
    figures.at_most(
        "served MiB",
        SERVINGS * ALLOWED_FAST * piece,
        mib(got.payload()),
    );
    // A peer that gets nothing would prove nothing.
    figures.at_least("served MiB", piece, mib(got.payload()));
    figures
}
