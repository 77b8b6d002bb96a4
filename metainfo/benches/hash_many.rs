//! `cargo bench -p tailwater-metainfo`: pieces of 1 MiB hashed one by one and side by side.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use sha1::{Digest, Sha1};
use std::hint::black_box;
use tailwater_metainfo::merkle::{block_hash, block_hashes};
use tailwater_metainfo::{BLOCK_LEN, hash_many};

const PIECE_LEN: usize = 1 << 20;
const MOST: usize = 16;

fn hashing(criterion: &mut Criterion) {
    let pieces: Vec<Vec<u8>> = (0..MOST)
        .map(|seed| {
            (0..PIECE_LEN)
                .map(|at| (at * 31 + (at >> 9) + seed).to_be_bytes()[7])
                .collect()
        })
        .collect();
    let blocks: Vec<Vec<&[u8]>> = pieces
        .iter()
        .map(|piece| piece.chunks(BLOCK_LEN as usize).collect())
        .collect();
    let mut group = criterion.benchmark_group("hashing");
    for count in [1, 4, 5, 8, 10, 11, MOST] {
        let parts: Vec<&[&[u8]]> = blocks[..count].iter().map(Vec::as_slice).collect();
        group.throughput(Throughput::Bytes((count * PIECE_LEN) as u64));
        group.bench_function(format!("hash_many/{count}"), |bencher| {
            bencher.iter(|| hash_many(black_box(&parts)));
        });
    }
    for count in [4, 6, 8, 10, 12, MOST] {
        let parts = &blocks[0][..count];
        group.throughput(Throughput::Bytes((count * BLOCK_LEN as usize) as u64));
        group.bench_function(format!("block_hashes/{count}"), |bencher| {
            bencher.iter(|| block_hashes(black_box(parts)));
        });
    }
    group.throughput(Throughput::Bytes(BLOCK_LEN as u64));
    group.bench_function("block_hash", |bencher| {
        bencher.iter(|| block_hash(black_box(blocks[0][0])));
    });
    group.throughput(Throughput::Bytes(PIECE_LEN as u64));
    group.bench_function("sha1", |bencher| {
        bencher.iter_batched(|| &pieces[0], Sha1::digest, BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, hashing);
criterion_main!(benches);
