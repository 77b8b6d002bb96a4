//! Bodies of the fuzz targets: they assert what must hold for any input.

use crate::merkle::{HashRange, Layer, MAX_HASHES, block_hash, piece_layer_height, root};
use crate::{BLOCK_LEN, Info, Limits, Magnet, MerkleHash, Metainfo, MetainfoError};
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

/// Asks a layer of hashes for what `data` says, and lets another that knows nothing learn what `data` says. A request has an
/// answer of the length that it names, or none; nothing is learned but what is true.
///
/// # Panics
///
/// When that does not hold.
pub fn hashes(data: &[u8]) {
    let Some((&[count, more, height], mut rest)) = data.split_first_chunk::<3>() else {
        return;
    };
    let piece_length = BLOCK_LEN << (height % 4);
    let base = piece_layer_height(piece_length);
    let count = 2 + u32::from(count) + 256 * u32::from(more % 8);
    let hashes: Vec<_> = (0..count)
        .map(|number| block_hash(&number.to_be_bytes()))
        .collect();
    let Some(root) = root(hashes.iter().copied(), base) else {
        return;
    };
    let len = u64::from(count) * u64::from(piece_length);
    let whole =
        Layer::whole(root, len, piece_length, &hashes).expect("it is the layer of its root");
    let learning = Layer::unknown(root, len, piece_length);
    let mut learned = 0;
    while let Some((step, after)) = rest.split_first_chunk::<8>() {
        rest = after;
        let range = HashRange {
            base: u32::from(step[0]),
            index: u32::from(u16::from_be_bytes([step[1], step[2]])),
            length: u32::from(u16::from_be_bytes([step[3], step[4]])),
            proof_layers: u32::from(step[5]),
        };
        if let Some(answer) = whole.serve(range) {
            assert_eq!(u32::try_from(answer.len()), Ok(range.answer_len()));
        }
        let missing: Vec<_> = learning.missing().map(|(range, _)| range).collect();
        let asked = missing.get(usize::from(step[6])).copied().unwrap_or(range);
        let mut answer = whole.serve(asked).unwrap_or_else(|| hashes.clone());
        let at = usize::from(step[7]);
        let is_true = answer.get(at).is_none();
        if let Some(hash) = answer.get_mut(at) {
            *hash = MerkleHash::new([step[7]; 32]);
        }
        if let Some(pieces) = learning.accept(asked, &answer) {
            assert!(is_true && missing.contains(&asked) || learning.serve(asked).is_some());
            learned += pieces.len();
        }
        for number in 0..count {
            let found = learning.get(number);
            assert!(found.is_none() || found == hashes.get(number as usize).copied());
        }
        if learned == 0 {
            assert!(learning.serve(range).is_none());
        }
    }
    assert!(
        learning
            .missing()
            .all(|(range, _)| range.length <= MAX_HASHES)
    );
}
