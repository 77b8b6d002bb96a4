//! Measures how fast the decoder takes 16 KiB blocks out of a receive buffer, without sockets, storage or hashing.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tailwater_wire::{Decoder, Limits, Message, piece_header};

const BLOCK_LEN: u32 = 16 * 1024;
/// Blocks in one receive buffer of about 1 MiB.
const BLOCKS: u32 = 64;

fn received() -> BytesMut {
    let mut buf = BytesMut::new();
    for index in 0..BLOCKS {
        buf.extend_from_slice(&piece_header(index, 0, BLOCK_LEN));
        buf.resize(buf.len() + BLOCK_LEN as usize, 0);
    }
    buf
}

fn decode_pieces(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode_pieces");
    group.throughput(Throughput::Bytes(u64::from(BLOCK_LEN * BLOCKS)));
    group.bench_function("64 blocks of 16 KiB", |b| {
        b.iter_batched_ref(
            || (Decoder::new(Limits::default()), received()),
            |(decoder, buf)| {
                let mut blocks = 0;
                while let Ok(Some(message)) = decoder.decode(buf) {
                    if let Message::Piece { data, .. } = &message {
                        blocks += u32::from(!black_box(data).is_empty());
                    }
                }
                assert_eq!(blocks, BLOCKS);
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, decode_pieces);
criterion_main!(benches);
