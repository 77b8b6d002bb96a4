//! Measures each operation on a block, on one thread and on two, against a lower bound and against a naive store.
//!
//! `cargo bench -p tailwater-storage-mem`. On two threads each does as much as the one does alone: with perfect scaling
//! the time stays the same.

mod naive;
mod rig;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sha1::{Digest, Sha1};
use tailwater_metainfo::{BLOCK_LEN, BlockRef};
use tailwater_storage_mem::{Lease, ReaderId, Window};

use naive::Naive;
use rig::{PIECE, PIECES, Rig, on_threads};

/// How many pieces are held.
const HELD: u32 = PIECES / 2;

/// How many pieces a thread writes or reserves in one batch.
const BATCH: u32 = HELD / 2;

/// The pieces of a thread's batch; no two threads have the same.
fn batch(rig: &Rig, thread: u32) -> impl Iterator<Item = tailwater_metainfo::PieceIndex> {
    (0..BATCH).map(move |number| rig.piece(thread * BATCH + number))
}

/// The blocks that are held of the thread's pieces, from piece to piece.
fn blocks(rig: &Rig, thread: u32, threads: u32, held: u32) -> Vec<BlockRef> {
    (0..PIECE / BLOCK_LEN)
        .flat_map(|number| (0..held).map(move |piece| (piece, number)))
        .filter(|&(piece, _)| piece % threads == thread)
        .filter_map(|(piece, number)| rig.geometry.nth_block(rig.piece(piece), number))
        .collect()
}

fn write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("write 16 MiB");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(u64::from(BATCH) * u64::from(PIECE)));
    let rig = Rig::new();
    let naive = Naive::full(&rig);
    for threads in [1, 2] {
        group.bench_function(BenchmarkId::new("memcpy", threads), |bencher| {
            let copies: Vec<_> = (0..2 * BATCH)
                .map(|_| std::sync::Mutex::new(vec![0; PIECE as usize]))
                .collect();
            bencher.iter_custom(|count| {
                on_threads(threads, |thread| {
                    let own = copies.iter().skip((thread * BATCH) as usize);
                    let own = own.take(BATCH as usize);
                    for copy in (0..count).flat_map(|_| own.clone()) {
                        let mut copy = copy.lock().expect("its thread is alone with it");
                        copy.copy_from_slice(black_box(&rig.data));
                    }
                })
            });
        });
        group.bench_function(BenchmarkId::new("storage", threads), |bencher| {
            bencher.iter_custom(|count| {
                let mut time = Duration::ZERO;
                for _ in 0..count {
                    let each = |work: &dyn Fn(tailwater_metainfo::PieceIndex)| {
                        (0..threads).for_each(|thread| batch(&rig, thread).for_each(work));
                    };
                    each(&|piece| rig.reserve(piece));
                    time += on_threads(threads, |thread| {
                        batch(&rig, thread).for_each(|piece| rig.fill(piece));
                    });
                    each(&|piece| rig.release(piece));
                }
                time
            });
        });
        group.bench_function(BenchmarkId::new("naive", threads), |bencher| {
            bencher.iter_custom(|count| {
                on_threads(threads, |thread| {
                    for _ in 0..count {
                        let pieces = batch(&rig, thread);
                        for block in pieces.flat_map(|piece| rig.geometry.blocks(piece)) {
                            naive.write(block, &rig.data[..block.len() as usize]);
                        }
                    }
                })
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("1 MiB");
    group.throughput(Throughput::Bytes(u64::from(PIECE)));
    group.bench_function("sha1", |bencher| {
        bencher.iter(|| Sha1::digest(black_box(&rig.data)));
    });
    let mut next = 0;
    group.bench_function("reserve, write, hash, verify, evict", |bencher| {
        bencher.iter(|| {
            rig.put(rig.piece(next));
            next += 1;
        });
    });
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let rig = Rig::new();
    (0..HELD).for_each(|piece| rig.put(rig.piece(piece)));
    let naive = Naive::full(&rig);

    let mut group = criterion.benchmark_group("read a block");
    for threads in [1, 2] {
        let own: Vec<_> = (0..threads)
            .map(|thread| blocks(&rig, thread, 2, HELD))
            .collect();
        let each = |count: u64, read: &(dyn Fn(BlockRef) + Sync)| {
            on_threads(threads, |thread| {
                let own = own[thread as usize].iter().cycle();
                own.zip(0..count).for_each(|(&block, _)| read(block));
            })
        };
        group.bench_function(BenchmarkId::new("lease", threads), |bencher| {
            bencher.iter_custom(|count| {
                each(count, &|block| {
                    let _ = black_box(rig.storage.read(rig.handle, block));
                })
            });
        });
        group.bench_function(BenchmarkId::new("lease into bytes", threads), |bencher| {
            bencher.iter_custom(|count| {
                each(count, &|block| {
                    let lease = rig.storage.read(rig.handle, block);
                    let _ = black_box(lease.map(Lease::into_bytes));
                })
            });
        });
        group.bench_function(BenchmarkId::new("naive", threads), |bencher| {
            bencher.iter_custom(|count| {
                each(count, &|block| {
                    black_box(naive.read(block));
                })
            });
        });
    }
    group.finish();
}

/// A load of a thread: it writes a block of its own piece, and reads as many as that of other pieces.
fn mixed(criterion: &mut Criterion) {
    let rig = Rig::new();
    let held = HELD - 2;
    (0..held).for_each(|piece| rig.put(rig.piece(piece)));
    let naive = Naive::full(&rig);
    let own = |thread| rig.piece(held + thread);
    let own_reads: Vec<_> = (0..2).map(|thread| blocks(&rig, thread, 2, held)).collect();

    for reads in [1, 8] {
        let name = format!("write a block, read {reads}");
        let mut group = criterion.benchmark_group(name);
        for threads in [1, 2] {
            let each = |count: u64,
                        write: &(dyn Fn(u32, BlockRef) + Sync),
                        again: &(dyn Fn(u32) + Sync),
                        read: &(dyn Fn(BlockRef) + Sync)| {
                on_threads(threads, |thread| {
                    let mut reads_left = own_reads[thread as usize].iter().cycle();
                    let mut left = count;
                    while left > 0 {
                        again(thread);
                        for block in rig.geometry.blocks(own(thread)) {
                            if left == 0 {
                                break;
                            }
                            left -= 1;
                            write(thread, block);
                            reads_left
                                .by_ref()
                                .take(reads)
                                .for_each(|&block| read(block));
                        }
                    }
                })
            };
            group.bench_function(BenchmarkId::new("storage", threads), |bencher| {
                bencher.iter_custom(|count| {
                    each(
                        count,
                        &|_, block| rig.write_block(block),
                        &|thread| {
                            let _ = rig.storage.release(rig.handle, own(thread));
                            rig.reserve(own(thread));
                        },
                        &|block| {
                            let _ = black_box(rig.storage.read(rig.handle, block));
                        },
                    )
                });
            });
            group.bench_function(BenchmarkId::new("naive", threads), |bencher| {
                bencher.iter_custom(|count| {
                    each(
                        count,
                        &|_, block| naive.write(block, &rig.data[..block.len() as usize]),
                        &|_| {},
                        &|block| {
                            black_box(naive.read(block));
                        },
                    )
                });
            });
        }
        group.finish();
    }
}

fn room(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reserve 1 MiB with eviction, 16 times");
    group.sample_size(20);
    let rig = Rig::new();
    let naive = Naive::default();
    let mut offset = 0;
    for threads in [1, 2] {
        group.bench_function(BenchmarkId::new("storage", threads), |bencher| {
            bencher.iter_custom(|count| {
                let mut time = Duration::ZERO;
                for _ in 0..count {
                    // All held pieces can be evicted, and none is reserved next.
                    (0..HELD).for_each(|piece| rig.put(rig.piece(offset + piece)));
                    offset += HELD;
                    let pieces = |thread| {
                        let first = offset + thread * BATCH;
                        (first..first + BATCH).map(|piece| rig.piece(piece))
                    };
                    time += on_threads(threads, |thread| {
                        pieces(thread).for_each(|piece| rig.reserve(piece));
                    });
                    (0..threads).for_each(|thread| pieces(thread).for_each(|p| rig.release(p)));
                }
                time
            });
        });
        group.bench_function(BenchmarkId::new("naive", threads), |bencher| {
            let mut offset = 0;
            bencher.iter_custom(|count| {
                let mut time = Duration::ZERO;
                for _ in 0..count {
                    offset += HELD;
                    time += on_threads(threads, |thread| {
                        let first = offset + thread * BATCH;
                        let pieces = (first..first + BATCH).map(|piece| rig.piece(piece));
                        pieces.for_each(|piece| naive.reserve(piece));
                    });
                }
                time
            });
        });
    }
    group.finish();
}

/// A window of a third of what is held, which moves forward and comes back after eight moves.
fn window(criterion: &mut Criterion) {
    let rig = Rig::new();
    (0..HELD).for_each(|piece| rig.put(rig.piece(piece)));
    let moves = |thread: u32, count: u64, by: u64| {
        let reader = ReaderId::new(u64::from(thread));
        for step in 0..count {
            let window = Window {
                cursor: 4 * u64::from(PIECE) + (step % 8) * by,
                ahead: 8 * u64::from(PIECE),
                behind: 4 * u64::from(PIECE),
                bounds: 0..rig.geometry.end(),
            };
            black_box(rig.storage.set_window(rig.handle, reader, &window)).expect("it is there");
        }
    };
    for (name, by) in [("piece", PIECE), ("block", BLOCK_LEN)] {
        let mut group = criterion.benchmark_group(format!("move a window by a {name}"));
        for threads in [1, 2] {
            group.bench_function(BenchmarkId::new("storage", threads), |bencher| {
                bencher.iter_custom(|count| {
                    on_threads(threads, |thread| moves(thread, count, by.into()))
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, write, read, mixed, room, window);
criterion_main!(benches);
