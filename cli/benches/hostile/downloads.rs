//! Downloads whose tracker names useless hosts.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use tailwater_hostile::peer::{MetadataServer, Supply};
use tailwater_hostile::tcp::{Bounds, Crowd, Listener};
use tailwater_hostile::{Content, HangUp, Pacer, Peer, Silent, Tracker};

use crate::bed::{Bed, HONEST, ROUNDS, TRACKER, Torrent, any_port, attacker};
use crate::figures::{Figures, median};
use crate::honest::{Honest, time_until};
use crate::victim::Victim;

/// What the stallers' honest seeders take alone, in milliseconds.
const IDEAL_MS: u64 = 6_300;
/// How long the download may take beside the stallers, in seconds.
const BESIDE_STALLERS: f64 = 10.0;
/// Hosts that stall.
const STALLERS: usize = 20;

/// Ports that the tracker names of one host: with the seeder, as many addresses as are taken of one answer.
const PORTS: u16 = 1_999;
/// How long the download may take that the honest seeder serves at once, in seconds.
const BESIDE_PORTS: f64 = 5.0;
/// Connections to one host within any second.
const DIALS: f64 = 30.0;

/// Liars that the tracker names.
const LIARS: usize = 40;
/// A liar sends a block in each.
const LIE_EVERY: Duration = Duration::from_secs(2);
/// How long the metadata may take, in seconds.
const BESIDE_LIARS: f64 = 5.0;

/// The timeout of a download.
const LIMIT: Duration = Duration::from_secs(90);

/// A download that a tracker leads to peers.
struct Scene {
    honest: Honest,
    crowd: Crowd,
}

impl Scene {
    fn new() -> Self {
        Self {
            honest: Honest::start(),
            crowd: Crowd::start(Bounds::lasting(2 * LIMIT)).unwrap(),
        }
    }

    /// The torrent with a tracker that names these peers, in this order.
    fn torrent(&self, bed: &Bed, content: &Content, peers: &[SocketAddr]) -> (Torrent, String) {
        let peers = peers.to_vec();
        let tracker = self
            .crowd
            .listen(any_port(TRACKER), move || Tracker::naming(&peers))
            .unwrap();
        let url = format!("http://{}/announce", tracker.addr);
        (bed.with_tracker(content, Some(&url)), url)
    }

    /// Downloads until the process ends by itself; seconds, and what was seen.
    fn download(&self, bed: &Bed, torrent: &Torrent) -> (f64, Figures) {
        let mut victim = Victim::start(bed, &["download", torrent.arg(), "--output", "HOME"]);
        victim.mark();
        let took = victim.wait(LIMIT).unwrap_or(LIMIT);
        (
            took.as_secs_f64(),
            Figures::of(victim.interrupt()).attacked(self.crowd.counts()),
        )
    }
}

/// The median time of three rounds; one is enough where it is well within the target, or far from it.
fn time(wanted: f64, round: impl Fn() -> (f64, Figures)) -> Figures {
    let (mut times, mut last) = (Vec::new(), Figures::default());
    for _ in 0..ROUNDS {
        let (time, figures) = round();
        times.push(time);
        last = figures;
        if times[0] <= wanted || times[0] > 2.0 * wanted {
            break;
        }
    }
    last.at_most("seconds", wanted, median(times));
    last
}

/// Hosts that serve `blocks` blocks and stop, beside two honest ones.
pub(crate) fn stallers(bed: &Bed, blocks: u64) -> Figures {
    let round = |stallers: usize| {
        let (scene, content) = (Scene::new(), &bed.coarse().content);
        let share = (content.bytes().len() / HONEST.len()) as u64;
        let rate = share * 1_000 / IDEAL_MS;
        let mut peers = Vec::new();
        for number in 0..stallers {
            let SocketAddr::V4(at) = SocketAddr::new(attacker(number), 0) else {
                unreachable!("attackers have IPv4 addresses");
            };
            let supply = Supply::of(content).stalls_after(blocks);
            let (content, mut name) = (content.clone(), 100 * number as u64);
            let script = move || {
                name += 1;
                Peer::seeder(&content, name, supply.clone())
            };
            peers.push(scene.crowd.listen(at.into(), script).unwrap().addr);
        }
        for which in 0..HONEST.len() {
            let pacer = Pacer::new(rate);
            let (listener, _) = scene
                .honest
                .seeder_listens(Honest::addr(which), content, &pacer);
            peers.push(listener.addr);
        }
        let (torrent, _) = scene.torrent(bed, content, &peers);
        scene.download(bed, &torrent)
    };
    bed.baseline("download with an ideal of 6.3 s, seconds", || round(0).0);
    time(BESIDE_STALLERS, || round(STALLERS))
}

/// What happens at the ports that a tracker names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ports {
    /// Connections are read and never answered.
    Silent,
    /// Connections are closed at once.
    HangUp,
    /// No program listens.
    Closed,
}

/// The tracker names 2 000 ports of one host before the seeder.
pub(crate) fn ports(bed: &Bed, kind: Ports) -> Figures {
    let round = || {
        let (scene, content) = (Scene::new(), &bed.coarse().content);
        let host = match attacker(0) {
            std::net::IpAddr::V4(ip) => ip,
            std::net::IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
        };
        let at = any_port(host);
        let listen = |_| match kind {
            Ports::Silent => Some(scene.crowd.listen(at, || Silent).unwrap()),
            Ports::HangUp => Some(scene.crowd.listen(at, || HangUp).unwrap()),
            Ports::Closed => None,
        };
        let listeners: Vec<Listener> = (0..PORTS).filter_map(listen).collect();
        let mut peers: Vec<_> = match kind {
            Ports::Closed => (20_000..20_000 + PORTS)
                .map(|port| SocketAddr::from((host, port)))
                .collect(),
            _ => listeners.iter().map(|listener| listener.addr).collect(),
        };
        // Fast, so that the wait is for the seeder's turn.
        let pacer = Pacer::new(128 << 20);
        let (seeder, _) = scene
            .honest
            .seeder_listens(Honest::addr(0), content, &pacer);
        peers.push(seeder.addr);
        let (torrent, _) = scene.torrent(bed, content, &peers);
        let (seconds, mut figures) = scene.download(bed, &torrent);
        if kind != Ports::Closed {
            figures.at_most("dials/s", DIALS, busiest_second(&listeners));
        }
        (seconds, figures)
    };
    time(BESIDE_PORTS, round)
}

/// The most connections within any second.
fn busiest_second(listeners: &[Listener]) -> f64 {
    let mut calls: Vec<Instant> = listeners.iter().flat_map(Listener::call_times).collect();
    calls.sort();
    let within = |first: usize| {
        let end = calls[first] + Duration::from_secs(1);
        calls[first..].iter().take_while(|at| **at < end).count()
    };
    (0..calls.len()).map(within).max().unwrap_or(0) as f64
}

/// The tracker names 40 ports of one host that serve wrong metadata slowly, before the seeder.
pub(crate) fn liars(bed: &Bed) -> Figures {
    let round = |liars: usize| {
        let (scene, content) = (Scene::new(), &bed.fine(0).content);
        let mut peers = Vec::new();
        for number in 0..liars {
            let (content, mut name) = (content.clone(), 100 * number as u64);
            let script = move || {
                name += 1;
                Peer::new(&content, name).does(MetadataServer::lying_slowly(&content, LIE_EVERY))
            };
            let at = SocketAddr::new(attacker(0), 0);
            peers.push(scene.crowd.listen(at, script).unwrap().addr);
        }
        let (seeder, counts) =
            scene
                .honest
                .seeder_listens(Honest::addr(0), content, &Pacer::new(64 << 20));
        peers.push(seeder.addr);
        let (_, url) = scene.torrent(bed, content, &peers);
        let magnet = content.magnet(Some(&url));
        let mut victim = Victim::start(bed, &["download", &magnet, "--output", "HOME"]);
        victim.mark();
        // The first block of payload: metadata has come, and the seeder was connected to again.
        time_until(&counts, 1, LIMIT);
        let took = victim.started().elapsed().min(LIMIT).as_secs_f64();
        thread::sleep(Duration::from_millis(200));
        (
            took,
            Figures::of(victim.interrupt()).attacked(scene.crowd.counts()),
        )
    };
    bed.baseline("magnet to the first block, seconds", || round(0).0);
    time(BESIDE_LIARS, || round(LIARS))
}
