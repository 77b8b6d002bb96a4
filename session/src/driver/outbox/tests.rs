//! What goes out, and in which order.

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
    let data = Bytes::from(vec![number; DATA]);
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
    assert_eq!(pace.target(), MAX_WAITING);
    for (bytes_per_second, expected) in [
        (1_000, MIN_WAITING),
        (200_000, 200_000),
        (500_000_000, MAX_WAITING),
    ] {
        for tenth in 0..10 {
            pace.record(
                start + Duration::from_millis(100 * tenth),
                bytes_per_second / 10,
            );
        }
        assert_eq!(pace.target(), expected, "{bytes_per_second}");
        pace.since = None;
        pace.bytes = 0;
    }
    let mut outbox = Outbox::default();
    outbox.push_block(Bytes::new(), vec![0; MAX_WAITING / 2 - 1].into(), block(0));
    assert_eq!(outbox.wanted(), MAX_WAITING / 2 + 1);
    outbox.push_block(Bytes::new(), vec![0].into(), block(1));
    assert_eq!(outbox.wanted(), 0);
}
