//! Measures what message stream encryption costs: the keystream in GB/s, the handshake in µs.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rc4::{KeyInit, StreamCipher};
use tailwater_types::{InfoHash, PeerId};
use tailwater_wire::mse::{Entropy, Initiator, Method, Methods, Rc4, Responder, ResponderEvent};
use tailwater_wire::{Handshake, Reserved};

const BLOCK_LEN: usize = 16 * 1024;
const INFO_HASH: InfoHash = InfoHash::new([7; 20]);

fn keystream(c: &mut Criterion) {
    let mut group = c.benchmark_group("rc4, blocks of 16 KiB");
    group.throughput(Throughput::Bytes(BLOCK_LEN as u64));
    let mut block = vec![0; BLOCK_LEN];
    let mut ours = Rc4::new(&[1; 20]);
    group.bench_function("ours, in place", |b| {
        b.iter(|| ours.apply(black_box(&mut block)));
    });
    let mut to = BytesMut::with_capacity(BLOCK_LEN);
    group.bench_function("ours, into a buffer", |b| {
        b.iter(|| {
            to.clear();
            ours.apply_to(black_box(&block), &mut to);
            black_box(&to);
        });
    });
    let mut theirs = rc4::Rc4::new_from_slice(&[1; 20]).expect("a key of 20 bytes");
    group.bench_function("the crate rc4, in place", |b| {
        b.iter(|| theirs.apply_keystream(black_box(&mut block)));
    });
    group.finish();
}

fn initiator() -> Initiator {
    let handshake = Handshake {
        reserved: Reserved::FAST,
        info_hash: INFO_HASH,
        peer_id: PeerId::new([1; 20]),
    };
    Initiator::new(&handshake, Methods::BOTH, Entropy::new([1; Entropy::LEN]))
}

fn responder() -> Responder {
    Responder::new(Methods::BOTH, Method::Rc4, Entropy::new([2; Entropy::LEN]))
}

/// Both messages with the public keys.
fn public_keys() -> (BytesMut, BytesMut) {
    let first = initiator().poll_transmit().expect("the first message");
    let mut responder = responder();
    let answer = responder.handle_bytes(&mut first.clone().into());
    assert!(answer.is_ok_and(|event| event.is_none()));
    let second = responder.poll_transmit().expect("the second message");
    (first.into(), second.into())
}

fn handshake(c: &mut Criterion) {
    let mut group = c.benchmark_group("handshake");
    let (first, second) = public_keys();
    group.bench_function("initiator, first message: one exponentiation", |b| {
        b.iter(initiator);
    });
    group.bench_function("initiator, third message: one exponentiation", |b| {
        b.iter_batched_ref(
            || (initiator(), second.clone()),
            |(initiator, second)| initiator.handle_bytes(second).is_ok(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("responder, second message: two exponentiations", |b| {
        b.iter_batched_ref(
            || (responder(), first.clone()),
            |(responder, first)| responder.handle_bytes(first).is_ok(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("both sides, whole", |b| b.iter(whole));
    group.finish();
}

fn whole() {
    let (mut initiator, mut responder) = (initiator(), responder());
    let (mut to_initiator, mut to_responder) = (BytesMut::new(), BytesMut::new());
    loop {
        while let Some(bytes) = initiator.poll_transmit() {
            to_responder.extend_from_slice(&bytes);
        }
        match responder.handle_bytes(&mut to_responder) {
            Ok(Some(ResponderEvent::NeedsTorrent(_))) => {
                assert!(responder.handle_torrent(Some(INFO_HASH)).is_ok());
            }
            result => assert!(result.is_ok()),
        }
        while let Some(bytes) = responder.poll_transmit() {
            to_initiator.extend_from_slice(&bytes);
        }
        if let Some(established) = initiator.handle_bytes(&mut to_initiator).expect("no error") {
            black_box(established);
            return;
        }
    }
}

criterion_group!(benches, keystream, handshake);
criterion_main!(benches);
