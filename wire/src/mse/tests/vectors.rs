//! Whole transcripts, computed by another program from the same random bytes.

use sha1::{Digest, Sha1};

use super::super::MAX_HELD_LEN;
use super::super::dh::KeyPair;
use super::*;

fn counted(first: u8) -> Entropy {
    let mut bytes = [0; Entropy::LEN];
    for (byte, value) in bytes.iter_mut().zip(first..) {
        *byte = value;
    }
    Entropy::new(bytes)
}

/// Length and SHA-1.
fn digest(bytes: &[u8]) -> (usize, String) {
    let hex = Sha1::digest(bytes)
        .into_iter()
        .map(|byte| format!("{byte:02x}"));
    (bytes.len(), hex.collect())
}

#[test]
fn all_messages_are_those_of_another_program() {
    let mut a = Initiator::new(&handshake(), Methods::BOTH, counted(0));
    let mut b = Responder::new(Methods::BOTH, Method::Rc4, counted(100));
    let first = a.poll_transmit().unwrap();
    assert!(
        respond(&mut b, &mut first.clone().into())
            .unwrap()
            .is_none()
    );
    let second = b.poll_transmit().unwrap();
    assert!(
        a.handle_bytes(&mut second.clone().into())
            .unwrap()
            .is_none()
    );
    let third = a.poll_transmit().unwrap();
    let mut end_b = respond(&mut b, &mut third.clone().into()).unwrap().unwrap();
    let fourth = b.poll_transmit().unwrap();
    let mut end_a = a.handle_bytes(&mut fourth.clone().into()).unwrap().unwrap();
    let expected = [
        (107, "0cc4ec29f501d3c7238335f6937945d3acfd83a9"),
        (157, "da8b6bd4e4023cc1e60df1b43188940e99f1e96d"),
        (136, "01e9594871491599c31afff2ce01ad9ac6fbec06"),
        (76, "bdcbef7477167edcba5401c87a5c617e80f56a62"),
    ];
    for (message, (len, hash)) in [first, second, third, fourth].iter().zip(expected) {
        assert_eq!(digest(message), (len, hash.to_owned()));
    }
    let (mut from_a, mut from_b) = (*b"from a", *b"from b");
    end_a.send.as_mut().unwrap().apply(&mut from_a);
    end_b.send.as_mut().unwrap().apply(&mut from_b);
    assert_eq!(from_a, [0xc1, 0x3e, 0xfc, 0x3e, 0x0e, 0x83]);
    assert_eq!(from_b, [0x42, 0xf8, 0x6e, 0x28, 0x67, 0x71]);
}

#[test]
fn a_registry_can_compute_the_hash_that_an_initiator_sends() {
    let mut plain = b"req2".to_vec();
    plain.extend_from_slice(TORRENT.as_bytes());
    assert_eq!(obfuscated(&TORRENT)[..], Sha1::digest(plain)[..]);
}

#[test]
fn randomness_of_zeros_gives_no_degenerate_key() {
    let keys = KeyPair::new([0; 20]);
    assert!(KeyPair::new([1; 20]).agree(&keys.public()).is_ok());
}

/// The largest that each side gets, in the state before its end, with nothing sent: the machines, their boxes, buffers.
#[test]
fn a_half_open_handshake_holds_no_more_than_it_says() {
    use super::super::keys::{Ciphers, Secret};
    use super::super::{MAX_INITIAL_PAYLOAD_LEN, MAX_PADDING_LEN, PUBLIC_KEY_LEN};

    let mut bytes = [3; Entropy::LEN];
    for at in [20, 22] {
        bytes[at..at + 2].copy_from_slice(&512u16.to_be_bytes());
    }
    let ciphers = size_of::<Ciphers>();
    let mut b = Responder::new(Methods::BOTH, Method::Rc4, Entropy::new(bytes));
    let mut a = Initiator::new(&handshake(), Methods::BOTH, Entropy::new(bytes));
    let first = a.poll_transmit().unwrap();
    let second_keys = KeyPair::new([9; 20]).public();
    assert!(
        a.handle_bytes(&mut BytesMut::from(&second_keys[..]))
            .unwrap()
            .is_none()
    );
    let key_message = PUBLIC_KEY_LEN + MAX_PADDING_LEN;
    // Had nothing been sent, both messages would be held, in a buffer that grows by doubling.
    let third = a.poll_transmit().unwrap();
    let held_a = size_of::<Initiator>() + ciphers + 2 * (first.len() + third.len());
    assert_eq!(first.len(), key_message);
    assert!(held_a <= MAX_HELD_LEN, "{held_a}");

    assert!(respond(&mut b, &mut first.into()).unwrap().is_none());
    let second = b.poll_transmit().unwrap().len();
    assert_eq!(second, key_message);
    let fourth = 8 + 4 + 2 + MAX_PADDING_LEN;
    let held_b = size_of::<Responder>() + ciphers + MAX_INITIAL_PAYLOAD_LEN + 2 * second;
    assert!(fourth <= second && held_b <= MAX_HELD_LEN, "{held_b}");
    assert!(size_of::<Secret>() <= PUBLIC_KEY_LEN);
}
