//! An initiator and a responder of ours.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::super::PUBLIC_KEY_LEN;
use super::*;

/// One side's stream on its way to the other, which gets it in parts.
#[derive(Default)]
struct Wire {
    sent: VecDeque<u8>,
    received: BytesMut,
}

impl Wire {
    fn send(&mut self, bytes: &[u8]) {
        self.sent.extend(bytes);
    }

    /// Delivers up to `len` bytes.
    fn deliver(&mut self, len: usize) -> usize {
        let len = len.min(self.sent.len());
        self.received.extend(self.sent.drain(..len));
        len
    }
}

struct Ends {
    a: Established,
    b: Established,
    /// What each got of the other's payload, in clear.
    a_got: Vec<u8>,
    b_got: Vec<u8>,
}

const FROM_A: &[u8] = b"the interested message of a";
const FROM_B: &[u8] = b"the handshake and the bitfield of b";

fn encipher(established: &mut Established, payload: &[u8]) -> Vec<u8> {
    let mut out = payload.to_vec();
    if let Some(send) = &mut established.send {
        send.apply(&mut out);
    }
    out
}

/// Runs both to the end; each sends its payload as soon as it can. `cuts` are the lengths of the parts, over and over.
fn run(mut a: Initiator, mut b: Responder, cuts: &[usize]) -> Result<Ends, MseError> {
    let (mut to_a, mut to_b) = (Wire::default(), Wire::default());
    let (mut end_a, mut end_b) = (None::<Established>, None::<Established>);
    let (mut a_got, mut b_got) = (Vec::new(), Vec::new());
    for &cut in cuts.iter().cycle() {
        to_b.send(&all_of(|| a.poll_transmit()));
        to_a.send(&all_of(|| b.poll_transmit()));
        let moved = to_a.deliver(cut) + to_b.deliver(cut);
        match &mut end_b {
            Some(end) => receive(end, &mut to_b.received, &mut b_got),
            None => match respond(&mut b, &mut to_b.received)? {
                None => assert!(to_b.received.len() < PUBLIC_KEY_LEN),
                Some(mut end) => {
                    b_got.extend(to_b.received.split());
                    to_a.send(&all_of(|| b.poll_transmit()));
                    to_a.send(&encipher(&mut end, FROM_B));
                    end_b = Some(end);
                }
            },
        }
        match &mut end_a {
            Some(end) => receive(end, &mut to_a.received, &mut a_got),
            None => match a.handle_bytes(&mut to_a.received)? {
                None => assert!(to_a.received.len() < PUBLIC_KEY_LEN),
                Some(mut end) => {
                    a_got.extend(to_a.received.split());
                    to_b.send(&encipher(&mut end, FROM_A));
                    end_a = Some(end);
                }
            },
        }
        if moved == 0 && to_a.sent.is_empty() && to_b.sent.is_empty() {
            break;
        }
    }
    let (a, b) = (end_a.expect("a is done"), end_b.expect("b is done"));
    Ok(Ends { a, b, a_got, b_got })
}

fn receive(end: &mut Established, received: &mut BytesMut, got: &mut Vec<u8>) {
    let mut bytes = received.split();
    if let Some(receive) = &mut end.receive {
        receive.apply(&mut bytes);
    }
    got.extend(bytes);
}

const SETS: [Methods; 3] = [Methods::PLAINTEXT, Methods::RC4, Methods::BOTH];

/// What the specification says of two policies.
fn expected(offered: Methods, accepted: Methods, preferred: Method) -> Option<Method> {
    let both = |method| offered.contains(method) && accepted.contains(method);
    let other = match preferred {
        Method::Plaintext => Method::Rc4,
        Method::Rc4 => Method::Plaintext,
    };
    [preferred, other].into_iter().find(|&method| both(method))
}

fn check(ends: &Ends, method: Method) {
    for end in [&ends.a, &ends.b] {
        assert_eq!(end.method, method);
        assert_eq!(end.info_hash, TORRENT);
        assert_eq!(end.send.is_some(), method == Method::Rc4);
        assert_eq!(end.receive.is_some(), method == Method::Rc4);
    }
    assert_eq!(ends.b.initial_payload[..], handshake().to_bytes());
    assert!(ends.a.initial_payload.is_empty());
    assert_eq!(ends.a_got, FROM_B);
    assert_eq!(ends.b_got, FROM_A);
}

#[test]
fn all_pairs_of_policies_end_as_the_responder_prefers() {
    for offered in SETS {
        for accepted in SETS {
            for preferred in [Method::Plaintext, Method::Rc4] {
                let ends = run(initiator(offered), responder(accepted, preferred), &[4096]);
                match expected(offered, accepted, preferred) {
                    Some(method) => check(&ends.unwrap(), method),
                    None => {
                        let provided = offered.bits();
                        assert_eq!(ends.err(), Some(MseError::NoCommonMethod { provided }));
                    }
                }
            }
        }
    }
}

#[test]
fn a_handshake_that_comes_byte_by_byte_ends_the_same() {
    for preferred in [Method::Plaintext, Method::Rc4] {
        let b = responder(Methods::BOTH, preferred);
        check(&run(initiator(Methods::BOTH), b, &[1]).unwrap(), preferred);
    }
}

#[test]
fn paddings_of_all_four_places_may_have_no_byte_or_512() {
    for (first, second) in [(0u16, 0u16), (512, 0), (0, 512), (512, 512)] {
        let mut bytes = [3; Entropy::LEN];
        bytes[20..22].copy_from_slice(&first.to_be_bytes());
        bytes[22..24].copy_from_slice(&second.to_be_bytes());
        let a = Initiator::new(&handshake(), Methods::BOTH, Entropy::new(bytes));
        let b = Responder::new(Methods::BOTH, Method::Rc4, Entropy::new(bytes));
        check(&run(a, b, &[700]).unwrap(), Method::Rc4);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_randomness_and_any_cut_end_the_same(
        a in any::<[[u8; 22]; 2]>(),
        b in any::<[[u8; 22]; 2]>(),
        policy in (0..3usize, 0..3usize, any::<bool>()),
        cuts in prop::collection::vec(prop_oneof![1..8usize, 1..700usize], 1..20),
    ) {
        let entropy = |bytes: [[u8; 22]; 2]| Entropy::new(bytes.concat().try_into().unwrap());
        let (offered, accepted) = (SETS[policy.0], SETS[policy.1]);
        let preferred = if policy.2 { Method::Rc4 } else { Method::Plaintext };
        let a = Initiator::new(&handshake(), offered, entropy(a));
        let b = Responder::new(accepted, preferred, entropy(b));
        let ends = run(a, b, &cuts);
        match expected(offered, accepted, preferred) {
            Some(method) => check(&ends.unwrap(), method),
            None => prop_assert!(ends.is_err()),
        }
    }
}
