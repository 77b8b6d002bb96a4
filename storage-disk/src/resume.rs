//! Resume data: what is saved of a torrent between two runs.
//!
//! One bencoded file for each torrent and download folder, in a folder of the session's, named by info-hash and folder
//! and replaced as a whole: the same torrent in two folders has two.
//!
//! | key | value |
//! |---|---|
//! | `downloaded`, `uploaded` | bytes over all runs |
//! | `files` | for each file, and at last the parts file, a list of length and time of change, empty where there is none |
//! | `format` | 2 |
//! | `have` | the verified pieces, as in a `bitfield` message (BEP 3) |
//! | `info-hash` | 20 bytes |
//! | `root` | the download folder, absolute and without links |
//! | `top` | the torrent's file, or the folder that holds its files, below the download folder |
//! | `unsynced` | in place of `have` when the device did not hold all of them yet; not there in older ones |

use super::cleaning::UNFINISHED;
use super::folders::FileState;
use super::names::part_name;
use super::pool::IoPool;
use super::store::parts_name;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tailwater_storage::{Operation, StorageError};

use sha1::{Digest, Sha1};
use tailwater_bencode::{Dict, Item, Value, decode, encode};
use tailwater_metainfo::{InfoHash, MAX_PIECES};

/// The largest resume file that is read, in bytes. Each file of a torrent takes about 35 bytes, so this is enough for
/// more files than a .torrent can list.
pub(crate) const MAX_RESUME_LEN: u64 = 32 * 1024 * 1024;

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
    /// The folder has to be canonical: see [`canonical`](super::paths::canonical).
    pub(crate) fn new(info_hash: InfoHash, root: &Path) -> Self {
        Self {
            info_hash,
            root: root.as_os_str().as_encoded_bytes().into(),
        }
    }

    fn file_name(&self) -> String {
        let hash = Sha1::digest(&self.root);
        let mut name = format!("{}-", self.info_hash);
        for byte in &hash[..ROOT_HASH_LEN] {
            name.push_str(&format!("{byte:02x}"));
        }
        name + ".resume"
    }
}

/// The resume data of one torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeData {
    /// Which torrent, and where.
    pub(crate) key: ResumeKey,
    /// The first part of its files' paths below the download folder, as the system encodes it.
    pub top: Vec<u8>,
    /// The verified pieces, as the payload of a `bitfield` message.
    pub have: Vec<u8>,
    /// In the same form, those that were verified though the device may not have held them yet: they have to be checked,
    /// but the files that have them were the torrent's. Empty when `have` is not.
    pub unsynced: Vec<u8>,
    /// The files as they were, as [`DiskTorrent::file_states`](super::torrent::DiskTorrent::file_states) tells.
    pub(crate) files: Vec<Option<FileState>>,
    /// Bytes sent over all runs.
    pub uploaded: u64,
    /// Bytes received over all runs.
    pub downloaded: u64,
}

impl ResumeData {
    /// The content of a resume file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let int = |number: u64| Item::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let files = self.files.iter().map(|file| {
            let fields = file.map(|file| [int(file.len), Item::Int(file.mtime_ns)]);
            Item::List(fields.into_iter().flatten().collect())
        });
        let entries: [(&[u8], Item<'_>); 9] = [
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
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let document = decode(bytes).map_err(|error| error.to_string())?;
        let dict = document.root().as_dict().ok_or("not a dictionary")?;
        if int(dict, "format")? != FORMAT {
            return Err("unknown format".to_owned());
        }
        let info_hash = bytes_of(dict, "info-hash")?;
        let info_hash = <[u8; 20]>::try_from(info_hash).map_err(|_| "info-hash is not 20 bytes")?;
        let have = bytes_of(dict, "have")?;
        let unsynced = dict.get_bytes("unsynced").unwrap_or_default();
        if is_too_long(have) || is_too_long(unsynced) {
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

/// The folder of resume files. Clones are the same folder.
#[derive(Clone)]
pub(crate) struct ResumeStore {
    pool: IoPool,
    folder: Arc<Path>,
}

impl ResumeStore {
    /// Uses `folder`, which is made when something is saved.
    pub(crate) fn new(pool: IoPool, folder: PathBuf) -> Self {
        Self {
            pool,
            folder: folder.into(),
        }
    }

    /// Saves, replacing what was saved before: after a crash or power failure either the old or the new data is there.
    /// One save of a torrent at a time.
    ///
    /// # Errors
    ///
    /// When the disk fails or the pool is closed.
    pub(crate) async fn save(&self, data: ResumeData) -> Result<(), StorageError> {
        let folder = Arc::clone(&self.folder);
        self.pool.run(move || save(&folder, &data)).await?
    }

    /// Loads what was saved for a torrent, if anything was.
    ///
    /// # Errors
    ///
    /// When the disk fails, the file is not a resume file of this torrent, or the pool is closed.
    pub(crate) async fn load(&self, key: &ResumeKey) -> Result<Option<ResumeData>, StorageError> {
        let (path, key) = (self.path(key), key.clone());
        self.pool.run(move || load(&path, &key)).await?
    }

    /// Forgets a torrent.
    ///
    /// # Errors
    ///
    /// When the disk fails or the pool is closed.
    pub(crate) async fn remove(&self, key: &ResumeKey) -> Result<(), StorageError> {
        let path = self.path(key);
        let removed = self.pool.run(move || match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StorageError::io(Operation::Remove, &path, &error))
            }
            _ => Ok(()),
        });
        removed.await?
    }

    fn path(&self, key: &ResumeKey) -> PathBuf {
        self.folder.join(key.file_name())
    }
}

fn save(folder: &Path, data: &ResumeData) -> Result<(), StorageError> {
    replace(folder, &folder.join(data.key.file_name()), &data.to_bytes())
}

/// Replaces a file of `folder`, which is made if need be, atomically: after a crash or power failure it is the old or
/// the new one. Two replacements at once do not mix: each writes a file of its own, which is renamed.
///
/// The names and contents tell what a user downloads, so they are for their owner alone: files have the mode 0600, and
/// folders that are made 0700. A folder that is there already keeps the mode that its owner gave it.
pub fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    make_private(folder).map_err(|e| StorageError::io(Operation::Create, folder, &e))?;
    let mut temporary = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempfile_in(folder)
        .map_err(|e| StorageError::io(Operation::Create, folder, &e))?;
    let written = temporary.write_all(bytes);
    written
        .and_then(|()| temporary.as_file().sync_all())
        .map_err(|error| StorageError::io(Operation::Write, temporary.path(), &error))?;
    let renamed = temporary.persist(path);
    renamed.map_err(|e| StorageError::io(Operation::Rename, path, &e.error))?;
    // The new name has to reach the device too. Windows has no handles for folders and needs none.
    #[cfg(unix)]
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| StorageError::io(Operation::Sync, folder, &error))?;
    Ok(())
}

/// Makes a folder that only its owner may enter, with the folders above it.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn load(path: &Path, key: &ResumeKey) -> Result<Option<ResumeData>, StorageError> {
    match read_resume(path) {
        Ok(data) if data.key == *key => Ok(Some(data)),
        Ok(_) => Err(refuse(path, "it belongs to another torrent or folder")),
        Err(error) if error.is_missing_data() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a resume file.
pub(crate) fn read_resume(path: &Path) -> Result<ResumeData, StorageError> {
    let file = File::open(path).map_err(|e| StorageError::io(Operation::Open, path, &e))?;
    let mut bytes = Vec::new();
    file.take(MAX_RESUME_LEN + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| StorageError::io(Operation::Read, path, &error))?;
    if u64::try_from(bytes.len()).map_or(true, |len| len > MAX_RESUME_LEN) {
        return Err(refuse(path, "too large"));
    }
    ResumeData::from_bytes(&bytes).map_err(|reason| refuse(path, &reason))
}

fn refuse(path: &Path, reason: &str) -> StorageError {
    StorageError::Resume {
        path: path.to_path_buf(),
        reason: reason.to_owned(),
    }
}
