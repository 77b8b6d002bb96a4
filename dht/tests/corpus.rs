//! The fuzz corpus keeps passing without a fuzzer.

fn replay(target: &str, body: impl Fn(&[u8])) {
    let folder = format!("{}/../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    // The published package does not carry the corpus.
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut count = 0;
    for entry in entries {
        let path = entry.expect("readable").path();
        body(&std::fs::read(path).expect("readable"));
        count += 1;
    }
    assert_ne!(count, 0, "an empty corpus");
}

#[test]
fn dht_krpc() {
    replay("dht_krpc", tailwater_dht::fuzz::krpc);
}

#[test]
fn dht_node() {
    replay("dht_node", tailwater_dht::fuzz::node);
}

#[test]
fn dht_saved() {
    replay("dht_saved", tailwater_dht::fuzz::saved);
}
