//! Floods of any message, from one connection and from twenty.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tailwater_hostile::tcp::{Bounds, Crowd, Dial};
use tailwater_hostile::udp::Barrage;
use tailwater_hostile::{Counts, Flood};

use crate::bed::{Bed, FLOOD, ROUNDS, attacker};
use crate::figures::{Figures, Seen, median};
use crate::honest::Honest;
use crate::victim::Victim;

/// How long the honest transfers run before the attack.
const WARM_UP: Duration = Duration::from_millis(500);
/// A flooding host that was disconnected reconnects after this.
const AGAIN: Duration = Duration::from_millis(50);
/// The receive buffer of a peer that does not read, in bytes: so small that it fills at once.
const SMALL_BUFFER: u32 = 4 * 1024;
/// Attackers end by themselves after this, if nothing ends them before.
pub(crate) const LASTS: Duration = Duration::from_secs(20);
/// The part of an honest transfer that has to remain.
const KEPT: f64 = 0.5;

/// What is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Seed,
    Download,
}

/// A flood, as it is carried out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attack {
    pub(crate) flood: Flood,
    pub(crate) side: Side,
    pub(crate) hosts: usize,
    pub(crate) reads: bool,
}

/// One round.
struct Round {
    seen: Seen,
    /// Bytes of the attacked torrent and of the other one that passed during the flood.
    honest: f64,
    other: f64,
    sent: Box<dyn Attackers>,
}

impl Side {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Download => "download",
        }
    }
}

impl Attack {
    pub(crate) fn name(self) -> String {
        let reads = if self.reads { "reads" } else { "never-reads" };
        format!(
            "flood/{}/{}/{}/{reads}",
            self.flood.name(),
            self.side.name(),
            self.hosts
        )
    }

    pub(crate) fn about(self) -> String {
        let hosts = if self.hosts == 1 {
            "one host".to_owned()
        } else {
            format!("{} hosts", self.hosts)
        };
        format!(
            "{hosts} send {} to a {} for 3 s",
            self.flood.name(),
            self.side.name()
        )
    }

    pub(crate) fn run(self, bed: &Bed) -> Figures {
        beside(bed, self.side, |victim| self.begin(victim, bed))
    }

    fn begin(self, victim: &Victim, bed: &Bed) -> Box<dyn Attackers> {
        let crowd = Crowd::start(Bounds::lasting(LASTS)).unwrap();
        let content = &bed.fine(0).content;
        let portion = self.flood.portion(content);
        for number in 0..self.hosts {
            let mut dial = Dial::to(victim.addr)
                .from(attacker(number))
                .again_after(AGAIN);
            if !self.reads {
                dial = dial.receive_buffer(SMALL_BUFFER);
            }
            let (content, portion, mut name) = (content.clone(), portion.clone(), number as u64);
            let script = move || {
                // A new peer id each time, so that a host that reconnects is not taken for the earlier peer.
                name += 100;
                let peer = self.flood.peer_saying(&content, name, portion.clone());
                if self.reads { peer } else { peer.never_reads() }
            };
            crowd.dial(dial, script).unwrap();
        }
        Box::new(crowd)
    }
}

/// Attackers that are at it until they are dropped.
pub(crate) trait Attackers {
    fn counts(&self) -> &Counts;
}

impl Attackers for Crowd {
    fn counts(&self) -> &Counts {
        self.counts()
    }
}

impl Attackers for Barrage {
    fn counts(&self) -> &Counts {
        self.counts()
    }
}

/// Measures honest transfers of two torrents beside an attack on their process.
pub(crate) fn beside(
    bed: &Bed,
    side: Side,
    begin: impl Fn(&Victim) -> Box<dyn Attackers>,
) -> Figures {
    let honest = bed.baseline(&format!("{} bytes in 3 s", side.name()), || {
        Scene::start(bed, side).rates(FLOOD).0
    });
    let (mut kept, mut others, mut worst) = (Vec::new(), Vec::new(), None::<Figures>);
    for _ in 0..ROUNDS {
        let round = round(bed, side, &begin);
        kept.push(round.honest / honest);
        others.push(round.other / honest);
        let figures = Figures::of(round.seen).attacked(round.sent.counts());
        // The most memory of all rounds counts.
        if worst
            .as_ref()
            .is_none_or(|worst| figures.resident_peak > worst.resident_peak)
        {
            worst = Some(figures);
        }
        let is_kept = median(kept.clone()) >= KEPT && median(others.clone()) >= KEPT;
        // The result is known, or measuring again cannot improve it.
        if is_kept || worst.as_ref().is_some_and(Figures::is_missed) {
            break;
        }
    }
    let mut figures = worst.unwrap();
    figures.at_least("honest kept", KEPT, median(kept));
    figures.at_least("other kept", KEPT, median(others));
    figures
}

fn round(bed: &Bed, side: Side, begin: impl Fn(&Victim) -> Box<dyn Attackers>) -> Round {
    let mut scene = Scene::start(bed, side);
    scene.victim.mark();
    let sent = begin(&scene.victim);
    let (honest, other) = scene.rates(FLOOD);
    Round {
        seen: scene.victim.interrupt(),
        honest,
        other,
        sent,
    }
}

/// A process with two torrents, and an honest transfer of each.
struct Scene {
    victim: Victim,
    /// Of the first torrent and of the second.
    counts: [Arc<Counts>; 2],
    _honest: Honest,
}

impl Scene {
    /// Starts it and lets the transfers run for a moment.
    fn start(bed: &Bed, side: Side) -> Self {
        let torrents = [bed.fine(0), bed.fine(1)];
        let (first, second) = (torrents[0].arg(), torrents[1].arg());
        let victim = match side {
            Side::Seed => Victim::start(
                bed,
                &[
                    "seed",
                    first,
                    second,
                    "--data",
                    bed.data().to_str().unwrap(),
                ],
            ),
            Side::Download => Victim::start(bed, &["download", first, second, "--output", "HOME"]),
        };
        let honest = Honest::start();
        let counts = [0, 1].map(|which| match side {
            Side::Seed => honest.leech(which, victim.addr, &torrents[which].content),
            Side::Download => honest.seeder_calls(which, victim.addr, &torrents[which].content),
        });
        victim.started_when("nothing is transferred", || {
            counts.iter().all(|counts| counts.payload() > 0)
        });
        thread::sleep(WARM_UP);
        Self {
            victim,
            counts,
            _honest: honest,
        }
    }

    /// Bytes of either torrent that pass within a time.
    fn rates(&self, time: Duration) -> (f64, f64) {
        let payload = || self.counts.each_ref().map(|counts| counts.payload());
        let before = payload();
        let end = std::time::Instant::now() + time;
        while std::time::Instant::now() < end && !self.victim.is_killed() {
            thread::sleep(Duration::from_millis(5));
        }
        let after = payload();
        ((after[0] - before[0]) as f64, (after[1] - before[1]) as f64)
    }
}
