//! A large .torrent file.

use std::hint::black_box;

use tailwater_metainfo::Metainfo;

use crate::Run;

const PIECES: usize = 20_000;
const FILES: usize = 5_000;
const PIECE_LENGTH: usize = 1 << 20;

/// Decodes a .torrent of 0.6 MB: 20 000 pieces, 5 000 files in 50 folders.
pub(crate) fn decode() -> Run {
    let torrent = torrent();
    Box::new(move || {
        let decoded = Metainfo::from_bytes(black_box(&torrent)).expect("it is valid");
        assert_eq!(decoded.info().files().len(), FILES);
        Box::new(decoded)
    })
}

fn torrent() -> Vec<u8> {
    let length = PIECES * PIECE_LENGTH / FILES;
    let mut files = String::new();
    for number in 0..FILES {
        let (folder, file) = (
            format!("folder {:02}", number % 50),
            format!("file {number:04}.bin"),
        );
        files += &format!(
            "d6:lengthi{length}e4:pathl{}:{folder}{}:{file}ee",
            folder.len(),
            file.len()
        );
    }
    let tracker = "http://tracker.example/announce";
    let mut torrent = format!(
        "d8:announce{}:{tracker}4:infod5:filesl{files}e4:name7:library12:piece lengthi{PIECE_LENGTH}e6:pieces{}:",
        tracker.len(),
        PIECES * 20
    )
    .into_bytes();
    let mut random = fastrand::Rng::with_seed(1);
    torrent.extend((0..PIECES * 20).map(|_| random.u8(..)));
    torrent.extend_from_slice(b"ee");
    torrent
}
