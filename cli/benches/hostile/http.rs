//! HTTP clients that send nothing, or do not read.

use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tailwater_hostile::tcp::{Bounds, Crowd, Dial};
use tailwater_hostile::{Counts, HttpClient, Silent};

use crate::bed::{Bed, attacker, free_addr};
use crate::figures::Figures;
use crate::player::{self, PATIENCE};
use crate::streams::Scene;
use crate::victim::Victim;

/// How many clients occupy connections.
const SILENT: usize = 64;
const STUCK: usize = 16;
const AT_TRACKER: usize = 641;
/// How long an honest request may take, in seconds.
const WITHIN: f64 = 5.0;
/// Time for the others to connect.
const HEAD_START: Duration = Duration::from_secs(1);

/// 64 connections to the stream's port send nothing.
pub(crate) fn silent(bed: &Bed) -> Figures {
    let mut scene = Scene::start(bed, 1, 32 << 20, |_, _| Vec::new());
    let (addr, _) = player::parts(&scene.url);
    scene.victim.mark();
    for _ in 0..SILENT {
        let dial = Dial::to(addr)
            .from(attacker(0))
            .again_after(Duration::from_millis(100));
        scene.crowd.dial(dial, || Silent).unwrap();
    }
    thread::sleep(HEAD_START);
    ask(scene)
}

/// 16 clients request the whole film and read nothing.
pub(crate) fn stuck(bed: &Bed) -> Figures {
    let mut scene = Scene::start(bed, 1, 32 << 20, |_, _| Vec::new());
    let (addr, path) = player::parts(&scene.url);
    let (host, path) = (addr.to_string(), path.to_owned());
    scene.victim.mark();
    for _ in 0..STUCK {
        let dial = Dial::to(addr)
            .from(attacker(0))
            .again_after(Duration::from_millis(100))
            .receive_buffer(4 * 1024);
        let client = HttpClient::get(&host, &path).never_reads();
        scene.crowd.dial(dial, move || client.clone()).unwrap();
    }
    // They receive only what fits the kernel's buffers.
    thread::sleep(2 * HEAD_START);
    ask(scene)
}

/// How long an honest client waits for a mebibyte.
fn ask(scene: Scene) -> Figures {
    let asked = Instant::now();
    let played = player::play(&scene.url, 100 << 20, u64::from(u32::MAX), 1 << 20);
    let took = match played.worst_gap < PATIENCE {
        true => asked.elapsed(),
        false => PATIENCE,
    };
    let mut figures = Figures::of(scene.victim.interrupt()).attacked(scene.crowd.counts());
    figures.targets.retain(|target| target.what != "growth MiB");
    figures.at_most("honest request s", WITHIN, took.as_secs_f64());
    figures
}

/// 641 connections to the tracker send nothing.
pub(crate) fn tracker(bed: &Bed) -> Figures {
    let addr = free_addr();
    let mut victim = Victim::run(bed, addr, &["tracker", "--http", &addr.to_string()]);
    victim.started_when("does not listen", || {
        std::net::TcpStream::connect(addr).is_ok()
    });
    victim.mark();
    let crowd = Crowd::start(Bounds::lasting(Duration::from_secs(60))).unwrap();
    for _ in 0..AT_TRACKER {
        let dial = Dial::to(addr)
            .from(attacker(0))
            .again_after(Duration::from_millis(100));
        crowd.dial(dial, || Silent).unwrap();
    }
    let began = Instant::now();
    while crowd.counts().connections() < AT_TRACKER as u64 && began.elapsed() < 5 * HEAD_START {
        thread::sleep(Duration::from_millis(5));
    }
    let honest = Crowd::start(Bounds::lasting(Duration::from_secs(60))).unwrap();
    let counts = Arc::<Counts>::default();
    let announce = "/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=6881&uploaded=0\
        &downloaded=0&left=1&compact=1";
    let client = HttpClient::get(&addr.to_string(), announce).counting(&counts);
    let dial = Dial::to(addr)
        .from(IpAddr::from([127, 0, 0, 201]))
        .again_after(Duration::from_millis(100));
    honest.dial(dial, move || client.clone()).unwrap();
    let took = crate::honest::time_until(&counts, 1, PATIENCE);
    let mut figures = Figures::of(victim.interrupt()).attacked(crowd.counts());
    figures.at_most("honest announce s", WITHIN, took.as_secs_f64());
    figures
}
