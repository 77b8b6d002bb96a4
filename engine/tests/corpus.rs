//! The committed corpus of each fuzz target, replayed.

use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut count = 0;
    for entry in entries {
        let path = entry.and_then(|entry| std::fs::read(entry.path()));
        run(&path.unwrap_or_else(|error| panic!("{}: {error}", folder.display())));
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

#[test]
fn engine_connection() {
    replay("engine_connection", tailwater_engine::fuzz::connection);
}

#[test]
fn engine_torrent() {
    replay("engine_torrent", tailwater_engine::fuzz::torrent);
}

#[test]
fn engine_metadata() {
    replay("engine_metadata", tailwater_engine::fuzz::metadata);
}
