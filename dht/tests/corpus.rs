//! The fuzz corpus keeps passing without a fuzzer.

#[test]
fn dht_krpc() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/dht_krpc");
    // The published package does not carry the corpus.
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut count = 0;
    for entry in entries {
        tailwater_dht::fuzz::krpc(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert_ne!(count, 0, "an empty corpus");
}
