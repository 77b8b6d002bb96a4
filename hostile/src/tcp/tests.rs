//! Tests of the kit's scripts against each other.

use std::sync::Arc;
use std::time::Duration;

use super::{Bounds, Crowd, Dial};
use crate::peer::{Leech, Supply};
use crate::{Content, Counts, Flood, HttpClient, Pacer, Peer, Tracker};

/// Ends a test that hangs.
const WATCHDOG: Duration = Duration::from_secs(60);

fn content() -> Content {
    Content::new(1, "file", 2_000_000, 65_536)
}

async fn until(done: impl Fn() -> bool) {
    let looking = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(WATCHDOG, looking)
        .await
        .expect("the watchdog bit");
}

fn loopback() -> std::net::SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

#[tokio::test]
async fn a_leech_gets_all_from_a_seeder_and_hangs_up() {
    let crowd = Crowd::start(Bounds::lasting(WATCHDOG)).unwrap();
    let (served, got) = (Arc::<Counts>::default(), Arc::<Counts>::default());
    let (all, counts) = (content(), Arc::clone(&served));
    let supply = Supply::of(&all)
        .counting(&counts)
        .paced(&Pacer::new(1 << 30));
    let seeder = crowd
        .listen(loopback(), move || Peer::seeder(&all, 1, supply.clone()))
        .unwrap();
    let leech = Leech::of(&content()).counting(&got).stops_after(2_000_000);
    let dial = Dial::to(seeder.addr).from([127, 0, 0, 2]);
    crowd
        .dial(dial, move || Peer::leech(&content(), 2, leech.clone()))
        .unwrap();
    until(|| crowd.counts().ended() > 0).await;
    assert!(got.payload() >= 2_000_000, "{got:?}");
    assert_eq!(got.corrupt(), 0);
    assert!(served.payload() >= got.payload(), "{served:?}");
}

#[tokio::test]
async fn a_corrupt_seeder_is_told_from_an_honest_one() {
    let crowd = Crowd::start(Bounds::lasting(WATCHDOG)).unwrap();
    let got = Arc::<Counts>::default();
    let (all, supply) = (content(), Supply::of(&content()).corrupts());
    let seeder = crowd
        .listen(loopback(), move || Peer::seeder(&all, 1, supply.clone()))
        .unwrap();
    let leech = Leech::of(&content()).counting(&got).stops_after(100_000);
    crowd
        .dial(Dial::to(seeder.addr), move || {
            Peer::leech(&content(), 2, leech.clone())
        })
        .unwrap();
    until(|| got.payload() >= 100_000).await;
    assert!(got.corrupt() > 0);
}

#[tokio::test]
async fn bytes_are_bounded() {
    let bounds = Bounds {
        bytes: 1_000_000,
        ..Bounds::lasting(WATCHDOG)
    };
    let crowd = Crowd::start(bounds).unwrap();
    let sink = Crowd::start(Bounds::lasting(WATCHDOG)).unwrap();
    let listener = sink.listen(loopback(), || crate::Silent).unwrap();
    let dial = Dial::to(listener.addr).again_after(Duration::ZERO);
    crowd
        .dial(dial, || Peer::flooding(&content(), 1, Flood::KeepAlive))
        .unwrap();
    until(|| sink.counts().ended() > 0).await;
    assert!(crowd.counts().sent() >= 1_000_000);
    assert_eq!(crowd.counts().connections(), 1);
}

#[tokio::test]
async fn connections_are_bounded() {
    let bounds = Bounds {
        connections: 3,
        ..Bounds::lasting(WATCHDOG)
    };
    let crowd = Crowd::start(bounds).unwrap();
    // Callers are hung up on.
    let nobody = crowd.listen(loopback(), || Tracker::naming(&[])).unwrap();
    let dial = Dial::to(nobody.addr).again_after(Duration::ZERO);
    crowd
        .dial(dial, || HttpClient::get("127.0.0.1", "/announce"))
        .unwrap();
    // What it accepts counts as well.
    until(|| crowd.counts().connections() >= 3).await;
    assert!(nobody.calls() <= 3, "{}", nobody.calls());
}

#[tokio::test]
async fn no_other_machine_is_attacked() {
    let crowd = Crowd::start(Bounds::default()).unwrap();
    for addr in ["10.0.0.1:6881", "[::1]:6881", "0.0.0.0:6881"] {
        let dialed = crowd.dial(Dial::to(addr.parse().unwrap()), || crate::Silent);
        assert!(dialed.is_err(), "{addr}");
    }
    assert_eq!(crowd.counts().connections(), 0);
}
