//! The fuzz corpora keep passing without a fuzzer.

fn replay(target: &str, body: fn(&[u8])) {
    let folder = format!("{}/../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    // The published package does not carry the corpus.
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("the folder can be listed").path();
        body(&std::fs::read(path).expect("the file can be read"));
    }
}

#[test]
fn the_torrent_corpus_passes() {
    replay("metainfo_torrent", tailwater_metainfo::fuzz::torrent);
}

#[test]
fn the_hashes_corpus_passes() {
    replay("metainfo_hashes", tailwater_metainfo::fuzz::hashes);
}

#[test]
fn the_magnet_corpus_passes() {
    replay("metainfo_magnet", tailwater_metainfo::fuzz::magnet);
}
