//! Bodies of the fuzz targets: they assert what must hold for any input.

use crate::{Info, Limits, Magnet, Metainfo, MetainfoError};
use std::collections::HashSet;
use std::path::Path;

/// Reads `data` as a .torrent file and as an info dictionary, and checks the promises about the result.
///
/// # Panics
///
/// When a promise is broken.
pub fn torrent(data: &[u8]) {
    match Metainfo::from_bytes(data) {
        Ok(metainfo) => {
            check_info(metainfo.info());
            assert!(metainfo.warnings().len() <= Limits::default().warnings + 1);
            assert!(metainfo.trackers().iter().all(|tier| !tier.is_empty()));
            let raw = metainfo.info().raw();
            assert!(data.windows(raw.len()).any(|window| window == raw));
            let alone = Info::from_bytes(raw).expect("an info dictionary also stands alone");
            assert_eq!(alone.info_hashes(), metainfo.info().info_hashes());
            assert_eq!(alone.files(), metainfo.info().files());
            let link = metainfo.magnet().to_string();
            if let Ok(magnet) = link.parse::<Magnet>() {
                assert_eq!(magnet.hashes, metainfo.info().info_hashes());
            }
        }
        Err(MetainfoError::Field { offset, .. }) => assert!(offset <= data.len()),
        Err(_) => {}
    }
    if let Ok(info) = Info::from_bytes(data) {
        check_info(&info);
    }
}

fn check_info(info: &Info) {
    let hashes = info.info_hashes();
    assert!(hashes.wire().is_some());
    let geometry = info.geometry();
    assert!(
        geometry
            .pieces()
            .all(|piece| info.piece_hash(piece).is_some() == hashes.v1.is_some())
    );
    let folder = Path::new("folder");
    let mut end = 0;
    let mut paths = HashSet::new();
    for file in info.files() {
        assert!(file.range().start >= end && file.range().end <= geometry.end());
        end = file.range().end;
        let path = file.path().under(folder);
        assert!(path.starts_with(folder));
        assert_eq!(
            path.components().count(),
            file.path().components().count() + 1
        );
        assert!(
            file.path()
                .components()
                .all(|name| !matches!(name, "" | "." | ".."))
        );
        assert_eq!(file.path().components().next(), Some(info.name()));
        assert!(file.is_pad() || paths.insert(fold(file.path().as_str())));
        assert_eq!(
            hashes.v2.is_some() && file.length() > 0 && !file.is_pad(),
            file.pieces_root().is_some()
        );
    }
    assert_eq!(end, geometry.end());
    for file in info.files().iter().filter(|file| !file.is_pad()) {
        let name = fold(file.path().as_str());
        assert!(
            name.match_indices('/')
                .all(|(at, _)| !paths.contains(&name[..at]))
        );
    }
}

fn fold(path: &str) -> String {
    let upper = path.chars().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).collect()
}

/// Reads `data` as a magnet link; its written form reads the same.
///
/// # Panics
///
/// When it does not.
pub fn magnet(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(magnet) = text.parse::<Magnet>() {
        let again = magnet.to_string();
        // Percent coding may triple a link that was just short enough.
        if again.len() <= crate::limits::MAX_MAGNET_LEN {
            assert_eq!(again.parse(), Ok(magnet));
        }
    }
}
