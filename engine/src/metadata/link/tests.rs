//! How a connection of a fetch treats what its peer sends, with a simulated clock.

use super::*;
use crate::testing::epoch;

const SECOND: Duration = Duration::from_secs(1);

fn link(now: Instant) -> Link {
    let config = LinkConfig {
        fast: true,
        listen_port: Some(6881),
    };
    Link::new(now, config)
}

/// What the link sends, as messages.
fn sent(link: &mut Link, now: Instant) -> Vec<Message> {
    let mut out = link.take_out(now);
    let mut decoder = Decoder::new(Limits::default());
    let messages = std::iter::from_fn(|| decoder.decode(&mut out).unwrap());
    messages.collect()
}

fn receive(link: &mut Link, id: u8, payload: Vec<u8>) {
    let mut bytes = BytesMut::new();
    let payload = payload.into();
    Message::Extended { id, payload }.encode(&mut bytes);
    let now = link.opened;
    link.handle_bytes(now, &mut bytes).unwrap();
}

/// Lets a link read a buffer of the same bytes again and again, for ten seconds. Returns how often it read them, and the most
/// facts that it told at once.
fn flood(link: &mut Link, bytes: &[u8]) -> (usize, usize) {
    let (mut count, mut facts) = (0, 0);
    let start = link.opened;
    let mut now = start;
    // The bound is for a link that holds nothing back.
    while now < start + 10 * SECOND && count < 100_000 {
        let mut received = BytesMut::from(bytes);
        loop {
            link.handle_bytes(now, &mut received).unwrap();
            facts = facts.max(link.take_facts().len());
            assert!(link.out.len() < MAX_BACKLOG + 100);
            if link.is_paused() {
                now = link.read_limit.resumes_at().unwrap();
                assert!(link.poll_timeout().unwrap() <= now);
            } else if !link.has_more() {
                break;
            }
        }
        count += 1;
    }
    (count, facts)
}

/// Their handshake: metadata messages go to them under number 9.
fn hello(link: &mut Link, metadata_size: Option<u32>) {
    let mut extensions = ExtensionIds::NONE;
    extensions.set(ExtensionId::UtMetadata, 9);
    let hello = ExtensionHandshake {
        extensions,
        metadata_size,
        listen_port: Some(7000),
        ..ExtensionHandshake::default()
    };
    receive(link, ExtensionHandshake::ID, hello.encode());
}

#[test]
fn it_says_first_that_it_has_nothing_and_asks_under_the_peers_number() {
    let now = epoch();
    let mut link = link(now);
    let first = sent(&mut link, now);
    assert_eq!(first[0], Message::HaveNone);
    assert!(matches!(first[1], Message::Extended { id: 0, .. }));
    link.request(0);
    assert!(
        sent(&mut link, now).is_empty(),
        "it does not know the number"
    );
    hello(&mut link, Some(20_000));
    let listen_port = Some(7000);
    let facts = [Fact::Hello { listen_port }, Fact::Size(20_000)];
    assert_eq!(link.take_facts(), facts);
    link.request(1);
    let request = MetadataMessage::Request { piece: 1 }.encode();
    let payload = request.into();
    assert_eq!(sent(&mut link, now), [Message::Extended { id: 9, payload }]);
}

#[test]
fn a_peer_that_has_nothing_to_offer_is_not_kept() {
    let start = epoch();
    let mut mute = link(start);
    assert_eq!(mute.poll_timeout().unwrap(), start + 10 * SECOND);
    assert_eq!(mute.handle_timeout(start + 9 * SECOND), Ok(()));
    let outcome = mute.handle_timeout(start + 10 * SECOND);
    assert_eq!(outcome, Err(Useless::NoHello));

    let mut poor = link(start);
    hello(&mut poor, None);
    assert_eq!(poor.poll_timeout().unwrap(), start + 30 * SECOND);
    assert_eq!(poor.handle_timeout(start + 29 * SECOND), Ok(()));
    // It may get the metadata itself.
    let mut lucky = link(start);
    hello(&mut lucky, None);
    hello(&mut lucky, Some(5));
    assert_eq!(lucky.handle_timeout(start + 31 * SECOND), Ok(()));
    let outcome = poor.handle_timeout(start + 30 * SECOND);
    assert_eq!(outcome, Err(Useless::NoOffer));
}

#[test]
fn a_quiet_connection_is_kept_alive() {
    let start = epoch();
    let mut link = link(start);
    hello(&mut link, Some(5));
    sent(&mut link, start);
    let quiet = start + 100 * SECOND;
    assert_eq!(link.poll_timeout().unwrap(), quiet);
    link.handle_timeout(quiet).unwrap();
    assert_eq!(sent(&mut link, quiet), [Message::KeepAlive]);
    assert!(link.poll_timeout().unwrap() > quiet);
}

#[test]
fn a_flood_of_what_is_not_metadata_is_held_back() {
    let now = epoch();
    let extended = |id: u8, payload: Vec<u8>| {
        let payload = payload.into();
        Message::Extended { id, payload }
    };
    let mut extensions = ExtensionIds::NONE;
    extensions.set(ExtensionId::UtMetadata, 9);
    let hello = ExtensionHandshake {
        extensions,
        metadata_size: Some(20_000),
        ..ExtensionHandshake::default()
    };
    let metadata =
        |message: MetadataMessage| extended(ExtensionId::UtMetadata.as_u8(), message.encode());
    let floods = [
        Message::KeepAlive,
        Message::HaveNone,
        Message::Have(7),
        extended(ExtensionHandshake::ID, hello.encode()),
        // An extension that it was not told of.
        extended(77, vec![b'x'; 100_000]),
        metadata(MetadataMessage::Request { piece: 0 }),
        metadata(MetadataMessage::Reject { piece: 0 }),
    ];
    for message in floods {
        let mut bytes = BytesMut::new();
        message.encode(&mut bytes);
        let mut link = link(now);
        let (count, facts) = flood(&mut link, &bytes);
        // A burst of 1 MiB, and 128 KiB in each of ten seconds.
        let allowed = 2_500_000 / (bytes.len() + 64) + 1;
        assert!(count <= allowed, "{message:?}: {count}");
        assert!(facts <= 2, "{message:?}: {facts}");
    }
}

#[test]
fn blocks_that_were_asked_for_are_never_held_back_and_come_a_few_at_a_time() {
    let now = epoch();
    let mut link = link(now);
    hello(&mut link, Some(10_000_000));
    let _ = link.take_facts();
    let mut received = BytesMut::new();
    let count = 300;
    for block in 0..count {
        link.request(block);
        let data = MetadataMessage::Data {
            piece: block,
            total_size: None,
            data: vec![0; 16_384].into(),
        };
        let (id, payload) = (ExtensionId::UtMetadata.as_u8(), data.encode().into());
        Message::Extended { id, payload }.encode(&mut received);
    }
    let mut blocks = 0;
    loop {
        link.handle_bytes(now, &mut received).unwrap();
        assert!(link.facts.len() <= MAX_FACTS);
        blocks += link.take_facts().len();
        assert!(!link.is_paused());
        if !link.has_more() {
            break;
        }
    }
    assert_eq!(blocks, count as usize);
    // The same again was not asked for.
    for _ in 0..100 {
        let data = MetadataMessage::Data {
            piece: 0,
            total_size: None,
            data: vec![0; 16_384].into(),
        };
        receive(&mut link, ExtensionId::UtMetadata.as_u8(), data.encode());
        let _ = link.take_facts();
    }
    assert!(link.is_paused());
}

#[test]
fn requests_are_rejected_as_long_as_the_peer_takes_the_answers() {
    let now = epoch();
    let mut link = link(now);
    hello(&mut link, None);
    sent(&mut link, now);
    let ask = MetadataMessage::Request { piece: 3 };
    for _ in 0..10_000 {
        receive(&mut link, ExtensionId::UtMetadata.as_u8(), ask.encode());
    }
    assert!(link.out.len() < MAX_BACKLOG + 100, "{}", link.out.len());
    let payload = MetadataMessage::Reject { piece: 3 }.encode().into();
    assert_eq!(
        sent(&mut link, now)[0],
        Message::Extended { id: 9, payload }
    );
}
