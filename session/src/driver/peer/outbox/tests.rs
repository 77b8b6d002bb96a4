//! What the outbox sends, and in which order.

use tailwater_metainfo::Geometry;

use super::*;

const DATA: usize = 1_000;

fn block(number: u32) -> BlockRef {
    let geometry = Geometry::new(1 << 30, 16 * 1024).unwrap();
    let len = u32::try_from(DATA).unwrap();
    geometry.block(number, 0, len).unwrap()
}

/// A block whose bytes all say its number, behind a header of two.
fn push_block(outbox: &mut Outbox, number: u8) {
    let header = Bytes::from(vec![number; 2]);
    let data = BlockParts::from([Bytes::from(vec![number; DATA])]);
    outbox.push_block(header, data, block(number.into()));
}

fn push_message(outbox: &mut Outbox, text: &'static str, follow_blocks: bool) {
    outbox.push_messages(Bytes::from_static(text.as_bytes()), follow_blocks);
}

/// Sends once: no more than `room` bytes and `payload` bytes of blocks.
fn send(outbox: &mut Outbox, out: &mut Vec<u8>, room: usize, payload: usize) -> Sent {
    let mut slices = [IoSlice::new(&[]); 4];
    let count = outbox.fill(&mut slices, payload);
    let slices = slices[..count].iter();
    let bytes: Vec<u8> = slices.flat_map(|slice| slice.iter()).copied().collect();
    let written = bytes.len().min(room);
    out.extend(&bytes[..written]);
    outbox.advance(crate::testing::epoch(), written)
}

fn send_all(outbox: &mut Outbox) -> Vec<u8> {
    let mut out = Vec::new();
    while outbox.can_send(usize::MAX) {
        send(outbox, &mut out, usize::MAX, usize::MAX);
    }
    out
}

/// Runs of equal bytes.
fn runs(bytes: &[u8]) -> Vec<(u8, usize)> {
    let runs = bytes.chunk_by(|one, other| one == other);
    runs.map(|run| (run[0], run.len())).collect()
}

#[test]
fn messages_overtake_blocks_that_wait() {
    let mut outbox = Outbox::default();
    push_block(&mut outbox, 1);
    push_block(&mut outbox, 2);
    push_message(&mut outbox, "r", false);
    let expected = [(b'r', 1), (1, DATA + 2), (2, DATA + 2)];
    assert_eq!(runs(&send_all(&mut outbox)), expected);
}

#[test]
fn no_message_gets_into_the_middle_of_a_block() {
    for cut in 1..DATA + 2 {
        let mut outbox = Outbox::default();
        push_block(&mut outbox, 1);
        push_block(&mut outbox, 2);
        let mut out = Vec::new();
        let sent = send(&mut outbox, &mut out, cut, usize::MAX);
        assert_eq!(
            (sent.blocks.len(), sent.payload),
            (0, cut.saturating_sub(2))
        );
        push_message(&mut outbox, "r", false);
        out.extend(send_all(&mut outbox));
        let expected = [(1, DATA + 2), (b'r', 1), (2, DATA + 2)];
        assert_eq!(runs(&out), expected, "{cut}");
    }
}

#[test]
fn a_choke_comes_behind_the_blocks_before_it_and_ahead_of_messages_after_it() {
    let mut outbox = Outbox::default();
    push_block(&mut outbox, 1);
    push_message(&mut outbox, "c", true);
    push_message(&mut outbox, "u", false);
    push_block(&mut outbox, 2);
    let expected = [(1, DATA + 2), (b'c', 1), (b'u', 1), (2, DATA + 2)];
    assert_eq!(runs(&send_all(&mut outbox)), expected);
    // It is out: nothing is held back any more.
    push_block(&mut outbox, 3);
    push_message(&mut outbox, "r", false);
    assert_eq!(runs(&send_all(&mut outbox))[0], (b'r', 1));
}

#[test]
fn where_no_payload_may_pass_messages_do() {
    let mut outbox = Outbox::default();
    push_block(&mut outbox, 1);
    assert!(!outbox.can_send(0));
    push_message(&mut outbox, "r", false);
    let mut out = Vec::new();
    let sent = send(&mut outbox, &mut out, usize::MAX, 0);
    assert_eq!((out.as_slice(), sent), (&b"r"[..], Sent::default()));
    assert!(!outbox.can_send(0) && outbox.can_send(1));
}

#[test]
fn whatever_is_sent_at_once_nothing_is_lost_or_mixed() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut outbox = Outbox::default();
        let (mut out, mut sent_blocks, mut payload) = (Vec::new(), Vec::new(), 0);
        let mut pushed = Vec::new();
        for number in 1..=40_u8 {
            if rng.bool() {
                push_block(&mut outbox, number);
                pushed.push((number, DATA + 2));
            } else {
                let bytes = Bytes::from(vec![number; 3]);
                outbox.push_messages(bytes, rng.u8(..8) == 0);
                pushed.push((number, 3));
            }
            let sent = send(
                &mut outbox,
                &mut out,
                rng.usize(..2 * DATA),
                rng.usize(..2 * DATA),
            );
            sent_blocks.extend(sent.blocks);
            payload += sent.payload;
        }
        while outbox.can_send(usize::MAX) {
            let sent = send(&mut outbox, &mut out, rng.usize(1..DATA), usize::MAX);
            sent_blocks.extend(sent.blocks);
            payload += sent.payload;
        }
        let arrived = runs(&out);
        let of_kind = |wanted: usize, runs: &[(u8, usize)]| {
            let kind = runs.iter().filter(|(_, len)| *len == wanted);
            kind.map(|(number, _)| *number).collect::<Vec<_>>()
        };
        // Each whole and in one piece; blocks among themselves and messages among themselves in their order.
        assert_eq!(arrived.len(), pushed.len(), "seed {seed}");
        for len in [3, DATA + 2] {
            assert_eq!(of_kind(len, &arrived), of_kind(len, &pushed), "seed {seed}");
        }
        let blocks = of_kind(DATA + 2, &pushed);
        let blocks: Vec<_> = blocks
            .into_iter()
            .map(|number| block(number.into()))
            .collect();
        assert_eq!((payload, &sent_blocks), (blocks.len() * DATA, &blocks));
        assert_eq!(outbox.payload, 0);
    }
}

#[test]
fn what_waits_is_what_goes_out_soon() {
    let start = crate::testing::epoch();
    let mut pace = Pace::default();
    assert_eq!(pace.target(), MIN_WAITING);
    for (bytes_per_second, expected) in [
        (1_000, MIN_WAITING),
        (200_000, 200_000),
        (500_000_000, MAX_WAITING),
    ] {
        for tenth in 0..10 {
            pace.record(
                start + Duration::from_millis(100 * tenth),
                bytes_per_second / 10,
                true,
            );
        }
        assert_eq!(pace.target(), expected, "{bytes_per_second}");
        pace.since = None;
        pace.bytes = 0;
    }
    let mut outbox = Outbox::default();
    let zeros = |len| BlockParts::from([Bytes::from(vec![0; len])]);
    outbox.push_block(Bytes::new(), zeros(MIN_WAITING / 2 - 1), block(0));
    assert_eq!(outbox.wanted(), MIN_WAITING / 2 + 1);
    outbox.push_block(Bytes::new(), zeros(1), block(1));
    assert_eq!(outbox.wanted(), 0);
}

#[test]
fn what_waits_grows_while_the_socket_takes_it_all() {
    let mut outbox = Outbox::default();
    let mut wanted = Vec::new();
    for number in 0..6 {
        wanted.push(outbox.wanted());
        let data = Bytes::from(vec![0; outbox.wanted()]);
        outbox.push_block(Bytes::new(), BlockParts::from([data]), block(number));
        send_all(&mut outbox);
    }
    assert_eq!(wanted[..3], [MIN_WAITING, 2 * MIN_WAITING, 4 * MIN_WAITING]);
    assert_eq!(wanted[5], MAX_WAITING);
    // A socket that takes nothing has little lent to it, however fast its peer asks.
    let mut stuck = Outbox::default();
    let data = Bytes::from(vec![0; MIN_WAITING]);
    stuck.push_block(Bytes::new(), BlockParts::from([data]), block(0));
    assert_eq!(stuck.wanted(), 0);
}

#[test]
fn a_block_in_parts_goes_out_as_one() {
    let parts = |number: u8| [3, 1, 5].map(|len| Bytes::from(vec![number; len]));
    for room in 1..12 {
        let mut outbox = Outbox::default();
        for number in [1, 2] {
            let header = Bytes::from(vec![number; 2]);
            outbox.push_block(header, parts(number).into(), block(number.into()));
        }
        let mut out = Vec::new();
        let (mut blocks, mut payload) = (Vec::new(), 0);
        while outbox.can_send(usize::MAX) {
            let sent = send(&mut outbox, &mut out, room, usize::MAX);
            blocks.extend(sent.blocks);
            payload += sent.payload;
        }
        assert_eq!(runs(&out), [(1, 11), (2, 11)], "{room}");
        assert_eq!((blocks, payload), (vec![block(1), block(2)], 18), "{room}");
    }
}

#[test]
fn blocks_are_given_back_in_order_but_for_the_first_which_is_copied() {
    let lease = Bytes::from(vec![1; DATA]);
    for begun in [0, 1, 500] {
        let mut outbox = Outbox::default();
        let header = Bytes::from(vec![1; 2]);
        outbox.push_block(header, BlockParts::from([lease.clone()]), block(1));
        push_message(&mut outbox, "c", true);
        push_block(&mut outbox, 2);
        push_block(&mut outbox, 3);
        let mut out = Vec::new();
        send(&mut outbox, &mut out, begun, usize::MAX);
        assert_eq!(outbox.yield_blocks(), [block(2), block(3)]);
        assert!(lease.is_unique(), "the storage's memory is free");
        assert_eq!(outbox.wanted(), 0, "no more as long as nothing goes out");
        out.extend(send_all(&mut outbox));
        assert_eq!(runs(&out), [(1, DATA + 2), (b'c', 1)], "{begun}");
        assert!(outbox.wanted() > 0);
    }
    // Nothing waits, and so nothing has to go out first.
    let mut empty = Outbox::default();
    assert_eq!(empty.yield_blocks(), []);
    assert!(empty.wanted() > 0);
}

#[test]
fn messages_that_wait_are_counted_until_they_are_out() {
    let mut outbox = Outbox::default();
    push_block(&mut outbox, 1);
    push_message(&mut outbox, "abc", false);
    push_message(&mut outbox, "de", true);
    assert_eq!(outbox.messages_len(), 5);
    let mut out = Vec::new();
    send(&mut outbox, &mut out, 2, usize::MAX);
    assert_eq!(outbox.messages_len(), 3);
    out.extend(send_all(&mut outbox));
    assert_eq!(outbox.messages_len(), 0);
}
