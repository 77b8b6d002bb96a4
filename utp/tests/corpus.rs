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
fn utp_packet() {
    replay("utp_packet", tailwater_utp::fuzz::packet);
}

#[test]
fn utp_endpoint() {
    replay("utp_endpoint", tailwater_utp::fuzz::endpoint);
}

/// Where no fuzzer runs, random steps are better than none.
#[test]
fn random_steps() {
    let mut rng = fastrand::Rng::with_seed(29);
    for _ in 0..3_000 {
        let len = rng.usize(..600);
        let steps: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(len).collect();
        tailwater_utp::fuzz::endpoint(&steps);
        tailwater_utp::fuzz::packet(&steps);
    }
}
