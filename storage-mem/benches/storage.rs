//! What the paths of a block cost, beside the least that they could.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use sha1::{Digest, Sha1};
use tailwater_metainfo::{BLOCK_LEN, Geometry, PieceHash, PieceIndex};
use tailwater_storage_mem::{Config, Eviction, Lease, MemoryStorage, TorrentHandle, Verdict};

const PIECE: u32 = 1024 * 1024;
const PIECES: u32 = 64;

struct Bench {
    storage: MemoryStorage,
    handle: TorrentHandle,
    geometry: Geometry,
    data: Vec<u8>,
}

impl Bench {
    /// All pieces are alike, and half of them fit.
    fn new() -> Self {
        let data = vec![0x5a; PIECE as usize];
        let hash = PieceHash::new(Sha1::digest(&data).into());
        let hashes: Arc<[PieceHash]> = (0..PIECES).map(|_| hash).collect();
        let geometry = Geometry::new(u64::from(PIECE) * u64::from(PIECES), PIECE)
            .expect("the sizes are in range");
        let storage = MemoryStorage::new(
            Config::new(geometry.total() / 2).with_eviction(Eviction::LeastRecentlyRequested),
        );
        let handle = storage
            .add_torrent(geometry, hashes)
            .expect("there is room");
        Self {
            storage,
            handle,
            geometry,
            data,
        }
    }

    fn piece(&self, index: u32) -> PieceIndex {
        self.geometry
            .piece(index % PIECES)
            .expect("reduced to the number of pieces")
    }

    fn reserve(&self, piece: PieceIndex) {
        let reserved = self.storage.reserve(self.handle, piece);
        let _ = black_box(reserved).expect("others can be evicted");
    }

    fn write(&self, piece: PieceIndex) {
        for block in self.geometry.blocks(piece) {
            let data = &self.data[..block.len() as usize];
            black_box(self.storage.write_block(self.handle, block, data)).expect("it is reserved");
        }
    }

    fn verify(&self, piece: PieceIndex) {
        let verdict = self.storage.verify(self.handle, piece);
        assert_eq!(verdict, Ok(Verdict::Valid));
    }

    fn put(&self, piece: PieceIndex) {
        self.reserve(piece);
        self.write(piece);
        self.verify(piece);
    }
}

fn down(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("down");
    group.throughput(Throughput::Bytes(u64::from(PIECE)));
    let bench = Bench::new();

    let mut copy = vec![0; PIECE as usize];
    group.bench_function("memcpy", |bencher| {
        bencher.iter(|| copy.copy_from_slice(black_box(&bench.data)));
    });
    group.bench_function("sha1", |bencher| {
        bencher.iter(|| Sha1::digest(black_box(&bench.data)));
    });
    // The first block of a piece comes last, so that nothing is hashed.
    group.bench_function("write", |bencher| {
        let piece = bench.piece(0);
        bencher.iter_batched(
            || {
                let _ = bench.storage.release(bench.handle, piece);
                bench.reserve(piece);
            },
            |()| {
                for block in bench.geometry.blocks(piece).skip(1) {
                    let data = &bench.data[..block.len() as usize];
                    black_box(bench.storage.write_block(bench.handle, block, data))
                        .expect("it is reserved");
                }
            },
            BatchSize::PerIteration,
        );
        let _ = bench.storage.release(bench.handle, piece);
    });
    let mut next = 0;
    group.bench_function("reserve, write, hash, verify, evict", |bencher| {
        bencher.iter(|| {
            bench.put(bench.piece(next));
            next += 1;
        });
    });
    group.finish();
}

fn up(criterion: &mut Criterion) {
    let bench = Bench::new();
    let pieces = PIECES / 2;
    (0..pieces).for_each(|piece| bench.put(bench.piece(piece)));
    let blocks: Vec<_> = (0..PIECE / BLOCK_LEN)
        .flat_map(|number| (0..pieces).map(move |piece| (piece, number)))
        .filter_map(|(piece, number)| bench.geometry.nth_block(bench.piece(piece), number))
        .collect();

    let mut group = criterion.benchmark_group("up");
    let mut next = blocks.iter().cycle();
    group.bench_function("read lease", |bencher| {
        bencher.iter(|| {
            next.next()
                .map(|&block| bench.storage.read(bench.handle, block))
        });
    });
    group.bench_function("read lease into bytes", |bencher| {
        bencher.iter(|| {
            let lease = next.next().map(|&b| bench.storage.read(bench.handle, b));
            lease.and_then(Result::ok).map(Lease::into_bytes)
        });
    });
    group.bench_function("read lease beside another thread", |bencher| {
        bencher.iter_custom(|count| {
            let read = |skip: usize| {
                let mut own = blocks.iter().skip(skip).step_by(2).cycle();
                let begin = std::time::Instant::now();
                for _ in 0..count {
                    let _ = black_box(own.next().map(|&b| bench.storage.read(bench.handle, b)));
                }
                begin.elapsed()
            };
            std::thread::scope(|scope| {
                let other = scope.spawn(|| read(1));
                let mine = read(0);
                other.join().map_or(mine, |theirs| mine.max(theirs))
            })
        });
    });
    group.finish();
}

fn room(criterion: &mut Criterion) {
    let bench = Bench::new();
    let mut next = 0;
    criterion.bench_function("reserve 1 MiB with eviction", |bencher| {
        bencher.iter_batched(
            || {
                // The piece reserved before becomes one that can be evicted.
                let last = bench.piece(next);
                bench.put(last);
                next += 1;
                bench.piece(next)
            },
            |piece| bench.reserve(piece),
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, down, up, room);
criterion_main!(benches);
