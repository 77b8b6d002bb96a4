//! Replays the corpora of the fuzz targets.

use std::path::Path;

fn replay(target: &str, body: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    if !dir.exists() {
        // A packaged crate comes without the corpus.
        return;
    }
    let files = std::fs::read_dir(&dir).expect("a readable corpus");
    let mut count = 0;
    for file in files {
        let path = file.expect("a readable corpus").path();
        body(&std::fs::read(path).expect("a readable file"));
        count += 1;
    }
    assert!(count > 0, "{target} has no corpus");
}

#[test]
fn wire_messages() {
    replay("wire_messages", tailwater_wire::fuzz::messages);
}

#[test]
fn wire_extension() {
    replay("wire_extension", tailwater_wire::fuzz::extension);
}

#[test]
fn wire_handshake() {
    replay("wire_handshake", tailwater_wire::fuzz::handshake);
}

#[test]
fn wire_lsd() {
    replay("wire_lsd", tailwater_wire::fuzz::lsd);
}

#[test]
fn wire_mse() {
    replay("wire_mse", tailwater_wire::fuzz::mse);
}
