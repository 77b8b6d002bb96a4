//! Payloads that are the same in every run, and their comparison by hash.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use sha1::{Digest, Sha1};

/// What a torrent is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// The name of its file or folder.
    pub(crate) name: &'static str,
    pub(crate) piece_kib: u64,
    pub(crate) content: Content,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// One file of this many bytes.
    File(u64),
    /// A folder with this many files, whose sizes begin at 0 bytes.
    Folder(u64),
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

pub(crate) const ONE_FILE: Shape = Shape {
    name: "one file.bin",
    piece_kib: 256,
    content: Content::File(6 * MIB + 12_345),
};
pub(crate) const MANY_FILES: Shape = Shape {
    name: "three hundred",
    piece_kib: 64,
    content: Content::Folder(300),
};
pub(crate) const LAST_PIECE_OF_1_BYTE: Shape = Shape {
    name: "one-more.bin",
    piece_kib: 128,
    content: Content::File(3 * MIB + 1),
};
pub(crate) const PIECES_OF_16_KIB: Shape = Shape {
    name: "small-pieces.bin",
    piece_kib: 16,
    content: Content::File(5 * MIB + 17),
};
pub(crate) const PIECES_OF_16_MIB: Shape = Shape {
    name: "large-pieces.bin",
    piece_kib: 16 * KIB,
    content: Content::File(40 * MIB + 77),
};

impl Shape {
    /// Makes the payload below `dir`.
    pub(crate) fn make(&self, dir: &Path) {
        let path = dir.join(self.name);
        match self.content {
            Content::File(length) => write(&path, length, 1),
            Content::Folder(count) => {
                for index in 0..count {
                    // Quadratic, so that empty files, files within a block and files over many pieces all occur.
                    let length = match index % 10 {
                        0 => 0,
                        _ => index * index * 3 / 2,
                    };
                    let folder = path.join(format!("part {}", index / 50));
                    fs::create_dir_all(&folder).unwrap();
                    write(
                        &folder.join(format!("file-{index:03}-é.bin")),
                        length,
                        index + 2,
                    );
                }
            }
        }
    }
}

/// Writes `length` bytes that follow from `seed` (xorshift64*).
fn write(path: &Path, length: u64, seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = length.div_ceil(8);
    let mut bytes = Vec::with_capacity(usize::try_from(words * 8).unwrap());
    for _ in 0..words {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(usize::try_from(length).unwrap());
    File::create(path).unwrap().write_all(&bytes).unwrap();
}

/// The SHA-1 of every file below `dir`, by path.
pub(crate) fn hashes(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(dir, dir, &mut found);
    found
}

fn collect(root: &Path, dir: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
            continue;
        }
        let hash = Sha1::digest(fs::read(&path).unwrap());
        let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        found.insert(name.to_owned(), hash);
    }
}
