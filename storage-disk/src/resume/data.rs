//! The format of resume data.
//!
//! One bencoded file for each torrent and download folder, in a folder of the session's, named by info-hash and folder
//! and replaced as a whole: the same torrent in two folders has two.
//!
//! | key | value |
//! |---|---|
//! | `by-sha1` | in the form of `have`, the pieces of a hybrid torrent that were verified before the hashes of their trees were known; not there in older ones |
//! | `downloaded`, `uploaded` | bytes over all runs |
//! | `files` | for each file, and at last the parts file, a list of length and time of change, empty where there is none |
//! | `format` | 2 |
//! | `have` | the verified pieces, as in a `bitfield` message (BEP 3) |
//! | `info-hash` | 20 bytes |
//! | `root` | the download folder, absolute and without links |
//! | `top` | the torrent's file, or the folder that holds its files, below the download folder |
//! | `unsynced` | in place of `have` when the device did not hold all of them yet; not there in older ones |

use crate::layout::names::{part_name, parts_name};
use crate::system::metadata::FileState;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha1::{Digest, Sha1};
use tailwater_bencode::{Dict, Item, Value, decode, encode};
use tailwater_metainfo::InfoHash;
use tailwater_metainfo::limits::MAX_PIECES;

/// The version of the format. The first one did not know the download folder.
const FORMAT: i64 = 2;

/// Bytes of the folder's hash in a file name: enough that two folders of one torrent do not collide.
const ROOT_HASH_LEN: usize = 8;

/// The key of resume data: a torrent and its download folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResumeKey {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The canonical path of the download folder, as the system encodes it.
    root: Box<[u8]>,
}

impl ResumeKey {
    /// The folder has to be canonical: see [`canonical`](crate::claims::paths::canonical).
    pub(crate) fn new(info_hash: InfoHash, root: &Path) -> Self {
        Self {
            info_hash,
            root: root.as_os_str().as_encoded_bytes().into(),
        }
    }

    pub(super) fn file_name(&self) -> String {
        let hash = Sha1::digest(&self.root);
        let folder = HEXLOWER.encode(&hash[..ROOT_HASH_LEN]);
        format!("{}-{folder}.resume", self.info_hash)
    }
}

/// The resume data of one torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResumeData {
    /// Which torrent, and where.
    pub(crate) key: ResumeKey,
    /// The first part of its files' paths below the download folder, as the system encodes it.
    pub top: Vec<u8>,
    /// The verified pieces, as the payload of a `bitfield` message.
    pub have: Vec<u8>,
    /// In the same form, those that were verified though the device may not have held them yet: they have to be checked,
    /// but the files that have them were the torrent's. Empty when `have` is not.
    pub unsynced: Vec<u8>,
    /// In the same form, the pieces of a hybrid torrent that were verified by their SHA-1 alone. Empty if there are none.
    pub by_sha1: Vec<u8>,
    /// The files as they were, as [`DiskTorrent::file_states`](crate::torrent::DiskTorrent::file_states) tells.
    pub(crate) files: Vec<Option<FileState>>,
    /// Bytes sent over all runs.
    pub uploaded: u64,
    /// Bytes received over all runs.
    pub downloaded: u64,
}

impl ResumeData {
    /// The content of a resume file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let int = |number: u64| Item::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let files = self.files.iter().map(|file| {
            let fields = file.map(|file| [int(file.len), Item::Int(file.mtime_ns)]);
            Item::List(fields.into_iter().flatten().collect())
        });
        let entries: [(&[u8], Item<'_>); 10] = [
            (b"by-sha1", Item::bytes(&self.by_sha1)),
            (b"downloaded", int(self.downloaded)),
            (b"files", Item::List(files.collect())),
            (b"format", Item::Int(FORMAT)),
            (b"have", Item::bytes(&self.have)),
            (b"info-hash", Item::bytes(&self.key.info_hash)),
            (b"root", Item::bytes(&self.key.root)),
            (b"top", Item::bytes(&self.top)),
            (b"unsynced", Item::bytes(&self.unsynced)),
            (b"uploaded", int(self.uploaded)),
        ];
        let entries = entries.map(|(key, item)| (Cow::Borrowed(key), item));
        encode(&Item::Dict(BTreeMap::from(entries)))
    }

    /// The paths at which files of the torrent may be; `None` where the paths cannot be known.
    pub(crate) fn places(&self) -> Option<Vec<PathBuf>> {
        let root = path_of(&self.key.root)?;
        let top = root.join(path_of(&self.top)?);
        let parts = root.join(parts_name(self.key.info_hash));
        Some(vec![part_name(&top), top, parts])
    }

    /// Reads the content of a resume file.
    ///
    /// # Errors
    ///
    /// With the reason, when it is not one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let document = decode(bytes).map_err(|error| error.to_string())?;
        let dict = document.root().as_dict().ok_or("not a dictionary")?;
        if int(dict, "format")? != FORMAT {
            return Err("unknown format".to_owned());
        }
        let info_hash = bytes_of(dict, "info-hash")?;
        let info_hash = <[u8; 20]>::try_from(info_hash).map_err(|_| "info-hash is not 20 bytes")?;
        let have = bytes_of(dict, "have")?;
        let unsynced = dict.get_bytes("unsynced").unwrap_or_default();
        let by_sha1 = dict.get_bytes("by-sha1").unwrap_or_default();
        if [have, unsynced, by_sha1].into_iter().any(is_too_long) {
            return Err("have is too long".to_owned());
        }
        let files = dict
            .get("files")
            .and_then(Value::as_list)
            .ok_or("no files")?;
        let files = files.iter().map(file_state).collect::<Option<_>>();
        Ok(Self {
            key: ResumeKey {
                info_hash: InfoHash::new(info_hash),
                root: bytes_of(dict, "root")?.into(),
            },
            top: bytes_of(dict, "top")?.to_vec(),
            have: have.to_vec(),
            unsynced: unsynced.to_vec(),
            by_sha1: by_sha1.to_vec(),
            files: files.ok_or("files has an odd entry")?,
            uploaded: count(dict, "uploaded")?,
            downloaded: count(dict, "downloaded")?,
        })
    }
}

/// Whether it has more bits than a torrent has pieces.
fn is_too_long(bitfield: &[u8]) -> bool {
    u64::try_from(bitfield.len()).map_or(true, |len| len > u64::from(MAX_PIECES.div_ceil(8)))
}

fn int(dict: Dict<'_, '_>, key: &str) -> Result<i64, String> {
    dict.get_int(key).ok_or_else(|| format!("no {key}"))
}

fn count(dict: Dict<'_, '_>, key: &str) -> Result<u64, String> {
    u64::try_from(int(dict, key)?).map_err(|_| format!("{key} is negative"))
}

fn bytes_of<'a>(dict: Dict<'_, 'a>, key: &str) -> Result<&'a [u8], String> {
    dict.get_bytes(key).ok_or_else(|| format!("no {key}"))
}

fn file_state(value: Value<'_, '_>) -> Option<Option<FileState>> {
    let mut fields = value.as_list()?.iter().map(Value::as_int);
    match (fields.next(), fields.next(), fields.next()) {
        (None, ..) => Some(None),
        (Some(len), Some(mtime_ns), None) => Some(Some(FileState {
            len: u64::try_from(len?).ok()?,
            mtime_ns: mtime_ns?,
        })),
        _ => None,
    }
}

#[cfg(unix)]
fn path_of(encoded: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(Path::new(std::ffi::OsStr::from_bytes(encoded)).to_path_buf())
}

#[cfg(not(unix))]
fn path_of(encoded: &[u8]) -> Option<PathBuf> {
    Some(Path::new(std::str::from_utf8(encoded).ok()?).to_path_buf())
}
