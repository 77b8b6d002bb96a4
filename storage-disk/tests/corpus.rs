//! Replays the corpus of the fuzz target.

use std::path::Path;

#[test]
fn storage_disk_resume() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/storage_disk_resume");
    if !dir.exists() {
        // A packaged crate comes without the corpus.
        return;
    }
    let mut count = 0;
    for file in std::fs::read_dir(&dir).expect("a readable corpus") {
        let path = file.expect("a readable corpus").path();
        tailwater_storage_disk::fuzz::resume(&std::fs::read(path).expect("a readable file"));
        count += 1;
    }
    assert!(count > 0, "{} is empty", dir.display());
}
