//! Measures the decoding of a small torrent, a large one, and a hostile one, and that of a torrent of 1 MB beside the
//! field's other crates, with ratios.

use std::time::{Duration, Instant};

use bendy::decoding::{Decoder, FromBencode, Object};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tailwater_bencode::{Item, decode, encode};

fn dict<'a>(entries: Vec<(&'a str, Item<'a>)>) -> Item<'a> {
    Item::dict(
        entries
            .into_iter()
            .map(|(key, item)| (key.as_bytes(), item)),
    )
    .expect("the keys differ")
}

fn torrent(files: i64) -> Vec<u8> {
    let files = (0..files).map(|number| {
        let path = Item::list([
            Item::from("folder"),
            Item::from(format!("file {number}.bin")),
        ]);
        dict(vec![("length", Item::Int(number * 1000)), ("path", path)])
    });
    let info = dict(vec![
        ("files", Item::list(files)),
        ("name", Item::from("a torrent")),
        ("piece length", Item::Int(262_144)),
        ("pieces", Item::from(vec![7; 20 * 40])),
    ]);
    encode(&dict(vec![
        (
            "announce",
            Item::from("http://tracker.example:6969/announce"),
        ),
        ("creation date", Item::Int(1_700_000_000)),
        ("info", info),
    ]))
}

/// 20 000 pieces and 5 000 files in 50 folders.
fn large_torrent() -> Vec<u8> {
    let files = (0..5_000).map(|number: i64| {
        let path = Item::list([
            Item::from("a folder for some of the files"),
            Item::from(format!("folder {:02}", number % 50)),
            Item::from(format!("a file of the library, number {number:04}.bin")),
        ]);
        dict(vec![("length", Item::Int(number * 1000)), ("path", path)])
    });
    let pieces: Vec<u8> = (0..20 * 20_000_u32)
        .map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    let info = dict(vec![
        ("files", Item::list(files)),
        ("name", Item::from("a library")),
        ("piece length", Item::Int(1 << 20)),
        ("pieces", Item::from(pieces)),
    ]);
    encode(&dict(vec![("info", info)]))
}

/// A crate, and whether it decodes.
type Decode = (&'static str, fn(&[u8]) -> bool);

const CRATES: [Decode; 5] = [
    ("tailwater-bencode", |input| {
        black_box(decode(black_box(input))).is_ok()
    }),
    ("bendy", |input| {
        // Its values say that they need no depth.
        let mut decoder = Decoder::new(black_box(input)).with_max_depth(16);
        let object = decoder.next_object().ok().flatten();
        let value = object.map(bendy::value::Value::decode_bencode_object);
        matches!(black_box(value), Some(Ok(_)))
    }),
    ("bendy, without keeping values", |input| {
        let mut decoder = Decoder::new(black_box(input));
        let read = decoder.next_object().map(|object| object.map(walk));
        matches!(read, Ok(Some(Ok(_))))
    }),
    ("bt_bencode", |input| {
        black_box(bt_bencode::from_slice::<bt_bencode::Value>(black_box(
            input,
        )))
        .is_ok()
    }),
    ("serde_bencode", |input| {
        let decoded = serde_bencode::from_bytes::<serde_bencode::value::Value>(black_box(input));
        black_box(decoded).is_ok()
    }),
];

/// Visits everything, and counts it.
fn walk(object: Object<'_, '_>) -> Result<usize, bendy::decoding::Error> {
    let mut count = 1;
    match object {
        Object::List(mut list) => {
            while let Some(object) = list.next_object()? {
                count += walk(object)?;
            }
        }
        Object::Dict(mut dict) => {
            while let Some((_, object)) = dict.next_pair()? {
                count += walk(object)?;
            }
        }
        Object::Integer(_) | Object::Bytes(_) => {}
    }
    Ok(count)
}

/// The crates in turns, and the ratios of their medians to ours.
#[expect(
    clippy::disallowed_methods,
    reason = "the codec has no clock, but its bench has one"
)]
fn beside(criterion: &mut Criterion) {
    const TURNS: usize = 50;
    let input = large_torrent();
    let mut group = criterion.benchmark_group("1 MB, 20 000 pieces, 5 000 files");
    group.throughput(Throughput::Bytes(
        input.len().try_into().unwrap_or(u64::MAX),
    ));
    for (name, decodes) in CRATES {
        assert!(decodes(&input), "{name}");
        group.bench_function(name, |bencher| bencher.iter(|| decodes(&input)));
    }
    group.finish();
    let mut times = CRATES.map(|_| Vec::new());
    for _ in 0..TURNS {
        for ((_, decodes), times) in CRATES.iter().zip(&mut times) {
            let began = Instant::now();
            assert!(decodes(&input));
            times.push(began.elapsed());
        }
    }
    let medians: Vec<Duration> = times
        .iter_mut()
        .map(|times| {
            times.sort_unstable();
            times[TURNS / 2]
        })
        .collect();
    for ((name, _), median) in CRATES.iter().zip(&medians) {
        let ratio = median.as_secs_f64() / medians[0].as_secs_f64();
        println!("{name}: {median:?}, {ratio:.2} of ours");
    }
}

fn benches(criterion: &mut Criterion) {
    let hostile = vec![b'l'; 1 << 20];
    for (name, input) in [
        ("small torrent", torrent(3)),
        ("10 000 files", torrent(10_000)),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(
            input.len().try_into().unwrap_or(u64::MAX),
        ));
        group.bench_function("decode", |bencher| {
            bencher.iter(|| decode(black_box(&input)).map(|document| document.token_count()));
        });
        group.finish();
    }
    criterion.bench_function("1 MiB of l", |bencher| {
        bencher.iter(|| decode(black_box(&hostile)).is_err());
    });
}

criterion_group!(decode_benches, benches, beside);
criterion_main!(decode_benches);
