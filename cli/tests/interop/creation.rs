//! Torrents of random folders have the info-hashes that libtorrent gives them.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::{enabled, libtorrent, ours};

/// Each makes a folder; a failure names its seed.
const SEEDS: std::ops::Range<u64> = 0..14;
/// Their order by bytes differs from that of paths with slashes, from that of words, and between upper and lower case.
const NAMES: [&str; 14] = [
    "x", "x.txt", "x-1", "x y", "x+", "X", "a", "B", "0", "10", "9", "é", "_z", "日本",
];
/// Around the ends of blocks and pieces.
const LENGTHS: [usize; 9] = [
    0, 1, 16_383, 16_384, 16_385, 32_768, 65_537, 98_304, 150_001,
];

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let word = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(word).unwrap() % end
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len)
            .map(|_| u8::try_from(self.below(256)).unwrap())
            .collect()
    }
}

/// Fills a folder; the paths below it, of which links may be made later.
fn fill(random: &mut Random, folder: &Path, depth: usize, made: &mut Vec<PathBuf>) {
    let count = 1 + random.below(6);
    for _ in 0..count {
        let path = folder.join(NAMES[random.below(NAMES.len())]);
        if path.exists() {
            continue;
        }
        if depth > 0 && random.below(3) == 0 {
            fs::create_dir(&path).unwrap();
            fill(random, &path, depth - 1, made);
        } else {
            let len = LENGTHS[random.below(LENGTHS.len())];
            fs::write(&path, random.bytes(len)).unwrap();
            let mode = [0o644, 0o644, 0o755][random.below(3)];
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        made.push(path);
    }
}

/// Makes links to what there is, to what there is not, and out of the folder.
fn link(random: &mut Random, root: &Path, made: &[PathBuf]) {
    for number in 0..4 {
        let beside = &made[random.below(made.len())];
        let path = beside.with_file_name(format!("link-{number}"));
        let depth = path.strip_prefix(root).unwrap().components().count() - 1;
        let up = "../".repeat(depth);
        let inside = made[random.below(made.len())].strip_prefix(root).unwrap();
        let target = match random.below(5) {
            0 => PathBuf::from(format!("{up}missing")),
            1 => PathBuf::from(format!("{up}../outside")),
            _ => Path::new(&format!("./{up}")).join(inside),
        };
        symlink(target, path).unwrap();
    }
}

#[test]
fn random_folders_have_the_info_hashes_that_libtorrent_gives_them() {
    if !enabled() {
        return;
    }
    let (mut compared, mut refused) = (0, 0);
    for seed in SEEDS {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("folder");
        fs::create_dir(&root).unwrap();
        let mut random = Random(0x9e37_79b9 + seed);
        let mut made = Vec::new();
        fill(&mut random, &root, 3, &mut made);
        fs::write(root.join("at least one"), random.bytes(5)).unwrap();
        let keeps_links = seed % 2 == 1;
        if keeps_links {
            link(&mut random, &root, &made);
        }
        let piece_kib = [16, 32, 64][random.below(3)];
        let symlinks = if keeps_links { "keep" } else { "follow" };
        let versions: [&[&str]; 3] = [&[], &["--v2"], &["--hybrid"]];
        for (options, theirs) in versions
            .iter()
            .zip(libtorrent::hashes(&root, piece_kib, symlinks))
        {
            let torrent = dir.path().join("ours.torrent");
            let more: &[&str] = match keeps_links {
                true => &["--force", "--keep-symlinks", "--skip-unreadable"],
                false => &["--force"],
            };
            ours::create_with(&root, &torrent, piece_kib, &[options, more].concat());
            // It puts `x.txt` before the files of the folder `x` in the v1 list of a hybrid and behind them in the v2
            // tree, and then refuses what it has made. Ours it reads.
            if theirs["is_read"] == true {
                compared += 1;
                let ours = ours::inspect(&torrent);
                for hash in ["info_hash_v1", "info_hash_v2"] {
                    assert_eq!(ours[hash], theirs[hash], "seed {seed}: {theirs}");
                }
            } else {
                refused += 1;
                assert_eq!(theirs["version"], "hybrid", "seed {seed}");
            }
            let read = libtorrent::inspect(&torrent);
            assert_eq!(
                read["info_hash_v2"],
                ours::inspect(&torrent)["info_hash_v2"]
            );
        }
    }
    assert!(
        compared > 2 * refused,
        "{compared} compared, {refused} refused"
    );
}
