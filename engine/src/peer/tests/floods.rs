//! What a peer cannot make us hold, do or send, however much it sends (SECURITY.md).

use tailwater_wire::UploadOnly;

use super::*;

/// The most units that pass at once: a message, or 64 bytes of one, is a unit.
const BURST: usize = 32_768;

fn many(count: usize, message: impl Fn(usize) -> Message) -> Vec<Message> {
    (0..count).map(message).collect()
}

fn upload_only(on: bool) -> Message {
    Message::Extended {
        id: ExtensionId::UploadOnly.as_u8(),
        payload: Bytes::copy_from_slice(&UploadOnly(on).encode()),
    }
}

#[test]
fn five_bytes_do_not_become_a_bitfield_each() {
    let mut pair = Pair::new(true);
    let flood = many(50_000, |n| match n % 2 {
        0 => Message::HaveAll,
        _ => Message::HaveNone,
    });
    let turns = pair.receive_all(&flood).unwrap();
    let bitfields = turns.facts.len();
    // One a turn, which is one in 1 024 messages.
    assert!(bitfields <= BURST / 1_024 + 1, "{bitfields} facts");
    assert!(turns.left > 0 && turns.waits_until.is_some());
}

/// In a large torrent each costs as much as the bitfield that it stands for.
#[test]
fn have_none_costs_its_sender_a_bitfield() {
    let mut pair = Pair::new(true);
    let geometry = Geometry::new(1 << 40, 1 << 20).unwrap();
    let config = Config {
        geometry,
        ..pair.connection.config.clone()
    };
    pair.connection = Connection::new(pair.now, config);
    let flood = many(1_000, |_| Message::HaveNone);
    let turns = pair.receive_all(&flood).unwrap();
    let passed = 1_000 - turns.left / 5;
    // 2^20 pieces are 2^17 bytes are 2^11 units.
    assert_eq!(passed, BURST / 2_049 + 1);
}

#[test]
fn toggled_flags_are_told_once() {
    let mut pair = Pair::new(true);
    let flood = many(6_000, |n| match n % 6 {
        0 => Message::Unchoke,
        1 => Message::Interested,
        2 => upload_only(true),
        3 => Message::Choke,
        4 => Message::NotInterested,
        _ => upload_only(false),
    });
    let turns = pair.receive_all(&flood).unwrap();
    assert_eq!(turns.left, 0);
    let told = turns.facts.len();
    assert!(told <= 3 * (6_000 / 1_024 + 1), "{told} facts");
    // The last state counts, and nothing is told that is known.
    pair.receive(&[Message::Unchoke, Message::Choke, upload_only(true)])
        .unwrap();
    let facts = pair.connection.take_facts();
    assert_eq!(facts, [Fact::UploadOnly(true)]);
    pair.receive(&[Message::Unchoke, Message::Interested, Message::Interested])
        .unwrap();
    let facts = pair.connection.take_facts();
    assert_eq!(facts, [Fact::Unchoked, Fact::Interested]);
}

#[test]
fn facts_come_in_turns_of_a_bounded_length() {
    let mut pair = Pair::new(true);
    let flood = many(10_000, |n| Message::Have(u32::try_from(n % 4).unwrap()));
    let turns = pair.receive_all(&flood).unwrap();
    assert_eq!((turns.facts.len(), turns.left), (10_000, 0));
    assert_eq!(turns.longest, MAX_FACTS);
}

#[test]
fn every_message_of_a_flood_counts_and_the_rest_waits() {
    let request = BlockRequest::from(block(0, 0));
    let hash_request = Box::new(tailwater_wire::HashRequest {
        pieces_root: [1; 32],
        base_layer: 0,
        index: 0,
        length: 2,
        proof_layers: 0,
    });
    let extended = Message::Extended {
        id: 99,
        payload: Bytes::new(),
    };
    let floods = [
        Message::KeepAlive,
        Message::Interested,
        Message::Have(0),
        Message::Cancel(request),
        Message::SuggestPiece(0),
        Message::AllowedFast(0),
        Message::RejectRequest(request),
        Message::Port(1),
        Message::HashRequest(hash_request),
        extended,
        upload_only(true),
    ];
    for message in floods {
        let mut pair = Pair::new(true);
        let turns = pair.receive_all(&many(2 * BURST, |_| message.clone()));
        let turns = turns.unwrap();
        let waits = turns.waits_until.is_some_and(|at| at > pair.now);
        assert!(turns.left > 0 && waits, "{message:?}");
        assert!(turns.sent.len() <= BURST + 1, "{message:?}");
        // Later it is decoded, at a bounded rate.
        pair.now += Duration::from_secs(2);
        let more = many(2 * BURST, |_| message.clone());
        let turns = pair.receive_all(&more).unwrap();
        let passed = 2 * BURST - turns.left * 2 * BURST / encoded_len(&more);
        assert!(
            (BURST / 2..BURST).contains(&passed),
            "{message:?}: {passed}"
        );
    }
}

fn encoded_len(messages: &[Message]) -> usize {
    let mut bytes = BytesMut::new();
    for message in messages {
        message.encode(&mut bytes);
    }
    bytes.len()
}

#[test]
fn what_was_asked_for_is_never_held_back() {
    let mut pair = Pair::new(true);
    let waste = many(2 * BURST, |_| Message::KeepAlive);
    pair.receive_all(&waste).unwrap();
    pair.now += Duration::from_secs(3_600);
    // Far more bytes of blocks than a burst of other messages may have.
    for _ in 0..300 {
        let wanted = block(0, 0);
        pair.connection.handle_command(Command::Request(wanted));
        let turns = pair.receive_all(&[piece_message(wanted)]).unwrap();
        assert_eq!(turns.facts, [Fact::Block(wanted)]);
        assert_eq!(pair.connection.take_blocks().len(), 1);
    }
    // And so it is with requests that are served.
    pair.connection.handle_command(Command::Unchoke);
    for _ in 0..2 * BURST {
        pair.receive(&[Message::Request(block(0, 0).into())])
            .unwrap();
        let upload = pair.connection.next_upload().unwrap();
        pair.connection.handle_sent(pair.now, upload);
        let _ = pair.connection.take_facts();
    }
    assert_eq!(pair.connection.poll_backlog(), None);
}

#[test]
fn an_unknown_message_counts_by_its_bytes_while_it_is_skipped() {
    let mut pair = Pair::new(true);
    let mut sent = 0;
    while pair.connection.poll_backlog().is_none() {
        assert!(sent < 4 * 64 * BURST, "it is never held back");
        let mut bytes = BytesMut::new();
        bytes.extend_from_slice(&60_001u32.to_be_bytes());
        bytes.extend_from_slice(&[200]);
        bytes.extend_from_slice(&[0; 60_000]);
        for chunk in bytes.chunks(10_000) {
            sent += chunk.len();
            let mut chunk = BytesMut::from(chunk);
            pair.connection.handle_bytes(pair.now, &mut chunk).unwrap();
            if pair.connection.poll_backlog().is_some() {
                break;
            }
        }
    }
    assert!(
        (64 * BURST * 9 / 10..64 * BURST * 11 / 10).contains(&sent),
        "{sent}"
    );
}

#[test]
fn a_choked_peer_is_refused_so_often_and_then_let_go() {
    for fast in [false, true] {
        let mut pair = Pair::new(fast);
        let request = Message::Request(block(0, 0).into());
        let turns = pair.receive_all(&many(50, |_| request.clone())).unwrap();
        assert_eq!(turns.sent.len(), if fast { 50 } else { 0 });
        let violation = pair.receive(std::slice::from_ref(&request)).unwrap_err();
        assert_eq!(violation, Violation::RequestsWhileChoked(50));
        assert_eq!(violation.consequence(), Consequence::Disconnect);
    }
}

#[test]
fn requests_that_cross_a_choke_are_forgiven() {
    let mut pair = Pair::new(true);
    pair.connection.handle_command(Command::Unchoke);
    pair.connection.handle_command(Command::Choke);
    pair.sent();
    let request = Message::Request(block(0, 0).into());
    let turns = pair.receive_all(&many(REQUEST_QUEUE, |_| request.clone()));
    assert_eq!(turns.unwrap().sent.len(), REQUEST_QUEUE);
    // A choke that was repeated forgives nothing again.
    pair.connection.handle_command(Command::Choke);
    let flood = many(100, |_| request.clone());
    pair.receive_all(&flood).expect_err("too many");
}

#[test]
fn an_allowed_fast_piece_is_served_to_a_choked_peer_three_times() {
    let mut pair = Pair::new(true);
    let piece = block(2, 0).piece();
    pair.connection.handle_command(Command::AllowFast(piece));
    let mut served = 0;
    for _ in 0..20 {
        let requests = [0, 1].map(|number| Message::Request(block(2, number).into()));
        pair.receive(&requests).unwrap();
        while let Some(upload) = pair.connection.next_upload() {
            served += upload.len();
            pair.connection.handle_sent(pair.now, upload);
        }
    }
    assert_eq!(served, 3 * 32_768);
    // While it is unchoked, it is a piece like any other.
    pair.connection.handle_command(Command::Unchoke);
    pair.receive(&[Message::Request(block(2, 0).into())])
        .unwrap();
    assert_eq!(pair.connection.next_upload(), Some(block(2, 0)));
}

#[test]
fn extension_handshakes_are_read_now_and_then() {
    let mut pair = Pair::new(true);
    let hello = ExtensionHandshake {
        client: Some("x".repeat(100)),
        ..ExtensionHandshake::default()
    };
    let payload = Bytes::from(hello.encode());
    let message = Message::Extended { id: 0, payload };
    let turns = pair.receive_all(&many(1_000, |_| message.clone())).unwrap();
    assert_eq!(turns.facts.len(), 8);
    pair.now += Duration::from_secs(10);
    let turns = pair.receive_all(&many(1_000, |_| message.clone())).unwrap();
    assert_eq!(turns.facts.len(), 1);
}

#[test]
fn answers_end_a_turn_so_that_they_can_be_sent_first() {
    let metadata: &[u8] = vec![7; 2_000_000].leak();
    let (mut pair, _) = Pair::extended(metadata, false);
    let request = MetadataMessage::Request { piece: 0 }.encode();
    let mut bytes = BytesMut::new();
    for _ in 0..100 {
        Message::Extended {
            id: ExtensionId::UtMetadata.as_u8(),
            payload: request.clone().into(),
        }
        .encode(&mut bytes);
    }
    let mut turns = 0;
    loop {
        pair.connection.handle_bytes(pair.now, &mut bytes).unwrap();
        let out = pair.connection.take_out(pair.now).len();
        assert!(out <= MAX_ANSWERS + 17_000, "{out} bytes at once");
        turns += 1;
        if pair.connection.poll_backlog().is_none() {
            break;
        }
    }
    assert!(turns >= 25, "{turns}");
}
