//! How one connection handles what a peer sends.

mod extensions;
mod floods;
mod hashes;
mod super_seeding;

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tailwater_metainfo::{Bitfield, BlockRef, Geometry};
use tailwater_wire::{
    BlockRequest, Decoder, DontHave, ExtensionHandshake, ExtensionId, ExtensionIds, Limits,
    Message, MetadataMessage,
};

use super::*;
use crate::testing::epoch;

fn geometry() -> Geometry {
    Geometry::new(100_000, 32_768).unwrap()
}

fn block(piece: u32, number: u32) -> BlockRef {
    let geometry = geometry();
    geometry
        .nth_block(geometry.piece(piece).unwrap(), number)
        .unwrap()
}

/// What became of many messages.
#[derive(Debug, Default)]
struct Turns {
    facts: Vec<Fact>,
    /// The most facts of one turn.
    longest: usize,
    sent: Vec<Message>,
    /// Bytes that were not decoded.
    left: usize,
    waits_until: Option<Instant>,
}

/// A connection with its peer at the other end of a wire.
struct Pair {
    now: Instant,
    connection: Connection,
}

impl Pair {
    fn new(fast: bool) -> Self {
        let now = epoch();
        let config = Config {
            geometry: geometry(),
            fast,
            extensions: false,
            listen_port: None,
            addr: None,
            other_ip: None,
            upload_only: false,
            metadata: bytes::Bytes::new(),
            private: false,
            dht_port: None,
            hashes: None,
        };
        Self {
            now,
            connection: Connection::new(now, config),
        }
    }

    fn receive(&mut self, messages: &[Message]) -> Result<(), Violation> {
        let mut bytes = BytesMut::new();
        for message in messages {
            message.encode(&mut bytes);
        }
        self.connection.handle_bytes(self.now, &mut bytes)
    }

    /// Turn after turn, until all of it is decoded or the peer has to wait.
    fn receive_all(&mut self, messages: &[Message]) -> Result<Turns, Violation> {
        let mut bytes = BytesMut::new();
        for message in messages {
            message.encode(&mut bytes);
        }
        let mut turns = Turns::default();
        loop {
            self.connection.handle_bytes(self.now, &mut bytes)?;
            let facts = self.connection.take_facts();
            turns.longest = turns.longest.max(facts.len());
            turns.facts.extend(facts);
            turns.sent.extend(self.sent());
            turns.waits_until = self.connection.poll_backlog();
            if turns.waits_until.is_none_or(|at| at > self.now) {
                turns.left = bytes.len();
                return Ok(turns);
            }
        }
    }

    fn sent(&mut self) -> Vec<Message> {
        let mut bytes = BytesMut::from(&self.connection.take_out(self.now)[..]);
        let mut decoder = Decoder::new(Limits::default());
        std::iter::from_fn(|| decoder.decode(&mut bytes).unwrap()).collect()
    }
}

fn piece_message(block: BlockRef) -> Message {
    Message::Piece {
        index: block.piece().get(),
        begin: block.offset(),
        data: Bytes::from(vec![9; block.len() as usize]),
    }
}

#[test]
fn a_requested_block_comes_out_once() {
    let mut pair = Pair::new(true);
    let wanted = block(3, 0);
    assert_eq!(wanted.len(), 1_696);
    pair.connection.handle_command(Command::Request(wanted));
    assert_eq!(pair.sent(), [Message::Request(wanted.into())]);
    pair.receive(&[piece_message(wanted)]).unwrap();
    assert_eq!(pair.connection.take_facts(), [Fact::Block(wanted)]);
    let blocks = pair.connection.take_blocks();
    assert_eq!(blocks.len(), 1);
    assert_eq!(
        pair.receive(&[piece_message(wanted)]),
        Err(Violation::UnrequestedBlock { piece: 3 })
    );
}

#[test]
fn a_block_that_was_taken_back_is_no_offence_and_may_be_of_use() {
    let mut pair = Pair::new(false);
    pair.connection
        .handle_command(Command::Request(block(0, 0)));
    pair.connection.handle_command(Command::Cancel(block(0, 0)));
    pair.receive(&[piece_message(block(0, 0))]).unwrap();
    assert_eq!(pair.connection.take_facts(), [Fact::Block(block(0, 0))]);
    assert_eq!(pair.connection.take_blocks().len(), 1);
    pair.receive(&[piece_message(block(0, 0))])
        .expect_err("only once");
}

#[test]
fn of_two_copies_of_a_block_in_one_turn_the_one_that_was_taken_is_told() {
    let mut pair = Pair::new(true);
    let wanted = block(0, 0);
    // The torrent gave the piece up, took it up again, and was told then that the first request is void.
    let request = || Command::Request(wanted);
    pair.connection.handle_command(request());
    pair.connection.handle_command(request());
    pair.receive(&[piece_message(wanted), piece_message(wanted)])
        .unwrap();
    assert_eq!(pair.connection.take_blocks().len(), 2);
    pair.connection.handle_duplicate(wanted);
    let len = u64::from(wanted.len());
    let told = [
        Fact::Block(wanted),
        Fact::Redundant(len),
        Fact::Returned(wanted),
    ];
    assert_eq!(pair.connection.take_facts(), told);
}

#[test]
fn a_request_that_was_taken_back_and_is_wanted_again_waits_for_the_answer_to_the_first() {
    let wanted = block(0, 0);
    let request = Message::Request(wanted.into());
    let there_and_back = || {
        let mut pair = Pair::new(true);
        for command in [
            Command::Request(wanted),
            Command::Cancel(wanted),
            Command::Request(wanted),
        ] {
            pair.connection.handle_command(command);
        }
        let sent = [request.clone(), Message::Cancel(wanted.into())];
        assert_eq!(pair.sent(), sent);
        pair
    };
    // It was on its way already.
    let mut pair = there_and_back();
    pair.receive(&[piece_message(wanted)]).unwrap();
    assert_eq!(pair.connection.take_facts(), [Fact::Block(wanted)]);

    // It was not, and is asked for now.
    let mut pair = there_and_back();
    let reject = Message::RejectRequest(wanted.into());
    pair.receive(std::slice::from_ref(&reject)).unwrap();
    assert_eq!(pair.connection.take_facts(), []);
    assert_eq!(pair.sent(), std::slice::from_ref(&request));
    pair.receive(&[reject]).unwrap();
    assert_eq!(pair.connection.take_facts(), [Fact::Rejected(wanted)]);

    // Cancelled again, the request is not sent to the peer, and the one answer is the last.
    let mut pair = there_and_back();
    pair.connection.handle_command(Command::Cancel(wanted));
    assert_eq!(pair.sent(), []);
    pair.receive(&[piece_message(wanted)]).unwrap();
    pair.receive(&[piece_message(wanted)])
        .expect_err("only once");
}

#[test]
fn a_choke_returns_the_requests_only_without_the_fast_extension() {
    for (fast, expected) in [
        (false, vec![Fact::Choked, Fact::Returned(block(0, 0))]),
        (true, vec![Fact::Choked]),
    ] {
        let mut pair = Pair::new(fast);
        pair.receive(&[Message::Unchoke]).unwrap();
        assert_eq!(pair.connection.take_facts(), [Fact::Unchoked]);
        pair.connection
            .handle_command(Command::Request(block(0, 0)));
        pair.receive(&[Message::Choke]).unwrap();
        assert_eq!(pair.connection.take_facts(), expected);
    }
}

#[test]
fn a_reject_returns_its_request() {
    let mut pair = Pair::new(true);
    pair.connection
        .handle_command(Command::Request(block(0, 1)));
    let reject = Message::RejectRequest(block(0, 1).into());
    pair.receive(&[reject.clone(), reject]).unwrap();
    assert_eq!(pair.connection.take_facts(), [Fact::Rejected(block(0, 1))]);
}

#[test]
fn a_choked_peer_is_refused_except_for_its_allowed_fast_pieces() {
    let mut pair = Pair::new(true);
    let geometry = geometry();
    pair.connection
        .handle_command(Command::AllowFast(geometry.piece(2).unwrap()));
    pair.sent();
    let (refused, allowed) = (block(0, 0), block(2, 1));
    pair.receive(&[
        Message::Request(refused.into()),
        Message::Request(allowed.into()),
    ])
    .unwrap();
    assert_eq!(pair.sent(), [Message::RejectRequest(refused.into())]);
    assert_eq!(pair.connection.next_upload(), Some(allowed));
    assert_eq!(pair.connection.next_upload(), None);
}

#[test]
fn a_choke_of_ours_rejects_what_is_queued() {
    let mut pair = Pair::new(true);
    pair.connection.handle_command(Command::Unchoke);
    pair.receive(&[Message::Request(block(0, 0).into())])
        .unwrap();
    pair.sent();
    pair.connection.handle_command(Command::Choke);
    let expected = [Message::Choke, Message::RejectRequest(block(0, 0).into())];
    assert_eq!(pair.sent(), expected);
    assert_eq!(pair.connection.next_upload(), None);
}

#[test]
fn what_voids_requests_does_not_overtake_blocks_and_the_rest_may() {
    let mut pair = Pair::new(true);
    let piece = block(0, 0).piece();
    for (command, follows) in [
        (Command::Greet(Bitfield::none(&geometry())), false),
        (Command::Unchoke, false),
        (Command::Request(block(0, 1)), false),
        (Command::Have(piece), false),
        (Command::DontHave(piece), true),
        (Command::Choke, true),
    ] {
        pair.connection.handle_command(command.clone());
        assert_eq!(pair.connection.out_follows_blocks(), follows, "{command:?}");
        pair.sent();
        assert!(!pair.connection.out_follows_blocks());
    }
}

#[test]
fn a_cancel_takes_a_request_out_of_the_queue() {
    let mut pair = Pair::new(false);
    pair.connection.handle_command(Command::Unchoke);
    pair.receive(&[
        Message::Request(block(0, 0).into()),
        Message::Request(block(0, 1).into()),
        Message::Cancel(block(0, 0).into()),
    ])
    .unwrap();
    assert_eq!(pair.connection.next_upload(), Some(block(0, 1)));
    assert_eq!(pair.connection.next_upload(), None);
}

#[test]
fn a_flood_of_requests_ends_a_plain_connection_and_is_rejected_on_a_fast_one() {
    let flood: Vec<_> = (0..=REQUEST_QUEUE)
        .map(|_| Message::Request(block(0, 0).into()))
        .collect();
    let mut plain = Pair::new(false);
    plain.connection.handle_command(Command::Unchoke);
    let violation = plain.receive_all(&flood).unwrap_err();
    assert_eq!(violation, Violation::RequestFlood(REQUEST_QUEUE));
    assert_eq!(violation.consequence(), Consequence::Ban);
    let mut fast = Pair::new(true);
    fast.connection.handle_command(Command::Unchoke);
    fast.sent();
    let sent = fast.receive_all(&flood).unwrap().sent;
    assert_eq!(sent, [Message::RejectRequest(block(0, 0).into())]);
}

#[test]
fn what_does_not_fit_the_torrent_ends_the_connection() {
    let request = |index, begin, length| BlockRequest {
        index,
        begin,
        length,
    };
    let cases = [
        ("have of no piece", Message::Have(4)),
        ("request of no piece", Message::Request(request(4, 0, 1))),
        (
            "request past the end",
            Message::Request(request(3, 1_600, 97)),
        ),
        ("request of nothing", Message::Request(request(0, 0, 0))),
        (
            "request that overflows",
            Message::Request(request(0, u32::MAX, 2)),
        ),
        (
            "request of too much",
            Message::Request(request(0, 0, MAX_REQUEST_LEN + 1)),
        ),
        ("unrequested block", piece_message(block(1, 0))),
        (
            "empty block",
            Message::Piece {
                index: 0,
                begin: 0,
                data: Bytes::new(),
            },
        ),
        ("short bitfield", Message::Bitfield(Bytes::new())),
        (
            "long bitfield",
            Message::Bitfield(Bytes::from_static(&[0, 0])),
        ),
        ("spare bits", Message::Bitfield(Bytes::from_static(&[0x08]))),
        ("have all without the fast extension", Message::HaveAll),
        (
            "reject without the fast extension",
            Message::RejectRequest(request(0, 0, 1)),
        ),
    ];
    for (name, message) in cases {
        assert!(Pair::new(false).receive(&[message]).is_err(), "{name}");
    }
}

#[test]
fn a_later_bitfield_replaces_the_first() {
    // aria2 begins with `have none` and sends a bitfield when it has something.
    let mut pair = Pair::new(true);
    let bitfield = Message::Bitfield(Bytes::from_static(&[0x40]));
    let none = Bitfield::none(&geometry());
    let mut some = none.clone();
    some.set(geometry().piece(1).unwrap());
    for (message, bits) in [(Message::HaveNone, none), (bitfield, some)] {
        pair.receive(&[message]).unwrap();
        assert_eq!(pair.connection.take_facts(), [Fact::Bitfield(bits)]);
    }
}

#[test]
fn the_greeting_is_the_shortest_that_the_peer_understands() {
    let geometry = geometry();
    let mut some = Bitfield::none(&geometry);
    some.set(geometry.piece(1).unwrap());
    let bitfield = Message::Bitfield(Bytes::from_static(&[0x40]));
    let full = Message::Bitfield(Bytes::from_static(&[0xf0]));
    let cases = [
        (true, Bitfield::all(&geometry), vec![Message::HaveAll]),
        (true, Bitfield::none(&geometry), vec![Message::HaveNone]),
        (true, some.clone(), vec![bitfield.clone()]),
        (false, Bitfield::all(&geometry), vec![full]),
        (false, Bitfield::none(&geometry), vec![]),
        (false, some, vec![bitfield]),
    ];
    for (fast, have, expected) in cases {
        let mut pair = Pair::new(fast);
        pair.connection.handle_command(Command::Greet(have));
        assert_eq!(pair.sent(), expected);
    }
}

#[test]
fn a_piece_that_a_peer_gives_up_voids_its_requests() {
    let mut pair = Pair::new(true);
    pair.connection
        .handle_command(Command::Request(block(1, 0)));
    pair.connection
        .handle_command(Command::Request(block(2, 0)));
    pair.receive(&[Message::Extended {
        id: ExtensionId::LtDontHave.as_u8(),
        payload: Bytes::copy_from_slice(&DontHave { index: 1 }.encode()),
    }])
    .unwrap();
    let piece = geometry().piece(1).unwrap();
    assert_eq!(
        pair.connection.take_facts(),
        [Fact::Returned(block(1, 0)), Fact::DontHave(piece)]
    );
}

#[test]
fn an_evicted_piece_is_told_to_those_who_understand() {
    let piece = geometry().piece(1).unwrap();
    let mut pair = Pair::new(true);
    pair.connection.handle_command(Command::DontHave(piece));
    assert_eq!(pair.sent(), []);
    let mut ids = ExtensionIds::NONE;
    ids.set(ExtensionId::LtDontHave, 42);
    let hello = ExtensionHandshake {
        extensions: ids,
        request_queue: Some(17),
        ..ExtensionHandshake::default()
    };
    pair.receive(&[Message::Extended {
        id: ExtensionHandshake::ID,
        payload: hello.encode().into(),
    }])
    .unwrap();
    pair.connection.handle_command(Command::DontHave(piece));
    let expected = Message::Extended {
        id: 42,
        payload: Bytes::from_static(&[0, 0, 0, 1]),
    };
    assert_eq!(pair.sent(), [expected]);
}

#[test]
fn silence_and_dawdling_end_the_connection_and_keep_alives_prevent_it() {
    let mut pair = Pair::new(true);
    let start = pair.now;
    let mut kept_alive = 0;
    let end = loop {
        pair.now = pair.connection.poll_timeout().unwrap();
        if let Err(violation) = pair.connection.handle_timeout(pair.now) {
            break violation;
        }
        kept_alive += pair.sent().len();
    };
    assert_eq!(end, Violation::Silent(SILENCE_LIMIT));
    assert_eq!(pair.now - start, SILENCE_LIMIT);
    assert_eq!(kept_alive, 1);

    let mut dawdler = Pair::new(true);
    let mut dribble = BytesMut::from(&[0, 0, 0][..]);
    dawdler
        .connection
        .handle_bytes(dawdler.now, &mut dribble)
        .unwrap();
    dawdler.now += MESSAGE_LIMIT - Duration::from_secs(1);
    dribble.extend_from_slice(&[13]);
    dawdler
        .connection
        .handle_bytes(dawdler.now, &mut dribble)
        .unwrap();
    assert_eq!(dawdler.connection.handle_timeout(dawdler.now), Ok(()));
    dawdler.now += Duration::from_secs(1);
    assert_eq!(
        dawdler.connection.handle_timeout(dawdler.now),
        Err(Violation::SlowMessage(MESSAGE_LIMIT))
    );
}

#[test]
fn hash_requests_are_rejected_as_long_as_only_v1_is_served() {
    let mut pair = Pair::new(true);
    let request = tailwater_wire::HashRequest {
        pieces_root: [1; 32],
        base_layer: 0,
        index: 0,
        length: 2,
        proof_layers: 0,
    };
    pair.receive(&[Message::HashRequest(Box::new(request))])
        .unwrap();
    assert_eq!(pair.sent(), [Message::HashReject(Box::new(request))]);
}

impl Pair {
    /// A connection that speaks the extension protocol with a peer that knows everything.
    fn extended(metadata: &'static [u8], private: bool) -> (Self, ExtensionHandshake) {
        let mut pair = Self::new(true);
        let config = Config {
            extensions: true,
            metadata: Bytes::from_static(metadata),
            private,
            ..pair.connection.config.clone()
        };
        pair.connection = Connection::new(pair.now, config);
        let theirs = ExtensionHandshake {
            extensions: ExtensionIds::ours(ExtensionId::ALL),
            ..ExtensionHandshake::default()
        };
        let payload = theirs.encode().into();
        pair.receive(&[Message::Extended { id: 0, payload }])
            .unwrap();
        let Some(Message::Extended { id: 0, payload }) = pair.sent().pop() else {
            panic!("no hello");
        };
        (pair, ExtensionHandshake::decode(&payload).unwrap())
    }

    fn ask_metadata(&mut self, piece: u32) -> MetadataMessage {
        let request = MetadataMessage::Request { piece };
        self.tell(ExtensionId::UtMetadata, request.encode());
        match &self.sent()[..] {
            [Message::Extended { id, payload }] if *id == ExtensionId::UtMetadata.as_u8() => {
                MetadataMessage::decode(payload).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    fn tell(&mut self, extension: ExtensionId, payload: Vec<u8>) {
        let message = Message::Extended {
            id: extension.as_u8(),
            payload: payload.into(),
        };
        self.receive(&[message]).unwrap();
    }
}

#[test]
fn the_info_dictionary_is_served_in_blocks_and_not_for_ever() {
    let metadata: &[u8] = vec![7; 20_000].leak();
    let (mut pair, hello) = Pair::extended(metadata, false);
    assert_eq!(hello.metadata_size, Some(20_000));
    for (piece, len) in [(0, 16_384), (1, 3_616)] {
        let answer = pair.ask_metadata(piece);
        let MetadataMessage::Data {
            total_size, data, ..
        } = answer
        else {
            panic!("{answer:?}");
        };
        assert_eq!((total_size, data.len()), (Some(20_000), len));
    }
    for piece in [2, u32::MAX] {
        assert_eq!(pair.ask_metadata(piece), MetadataMessage::Reject { piece });
    }
    for _ in 0..4 {
        assert!(matches!(pair.ask_metadata(1), MetadataMessage::Data { .. }));
    }
    assert_eq!(pair.ask_metadata(1), MetadataMessage::Reject { piece: 1 });
}

#[test]
fn peers_of_peers_are_taken_once_a_minute_and_never_for_a_private_torrent() {
    let named = PexMessage {
        added: vec![tailwater_wire::PexPeer {
            addr: "192.0.2.1:6881".parse().unwrap(),
            flags: tailwater_wire::PexFlags::NONE,
        }],
        dropped: Vec::new(),
    };
    let (mut pair, hello) = Pair::extended(b"", false);
    assert!(hello.extensions.get(ExtensionId::UtPex).is_some());
    let _ = pair.connection.take_facts();
    let pex = [Fact::Pex(named.clone())];
    pair.tell(ExtensionId::UtPex, named.encode());
    assert_eq!(pair.connection.take_facts(), pex);
    pair.tell(ExtensionId::UtPex, named.encode());
    assert_eq!(pair.connection.take_facts(), []);
    pair.now += Duration::from_secs(60);
    pair.tell(ExtensionId::UtPex, named.encode());
    assert_eq!(pair.connection.take_facts(), pex);

    let (mut private, hello) = Pair::extended(b"", true);
    assert_eq!(hello.extensions.get(ExtensionId::UtPex), None);
    let _ = private.connection.take_facts();
    private.tell(ExtensionId::UtPex, named.encode());
    assert_eq!(private.connection.take_facts(), []);
}
