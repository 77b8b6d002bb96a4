//! Torrents that libtorrent 2.1 made, and what it says of them.

use tailwater_metainfo::merkle::{piece_layer_height, root};
use tailwater_metainfo::{Info, Metainfo};

/// Path, length, offset, pad.
type File = (&'static str, u64, u64, bool);

struct Vector {
    torrent: &'static [u8],
    v1: Option<&'static str>,
    v2: Option<&'static str>,
    pieces: u32,
    files: &'static [File],
}

const VECTORS: &[Vector] = &[
    Vector {
        torrent: include_bytes!("data/v1-folder.torrent"),
        v1: Some("04557dec8afddc2de89ec483aafe2c571c5022ab"),
        v2: None,
        pieces: 10,
        files: &[
            ("folder/a.bin", 40_000, 0, false),
            ("folder/empty", 0, 40_000, false),
            ("folder/z.txt", 5, 40_000, false),
            ("folder/sub/b.bin", 16_384, 40_005, false),
            ("folder/sub/c.bin", 100_000, 56_389, false),
        ],
    },
    Vector {
        torrent: include_bytes!("data/v2-folder.torrent"),
        v1: None,
        v2: Some("0a62c615f63b8f0a35fee4610e0e8f179eb34fe269d9e1f59b041d0a2d70d3fb"),
        pieces: 12,
        // The gaps, which libtorrent shows as pad files, belong to no file here; an empty file lies at the next byte.
        files: &[
            ("folder/a.bin", 40_000, 0, false),
            ("folder/empty", 0, 40_000, false),
            ("folder/sub/b.bin", 16_384, 49_152, false),
            ("folder/sub/c.bin", 100_000, 65_536, false),
            ("folder/z.txt", 5, 180_224, false),
        ],
    },
    Vector {
        torrent: include_bytes!("data/hybrid-folder.torrent"),
        v1: Some("9f6336ed97d3dc86cfe290814106f97cc72bf137"),
        v2: Some("faa176cfd76e6c7c4f8ddfaf7e80eb523b7718d175779219f29f73ff232d27f0"),
        pieces: 12,
        files: &[
            ("folder/a.bin", 40_000, 0, false),
            ("folder/.pad/9152", 9_152, 40_000, true),
            ("folder/empty", 0, 49_152, false),
            ("folder/sub/b.bin", 16_384, 49_152, false),
            ("folder/sub/c.bin", 100_000, 65_536, false),
            ("folder/.pad/14688", 14_688, 165_536, true),
            ("folder/z.txt", 5, 180_224, false),
            ("folder/.pad/16379", 16_379, 180_229, true),
        ],
    },
    Vector {
        torrent: include_bytes!("data/v1-file.torrent"),
        v1: Some("91f266ff2dd16bfb0671e816800c76f0a2434564"),
        v2: None,
        pieces: 5,
        files: &[("one.bin", 70_001, 0, false)],
    },
    Vector {
        torrent: include_bytes!("data/v2-file.torrent"),
        v1: None,
        v2: Some("bf88ea867d9eb213e3596c5ad3ecb1540760c727aa0fef98c8dbce2d3abc2f08"),
        pieces: 5,
        files: &[("one.bin", 70_001, 0, false)],
    },
    Vector {
        torrent: include_bytes!("data/hybrid-file.torrent"),
        v1: Some("802e11767fc4f3f25b77cd0ec1727472b03ce39a"),
        v2: Some("f3f840fbab09329403113acd9c2bd14c034696fa8d57c94dd1aebf406617717f"),
        pieces: 5,
        files: &[("one.bin", 70_001, 0, false)],
    },
];

#[test]
fn files_hashes_and_pieces_agree() {
    for vector in VECTORS {
        let metainfo = Metainfo::from_bytes(vector.torrent).unwrap();
        let info = metainfo.info();
        assert_eq!(metainfo.warnings(), []);
        let hashes = info.info_hashes();
        assert_eq!(hashes.v1.map(|hash| hash.to_string()).as_deref(), vector.v1);
        assert_eq!(hashes.v2.map(|hash| hash.to_string()).as_deref(), vector.v2);
        assert_eq!(info.geometry().piece_count(), vector.pieces);
        let files: Vec<_> = info
            .files()
            .iter()
            .map(|file| {
                (
                    file.path().as_str(),
                    file.length(),
                    file.offset(),
                    file.is_pad(),
                )
            })
            .collect();
        assert_eq!(files, vector.files);
        assert_eq!(info.is_multi_file(), vector.files.len() > 1);
        assert!(
            info.geometry()
                .pieces()
                .all(|piece| info.piece_hash(piece).is_some() == vector.v1.is_some())
        );
        assert_eq!(
            metainfo.trackers(),
            [
                ["http://a.example/announce"],
                ["udp://b.example:1/announce"]
            ]
        );
        assert_eq!(metainfo.web_seeds(), ["http://seed.example/"]);
        assert_eq!(metainfo.comment(), Some("a comment"));
        assert_eq!(metainfo.created_by(), Some("libtorrent"));
        assert_eq!(Info::from_bytes(info.raw()).as_ref(), Ok(info));
    }
}

#[test]
fn the_magnet_names_what_libtorrent_names() {
    let metainfo = Metainfo::from_bytes(VECTORS[2].torrent).unwrap();
    assert_eq!(
        metainfo.magnet().to_string(),
        "magnet:?xt=urn:btih:9f6336ed97d3dc86cfe290814106f97cc72bf137\
         &xt=urn:btmh:1220faa176cfd76e6c7c4f8ddfaf7e80eb523b7718d175779219f29f73ff232d27f0&dn=folder\
         &tr=http%3A%2F%2Fa.example%2Fannounce&tr=udp%3A%2F%2Fb.example%3A1%2Fannounce&ws=http%3A%2F%2Fseed.example%2F"
    );
}

#[test]
fn piece_layers_are_kept_for_files_of_several_pieces() {
    for vector in VECTORS.iter().filter(|vector| vector.v2.is_some()) {
        let metainfo = Metainfo::from_bytes(vector.torrent).unwrap();
        let piece_length = metainfo.info().geometry().piece_length();
        for file in metainfo.info().files() {
            let has_root = file.length() > 0 && !file.is_pad();
            assert_eq!(file.pieces_root().is_some(), has_root);
            let layer = metainfo.piece_layer(file);
            assert_eq!(
                layer.is_some(),
                has_root && file.length() > u64::from(piece_length)
            );
            if let Some(layer) = layer {
                assert_eq!(
                    layer.len() as u64,
                    file.length().div_ceil(u64::from(piece_length))
                );
                let hashed = root(layer.iter().copied(), piece_layer_height(piece_length));
                assert_eq!(hashed, file.pieces_root());
            }
        }
    }
}

#[test]
fn every_truncation_and_every_flipped_byte_is_survived() {
    for vector in VECTORS {
        for at in 0..vector.torrent.len() {
            assert!(Metainfo::from_bytes(&vector.torrent[..at]).is_err());
            let mut damaged = vector.torrent.to_vec();
            damaged[at] ^= 0x01;
            if let Ok(metainfo) = Metainfo::from_bytes(&damaged) {
                let whole = Metainfo::from_bytes(vector.torrent).unwrap();
                let is_same_info = metainfo.info().raw() == whole.info().raw();
                assert_eq!(
                    metainfo.info().info_hashes() == whole.info().info_hashes(),
                    is_same_info
                );
            }
        }
    }
}
