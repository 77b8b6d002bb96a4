//! Blocks that are judged one by one (BEP 52).

use tailwater_types::Verdict;

use super::Subject;
use super::rig::{ALICE, BOB, Rig};
use super::torrent::TestTorrent;

fn torrents(seed: u8) -> [TestTorrent; 2] {
    [TestTorrent::aligned(seed), TestTorrent::hybrid(seed)]
}

pub(super) async fn a_wrong_block_is_refused_alone_and_right_ones_are_read_at_once(
    subject: &Subject,
) {
    for torrent in torrents(61).into_iter().filter(|_| subject.judges) {
        let mut rig = Rig::open(&(subject.make)(), torrent).await;
        let piece = rig.torrent.piece(0);
        rig.torrent.learn_leaves(piece);
        rig.space.reserve(piece).unwrap();
        let [first, second] = [0, 1].map(|number| rig.torrent.block(0, number));
        let wrong = vec![(second, TestTorrent::wrong(second, 7))];
        let refused = rig.storage.write(ALICE, wrong).await;
        assert_eq!((refused.unwanted, refused.wrong), (vec![], vec![second]));
        assert!(!rig.space.is_stored(second, ALICE));
        let right = |block| vec![(block, rig.torrent.bytes(block))];
        let refused = rig.storage.write(BOB, right(second)).await;
        assert_eq!((refused.unwanted, refused.wrong), (vec![], vec![]));
        assert_eq!(rig.next_judged().await, (vec![second], vec![]));
        assert!(rig.space.is_stored(second, BOB));
        // The piece is not whole: a reader gets what is right of it, a peer nothing.
        assert!(rig.read_one(second).await == Some(rig.torrent.bytes(second)));
        assert!(rig.read_one(first).await.is_none());
        assert!(rig.read(second).await.is_none());
        let lease = rig.read_one(second).await;
        let refused = rig.storage.write(ALICE, right(first)).await;
        assert_eq!((refused.unwanted, refused.wrong), (vec![], vec![]));
        assert_eq!(rig.next_judged().await, (vec![first], vec![]));
        assert_eq!(rig.verify(piece).await, Verdict::Valid);
        for block in [first, second] {
            assert!(rig.read(block).await == Some(rig.torrent.bytes(block)));
        }
        assert!(lease == Some(rig.torrent.bytes(second)));
    }
}

pub(super) async fn blocks_that_came_before_their_hashes_are_judged_when_those_come(
    subject: &Subject,
) {
    for torrent in torrents(62).into_iter().filter(|_| subject.judges) {
        let mut rig = Rig::open(&(subject.make)(), torrent).await;
        let piece = rig.torrent.piece(0);
        rig.space.reserve(piece).unwrap();
        let [first, second] = [0, 1].map(|number| rig.torrent.block(0, number));
        let wrong = vec![(first, TestTorrent::wrong(first, 8))];
        assert_eq!(rig.storage.write(ALICE, wrong).await.wrong, []);
        let right = |block| vec![(block, rig.torrent.bytes(block))];
        assert_eq!(rig.storage.write(BOB, right(second)).await.wrong, []);
        assert!(
            rig.read_one(second).await.is_none(),
            "its hash is not known"
        );
        rig.torrent.learn_leaves(piece);
        rig.storage.judge(piece);
        // A storage may have taken the blocks and not written them yet: those are judged when they are.
        let (mut found_right, mut found_wrong) = rig.next_judged().await;
        while found_right.len() + found_wrong.len() < 2 {
            let (right, wrong) = rig.next_judged().await;
            found_right.extend(right);
            found_wrong.extend(wrong);
        }
        assert_eq!(
            (found_right, found_wrong),
            (vec![second], vec![(first, ALICE)])
        );
        assert!(!rig.space.is_stored(first, ALICE));
        assert!(rig.space.is_stored(second, BOB));
        assert!(rig.read_one(second).await == Some(rig.torrent.bytes(second)));
        assert!(rig.read_one(first).await.is_none());
        // Only the wrong one comes again.
        let refused = rig.storage.write(BOB, right(second)).await;
        assert_eq!(refused.unwanted, [second]);
        let refused = rig.storage.write(BOB, right(first)).await;
        assert_eq!((refused.unwanted, refused.wrong), (vec![], vec![]));
        assert_eq!(rig.next_judged().await, (vec![first], vec![]));
        assert_eq!(rig.verify(piece).await, Verdict::Valid);
        assert!(rig.read(first).await == Some(rig.torrent.bytes(first)));
    }
}

pub(super) async fn a_block_counts_for_the_attempt_in_which_it_came(subject: &Subject) {
    for torrent in torrents(63).into_iter().filter(|_| subject.judges) {
        let mut rig = Rig::open(&(subject.make)(), torrent).await;
        let piece = rig.torrent.piece(0);
        let block = rig.torrent.block(0, 1);
        rig.torrent.learn_leaves(piece);
        rig.space.reserve(piece).unwrap();
        let right = vec![(block, rig.torrent.bytes(block))];
        assert_eq!(rig.storage.write(ALICE, right).await.unwanted, []);
        assert_eq!(rig.next_judged().await, (vec![block], vec![]));
        let lease = rig.read_one(block).await;
        rig.space.release(piece);
        rig.space.reserve(piece).unwrap();
        assert!(!rig.space.is_stored(block, ALICE));
        // Judging again finds nothing of the attempt that is over, or what lies there still, and is right.
        rig.storage.judge(piece);
        if let Some(read) = rig.read_one(block).await {
            assert!(read == rig.torrent.bytes(block));
        }
        rig.space.release(piece);
        assert!(
            lease == Some(rig.torrent.bytes(block)),
            "what was read stays"
        );
        rig.store(piece).await;
        assert!(rig.read(block).await == Some(rig.torrent.bytes(block)));
    }
}

pub(super) async fn the_hashes_of_blocks_are_those_of_the_files(subject: &Subject) {
    for torrent in torrents(64).into_iter().filter(|_| subject.judges) {
        let mut rig = Rig::open(&(subject.make)(), torrent).await;
        for piece in rig.torrent.geometry().pieces() {
            assert_eq!(rig.storage.leaves(piece).await, None, "it is not held");
            rig.store(piece).await;
            let leaves = rig.storage.leaves(piece).await;
            assert_eq!(leaves, Some(rig.torrent.leaves(piece)), "{piece:?}");
        }
    }
}
