//! Peers that starve `tailwater stream`.

use std::time::Duration;

use tailwater_hostile::peer::{Hoard, Supply};
use tailwater_hostile::tcp::{Bounds, Crowd, Dial};
use tailwater_hostile::{Content, Pacer, Peer, Tracker};

use crate::bed::{Bed, MIB, TRACKER, any_port, attacker};
use crate::figures::Figures;
use crate::honest::Honest;
use crate::player::{self, PATIENCE};
use crate::victim::Victim;

/// Peers of either kind.
const PEERS: usize = 8;
/// Blocks that a colluder serves before it stops.
const SERVED: u64 = 20;
/// What each good seeder serves, in bytes a second.
const GOOD_RATE: u64 = 4 << 20;
/// What the player takes, in bytes a second: a quarter of what the good seeders could serve.
const PLAYER_RATE: u64 = 8 << 20;
/// How many times the player seeks; after each seek it plays [`PLAYED`] bytes.
const JUMPS: u64 = 8;
const PLAYED: u64 = 24 << 20;
/// How long a player may wait beside colluders, in seconds.
const WORST_GAP: f64 = 2.0;
/// The stream's memory, as the flag has it.
const MEMORY: &str = "64MiB";

/// A `tailwater stream` that has begun.
pub(crate) struct Scene {
    pub(crate) victim: Victim,
    pub(crate) url: String,
    pub(crate) crowd: Crowd,
    _honest: Honest,
}

impl Scene {
    /// With so many good seeders of this rate each, and what else `more` adds to the swarm.
    pub(crate) fn start(
        bed: &Bed,
        good: usize,
        rate: u64,
        more: impl FnOnce(&Crowd, &Content) -> Vec<std::net::SocketAddr>,
    ) -> Self {
        let content = &bed.film().content;
        let honest = Honest::start();
        let crowd = Crowd::start(Bounds::lasting(Duration::from_secs(300))).unwrap();
        let mut peers = more(&crowd, content);
        for number in 0..good {
            let at = any_port([127, 0, 2, u8::try_from(number + 1).unwrap()].into());
            let (listener, _) = honest.seeder_listens(at, content, &Pacer::new(rate));
            peers.push(listener.addr);
        }
        let tracker = crowd
            .listen(any_port(TRACKER), move || Tracker::naming(&peers))
            .unwrap();
        let tracker = format!("http://{}/announce", tracker.addr);
        let torrent = bed.with_tracker(content, Some(&tracker));
        let args = [
            "stream",
            torrent.arg(),
            "--memory",
            MEMORY,
            "--http",
            "127.0.0.1:0",
        ];
        let victim = Victim::start(bed, &args);
        let url = victim.line(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line["file"]
                .as_str()
                .filter(|_| line["event"] == "listening")
                .map(str::to_owned)
        });
        Self {
            victim,
            url,
            crowd,
            _honest: honest,
        }
    }
}

/// Eight peers that stop after a few blocks, among eight good ones.
pub(crate) fn colluders(bed: &Bed) -> Figures {
    let worst = |colluders: usize| {
        let mut scene = Scene::start(bed, PEERS, GOOD_RATE, |crowd, content| {
            (0..colluders)
                .map(|number| {
                    let supply = Supply::of(content).stalls_after(SERVED);
                    let (content, mut name) = (content.clone(), 100 * number as u64);
                    let script = move || {
                        name += 1;
                        Peer::seeder(&content, name, supply.clone())
                    };
                    let at = std::net::SocketAddr::new(attacker(number), 0);
                    crowd.listen(at, script).unwrap().addr
                })
                .collect()
        });
        scene.victim.mark();
        let mut worst = Duration::ZERO;
        for jump in 0..JUMPS {
            // Far from each other, and from where it was before.
            let position = (jump * 5 % JUMPS) * (256 << 20) / JUMPS;
            worst = worst.max(player::play(&scene.url, position, PLAYER_RATE, PLAYED).worst_gap);
        }
        (worst.as_secs_f64(), scene)
    };
    bed.baseline("stream from eight good seeders, worst gap", || worst(0).0);
    let (gap, scene) = worst(PEERS);
    let mut figures = Figures::of(scene.victim.interrupt()).attacked(scene.crowd.counts());
    // Its memory grows to the configured budget by design.
    figures.targets.retain(|target| target.what != "growth MiB");
    figures.at_most("worst gap s", WORST_GAP, gap);
    figures
}

/// Eight peers request a block of each piece and never read, once the memory is full.
pub(crate) fn hoarders(bed: &Bed) -> Figures {
    let mut scene = Scene::start(bed, 2, 32 << 20, |_, _| Vec::new());
    // Fills the memory.
    player::play(&scene.url, 0, u64::from(u32::MAX), 128 << 20);
    scene.victim.mark();
    let content = &bed.film().content;
    for number in 0..PEERS {
        let dial = Dial::to(scene.victim.addr)
            .from(attacker(number))
            .again_after(Duration::from_millis(100))
            .receive_buffer(4 * 1024);
        let (content, mut name) = (content.clone(), 100 * number as u64);
        let script = move || {
            name += 1;
            Peer::new(&content, name).does(Hoard::of(&content, name))
        };
        scene.crowd.dial(dial, script).unwrap();
    }
    // Time to be unchoked and to fill the send queues with blocks.
    std::thread::sleep(Duration::from_secs(5));
    let (mut served, mut worst) = (0, Duration::ZERO);
    for jump in 0..JUMPS {
        let position = (jump * 5 % JUMPS) * (256 << 20) / JUMPS + 7 * MIB as u64;
        let played = player::play(&scene.url, position, PLAYER_RATE, 8 << 20);
        served += u64::from(played.worst_gap < PATIENCE);
        worst = worst.max(played.worst_gap);
        if played.worst_gap >= PATIENCE {
            break;
        }
    }
    let mut figures = Figures::of(scene.victim.interrupt()).attacked(scene.crowd.counts());
    figures.at_least("jumps served", JUMPS as f64, served as f64);
    figures.at_most("worst gap s", WORST_GAP, worst.as_secs_f64());
    figures
}
