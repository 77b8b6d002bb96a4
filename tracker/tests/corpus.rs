//! The fuzz corpora keep passing without a fuzzer.

#![expect(clippy::unwrap_used, reason = "a failing helper fails its test")]

fn replay(target: &str, body: fn(&[u8])) {
    let folder = format!("{}/../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    // The published package does not carry the corpora.
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        body(&std::fs::read(entry.unwrap().path()).unwrap());
    }
}

#[test]
fn http_answers() {
    replay(
        "tracker_http_response",
        tailwater_tracker::fuzz::http_response,
    );
}

#[test]
fn udp_packets() {
    replay("tracker_udp", tailwater_tracker::fuzz::udp);
}
