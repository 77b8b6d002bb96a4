//! Measures the decoding of a small torrent, a large one, and a hostile one.

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

criterion_group!(decode_benches, benches);
criterion_main!(decode_benches);
