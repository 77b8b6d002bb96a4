//! What hostile peers can do to a whole session over TCP: bounds in counts.

use std::sync::Arc;
use std::time::Duration;

use tailwater_hostile::peer::Leech;
use tailwater_hostile::tcp::{Bounds, Crowd, Dial};
use tailwater_hostile::{Content, Counts, Flood, Peer};
use tailwater_metainfo::Metainfo;
use tailwater_session::{AddOptions, Session, StorageKind};

/// Nothing here takes a tenth of it; it ends a test that hangs.
const WATCHDOG: Duration = Duration::from_secs(60);
/// Bytes that all floods of a test send together at most.
const FLOODED: u64 = 8 << 20;

#[tokio::test]
async fn a_leech_gets_every_byte_from_a_seed_that_four_hosts_flood() {
    let content = Content::new(1, "file", 4_000_000, 16_384);
    let dir = tempfile::tempdir().unwrap();
    content.write_to(dir.path()).unwrap();
    let metainfo = Metainfo::from_bytes(&content.torrent(None)).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let session = Session::builder().listen(listen).start().unwrap();
    let options = AddOptions::new(StorageKind::Disk(dir.path().into())).announce(false);
    let torrent = session.add(&metainfo, options).await.unwrap();
    torrent.wait_complete().await.unwrap();
    let victim = session.listen_addr().unwrap();

    let bounds = Bounds {
        bytes: FLOODED,
        ..Bounds::lasting(WATCHDOG)
    };
    let crowd = Crowd::start(bounds).unwrap();
    let floods = [
        Flood::HaveAllAndNone,
        Flood::Interest,
        Flood::KeepAlive,
        Flood::Cancels,
    ];
    for (flood, number) in floods.into_iter().zip(1_u8..) {
        let portion = flood.portion(&content);
        let (content, again) = (content.clone(), Duration::from_millis(10));
        let dial = Dial::to(victim)
            .from([127, 1, 0, number])
            .again_after(again);
        let script = move || flood.peer_saying(&content, number.into(), portion.clone());
        crowd.dial(dial, script).unwrap();
    }
    let honest = Crowd::start(Bounds::lasting(WATCHDOG)).unwrap();
    let got = Arc::<Counts>::default();
    let leech = Leech::of(&content).counting(&got).stops_after(4_000_000);
    let dial = Dial::to(victim).from([127, 0, 0, 201]);
    honest
        .dial(dial, move || Peer::leech(&content, 1 << 40, leech.clone()))
        .unwrap();
    let whole = async {
        while honest.counts().ended() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(WATCHDOG, whole)
        .await
        .expect("the watchdog bit");
    assert!(got.payload() >= 4_000_000, "{got:?}");
    assert_eq!(got.corrupt(), 0);
    drop(crowd);
    tokio::time::timeout(WATCHDOG, session.close())
        .await
        .expect("the watchdog bit");
}
