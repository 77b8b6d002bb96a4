//! A peer that breaks the rules.

use proptest::prelude::*;

use super::super::scripted::{Fields, Scripted};
use super::super::{MAX_INITIAL_PAYLOAD_LEN, MAX_PADDING_LEN, is_plain_handshake};
use super::*;

/// The prime.
const PRIME: &str = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd\
ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563";

/// A number near the prime or near zero, by its last byte.
fn key(is_near_prime: bool, last: u8) -> Vec<u8> {
    let mut key = vec![0; 96];
    if is_near_prime {
        for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&PRIME[at..at + 2], 16).unwrap();
        }
    }
    key[95] = last;
    key
}

/// A responder that gets these fields from a scripted peer: its end and what it left in the buffer.
fn request(b: &mut Responder, torrent: InfoHash, fields: &Fields) -> Outcome {
    let peer = Scripted::new(torrent);
    let mut buf = BytesMut::from(&peer.public()[..]);
    assert!(respond(b, &mut buf)?.is_none());
    let theirs = all_of(|| b.poll_transmit());
    buf.extend_from_slice(&peer.request(&theirs, fields));
    let end = respond(b, &mut buf)?;
    Ok(end.map(|end| (end, buf.to_vec())))
}

/// The same for an initiator.
fn answer(a: &mut Initiator, fields: &Fields) -> Outcome {
    let peer = Scripted::new(TORRENT);
    let theirs = all_of(|| a.poll_transmit());
    let mut buf = BytesMut::from(&peer.public()[..]);
    buf.extend_from_slice(&peer.answer(&theirs, fields));
    let end = a.handle_bytes(&mut buf)?;
    Ok(end.map(|end| (end, buf.to_vec())))
}

type Outcome = Result<Option<(Established, Vec<u8>)>, MseError>;

fn any_responder() -> Responder {
    responder(Methods::BOTH, Method::Plaintext)
}

#[test]
fn degenerate_public_keys_are_refused_by_both() {
    for (is_near_prime, last, is_good) in [
        (false, 0, false),
        (false, 1, false),
        (false, 2, true),
        (true, 0x61, true),
        (true, 0x62, false),
        (true, 0x63, false),
        (true, 0x64, false),
        (true, 0xff, false),
    ] {
        let key = key(is_near_prime, last);
        let expected = (!is_good).then_some(MseError::PublicKey);
        let (mut a, mut b) = (initiator(Methods::BOTH), any_responder());
        let _ = a.poll_transmit();
        let found = a.handle_bytes(&mut BytesMut::from(&key[..])).err();
        assert_eq!(found, expected, "{is_near_prime} {last}");
        let found = b.handle_bytes(&mut BytesMut::from(&key[..])).err();
        assert_eq!(found, expected, "{is_near_prime} {last}");
        assert_eq!(b.poll_transmit().is_some(), is_good, "nothing is sent");
        assert_eq!(a.poll_transmit().is_some(), is_good, "nothing is sent");
    }
}

#[test]
fn padding_before_the_marker_has_512_bytes_at_most() {
    for (len, expected) in [(0, None), (512, None), (513, Some(MseError::NoSync))] {
        let fields = |methods, payload| Fields {
            key_padding: vec![0xaa; len],
            ..Fields::conforming(methods, payload)
        };
        let found = request(&mut any_responder(), TORRENT, &fields(3, b"payload"));
        assert_eq!(found.as_ref().err(), expected.as_ref());
        assert_eq!(found.is_ok_and(|end| end.is_some()), expected.is_none());
        let found = answer(&mut initiator(Methods::BOTH), &fields(1, b""));
        assert_eq!(found.as_ref().err(), expected.as_ref());
        assert_eq!(found.is_ok_and(|end| end.is_some()), expected.is_none());
    }
}

#[test]
fn a_peer_that_never_gets_to_the_marker_is_hung_up_on_at_the_first_byte_too_many() {
    let key = Scripted::new(TORRENT).public();
    let mut b = any_responder();
    assert!(
        b.handle_bytes(&mut BytesMut::from(&key[..]))
            .unwrap()
            .is_none()
    );
    let mut buf = BytesMut::new();
    for _ in 0..MAX_PADDING_LEN + 20 - 1 {
        buf.extend_from_slice(b"x");
        assert!(b.handle_bytes(&mut buf).unwrap().is_none());
        assert!(buf.len() < 20);
    }
    buf.extend_from_slice(b"x");
    assert_eq!(b.handle_bytes(&mut buf).err(), Some(MseError::NoSync));
    assert_eq!(
        b.handle_bytes(&mut buf).err(),
        Some(MseError::NoSync),
        "errors stay"
    );
    assert_eq!(b.handle_torrent(Some(TORRENT)), Err(MseError::NoSync));

    let mut a = initiator(Methods::BOTH);
    assert!(
        a.handle_bytes(&mut BytesMut::from(&key[..]))
            .unwrap()
            .is_none()
    );
    let mut buf = BytesMut::new();
    for _ in 0..MAX_PADDING_LEN + 8 - 1 {
        buf.extend_from_slice(b"x");
        assert!(a.handle_bytes(&mut buf).unwrap().is_none());
        assert!(buf.len() < 8);
    }
    buf.extend_from_slice(b"x");
    assert_eq!(a.handle_bytes(&mut buf).err(), Some(MseError::NoSync));
    assert_eq!(
        a.handle_bytes(&mut buf).err(),
        Some(MseError::NoSync),
        "errors stay"
    );
}

#[test]
fn padding_inside_has_512_bytes_at_most() {
    for len in [0, 1, 511, 512, 513, u16::MAX] {
        let expected = match usize::from(len) {
            0..=MAX_PADDING_LEN => None,
            _ => Some(MseError::PaddingTooLong { len }),
        };
        let fields = |methods| Fields {
            padding_len: len,
            padding: usize::from(len),
            ..Fields::conforming(methods, b"payload")
        };
        let found = request(&mut any_responder(), TORRENT, &fields(3));
        assert_eq!(found.err(), expected);
        let found = answer(&mut initiator(Methods::BOTH), &fields(1));
        assert_eq!(found.err(), expected);
    }
}

#[test]
fn an_initial_payload_has_a_limit_that_is_checked_before_it_comes() {
    let most = u16::try_from(MAX_INITIAL_PAYLOAD_LEN).unwrap();
    let fields = |payload_len| Fields {
        payload_len,
        ..Fields::conforming(3, &vec![0x55; MAX_INITIAL_PAYLOAD_LEN])
    };
    let end = request(&mut any_responder(), TORRENT, &fields(most)).unwrap();
    assert_eq!(
        end.unwrap().0.initial_payload.len(),
        MAX_INITIAL_PAYLOAD_LEN
    );
    for len in [most + 1, u16::MAX] {
        let error = request(&mut any_responder(), TORRENT, &fields(len)).err();
        assert_eq!(error, Some(MseError::InitialPayloadTooLong { len }));
    }
}

#[test]
fn what_follows_the_handshake_is_deciphered_once() {
    for (method, bits) in [(Method::Plaintext, 1), (Method::Rc4, 2)] {
        // An initiator that provides one method knows what is selected, and may go on at once.
        let sent = b"initial payload, and what follows";
        let mut fields = Fields::conforming(bits, sent);
        fields.payload_len = 15;
        let (end, rest) = request(&mut any_responder(), TORRENT, &fields)
            .unwrap()
            .unwrap();
        assert_eq!(end.method, method);
        assert_eq!(end.initial_payload[..], sent[..15]);
        match method {
            // The scripted initiator enciphers all it sends.
            Method::Plaintext => assert_ne!(rest, sent[15..]),
            Method::Rc4 => assert_eq!(rest, sent[15..]),
        }
        let fields = Fields::conforming(bits, b"what follows");
        let (end, rest) = answer(&mut initiator(Methods::BOTH), &fields)
            .unwrap()
            .unwrap();
        assert_eq!(end.method, method);
        assert_eq!(rest, b"what follows");
    }
}

#[test]
fn a_finished_machine_takes_nothing_more() {
    let mut b = any_responder();
    let end = request(&mut b, TORRENT, &Fields::conforming(3, b"")).unwrap();
    assert!(end.is_some_and(|(end, _)| end.initial_payload.is_empty()));
    let mut buf = BytesMut::from(&b"a message"[..]);
    assert!(b.handle_bytes(&mut buf).unwrap().is_none());
    assert_eq!(b.handle_torrent(None), Ok(()));
    assert_eq!(&buf[..], b"a message");
    let mut a = initiator(Methods::BOTH);
    assert!(
        answer(&mut a, &Fields::conforming(1, b""))
            .unwrap()
            .is_some()
    );
    assert!(a.handle_bytes(&mut buf).unwrap().is_none());
    assert_eq!(&buf[..], b"a message");
}

#[test]
fn a_torrent_that_is_not_here_ends_the_handshake() {
    let other = InfoHash::new([8; 20]);
    let found = request(&mut any_responder(), other, &Fields::conforming(3, b"x"));
    assert_eq!(found.err(), Some(MseError::UnknownTorrent));
}

#[test]
fn the_question_for_the_torrent_stays_until_it_is_answered() {
    let other = InfoHash::new([8; 20]);
    for (given, expected) in [
        (Some(TORRENT), Ok(())),
        (Some(other), Err(MseError::UnknownTorrent)),
        (None, Err(MseError::UnknownTorrent)),
    ] {
        let peer = Scripted::new(TORRENT);
        let mut b = any_responder();
        // An answer without a question means nothing.
        assert_eq!(b.handle_torrent(None), Ok(()));
        let mut buf = BytesMut::from(&peer.public()[..]);
        assert!(b.handle_bytes(&mut buf).unwrap().is_none());
        let theirs = all_of(|| b.poll_transmit());
        buf.extend_from_slice(&peer.request(&theirs, &Fields::conforming(3, b"x")));
        for _ in 0..3 {
            let event = b.handle_bytes(&mut buf).unwrap();
            let Some(ResponderEvent::NeedsTorrent(wanted)) = event else {
                panic!("{event:?}");
            };
            assert_eq!(wanted, obfuscated(&TORRENT));
        }
        assert_eq!(b.handle_torrent(given), expected);
        match expected {
            Ok(()) => assert!(b.handle_bytes(&mut buf).unwrap().is_some()),
            Err(error) => assert_eq!(b.handle_bytes(&mut buf).err(), Some(error)),
        }
    }
}

#[test]
fn a_wrong_verification_constant_is_refused() {
    for at in 0..8 {
        let mut fields = Fields::conforming(3, b"x");
        fields.vc[at] = 1;
        let found = request(&mut any_responder(), TORRENT, &fields);
        assert_eq!(found.err(), Some(MseError::Verification));
        // The initiator does not find it, and waits for it to the end.
        let found = answer(&mut initiator(Methods::BOTH), &fields);
        assert!(found.unwrap().is_none());
    }
}

#[test]
fn methods_that_were_not_offered_or_are_none_are_refused() {
    for (offered, selected) in [
        (Methods::BOTH, 0),
        (Methods::BOTH, 3),
        (Methods::BOTH, 4),
        (Methods::BOTH, 0x0100_0000),
        (Methods::PLAINTEXT, 2),
        (Methods::RC4, 1),
    ] {
        let found = answer(&mut initiator(offered), &Fields::conforming(selected, b""));
        assert_eq!(found.err(), Some(MseError::NotOffered { selected }));
    }
    for (accepted, provided) in [
        (Methods::BOTH, 0),
        (Methods::BOTH, 4),
        (Methods::PLAINTEXT, 2 | 4),
        (Methods::RC4, 1 | 0x8000_0000),
    ] {
        let mut b = responder(accepted, Method::Rc4);
        let found = request(&mut b, TORRENT, &Fields::conforming(provided, b"x"));
        assert_eq!(found.err(), Some(MseError::NoCommonMethod { provided }));
        assert!(b.poll_transmit().is_none(), "nothing is selected");
    }
    // Methods of the future are provided beside ours.
    let fields = Fields::conforming(u32::MAX, b"x");
    let (end, _) = request(&mut any_responder(), TORRENT, &fields)
        .unwrap()
        .unwrap();
    assert_eq!(end.method, Method::Plaintext);
}

#[test]
fn a_plain_handshake_is_told_by_its_first_20_bytes() {
    let plain = handshake().to_bytes();
    for len in 0..20 {
        assert_eq!(is_plain_handshake(&plain[..len]), None);
        let mut other = plain;
        other[len] ^= 0x20;
        assert_eq!(is_plain_handshake(&other[..=len]), Some(false));
        assert_eq!(is_plain_handshake(&other), Some(false));
    }
    for len in 20..=plain.len() {
        assert_eq!(is_plain_handshake(&plain[..len]), Some(true));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_ends_no_handshake(
        garbage in prop::collection::vec(any::<u8>(), 0..1500),
        cut in 1..200usize,
    ) {
        let (mut a, mut b) = (initiator(Methods::BOTH), any_responder());
        let (mut to_a, mut to_b) = (BytesMut::new(), BytesMut::new());
        let mut ends = (Ok(None), Ok(None));
        for part in garbage.chunks(cut) {
            to_a.extend_from_slice(part);
            to_b.extend_from_slice(part);
            ends = (a.handle_bytes(&mut to_a), respond(&mut b, &mut to_b));
            prop_assert!(!matches!(ends.0, Ok(Some(_))) && !matches!(ends.1, Ok(Some(_))));
        }
        // More than a key, the most padding and a marker: both have given up.
        if garbage.len() >= 96 + 512 + 20 {
            prop_assert!(ends.0.is_err() && ends.1.is_err());
        }
    }
}
