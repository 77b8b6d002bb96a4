//! The disk storage as a torrent sees it.

mod bulk;
mod changes;
mod check;
mod claims;
mod faults;
mod layout;
mod lifecycle;
#[cfg(unix)]
mod links;
#[cfg(unix)]
mod relocate;
mod resume;
#[cfg(unix)]
mod room;
mod skipped;
#[cfg(unix)]
mod touched;
mod transfer;

use crate::system::below::{Links, Spot};
use crate::system::file_system::{Access, DiskFile, FileSystem, OpenState, SystemFiles};
use crate::torrent::DiskTorrent;
use crate::{
    Completion, DiskOptions, FileSpan, Hold, IoConfig, IoPool, Layout, Locks, Operation, ResumeKey,
    StorageError, Use,
};
use bytes::Bytes;
use sha1::{Digest, Sha1};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use tailwater_types::{BlockRef, Geometry, InfoHash, PieceHash, PieceIndex, Verdict};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// A file of a payload: its path, its length, whether it is padding.
type Sketch = (&'static str, u64, bool);

/// A torrent's content and what is known of it.
#[derive(Clone)]
struct Payload {
    spans: Vec<FileSpan>,
    geometry: Geometry,
    data: Bytes,
    hashes: Arc<[PieceHash]>,
}

impl Payload {
    fn new(files: &[Sketch], piece_length: u32, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut spans = Vec::new();
        let mut data = Vec::new();
        for &(path, length, pad) in files {
            spans.push(FileSpan {
                path: PathBuf::from(path),
                offset: data.len() as u64,
                length,
                pad,
                link: None,
                executable: false,
                is_part: false,
            });
            data.extend((0..length).map(|_| if pad { 0 } else { random.u8(..) }));
        }
        Self::of(spans, data, piece_length)
    }

    fn of(spans: Vec<FileSpan>, data: Vec<u8>, piece_length: u32) -> Self {
        let geometry = Geometry::new(data.len() as u64, piece_length).unwrap();
        let hashes = data.chunks(piece_length as usize);
        let hashes = hashes.map(|piece| PieceHash::new(Sha1::digest(piece).into()));
        Self {
            spans,
            geometry,
            hashes: hashes.collect(),
            data: data.into(),
        }
    }

    fn piece(&self, index: u32) -> PieceIndex {
        self.geometry.piece(index).unwrap()
    }

    fn blocks(&self) -> Vec<BlockRef> {
        let pieces = self.geometry.pieces();
        pieces
            .flat_map(|piece| self.geometry.blocks(piece))
            .collect()
    }

    fn bytes(&self, block: BlockRef) -> Bytes {
        let start = self.geometry.piece_start(block.piece()) + u64::from(block.offset());
        let start = usize::try_from(start).unwrap();
        self.data.slice(start..start + block.len() as usize)
    }

    fn with_bytes(&self, blocks: impl IntoIterator<Item = BlockRef>) -> Vec<(BlockRef, Bytes)> {
        blocks
            .into_iter()
            .map(|block| (block, self.bytes(block)))
            .collect()
    }

    fn layout(&self, root: &Path) -> Result<Layout, StorageError> {
        Layout::new(
            root.to_path_buf(),
            self.spans.clone(),
            self.geometry.clone(),
        )
    }

    /// Puts the files on the disk without the storage's help.
    fn save(&self, root: &Path) {
        for span in self.spans.iter().filter(|span| !span.pad) {
            let path = root.join(&span.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, self.content(span)).unwrap();
        }
    }

    fn content(&self, span: &FileSpan) -> &[u8] {
        let start = usize::try_from(span.offset).unwrap();
        &self.data[start..start + usize::try_from(span.length).unwrap()]
    }

    /// Compares the files on the disk with what they should be.
    fn assert_saved(&self, root: &Path) {
        for span in &self.spans {
            let path = root.join(&span.path);
            if span.pad {
                assert!(!path.exists(), "{} is padding", span.path.display());
            } else {
                let found = std::fs::read(&path).unwrap();
                assert!(
                    found == self.content(span),
                    "{} differs",
                    span.path.display()
                );
            }
        }
    }
}

/// A torrent's storage in a folder of its own.
struct Rig {
    payload: Payload,
    torrent: DiskTorrent,
    pool: IoPool,
    events: mpsc::UnboundedReceiver<Completion>,
    dir: Arc<TempDir>,
}

impl Rig {
    async fn new(payload: Payload) -> Self {
        Self::with(
            payload,
            Arc::new(SystemFiles),
            &[],
            Arc::new(tempfile::tempdir().unwrap()),
        )
        .await
    }

    async fn with(
        payload: Payload,
        files: Arc<dyn FileSystem>,
        skipped: &[usize],
        dir: Arc<TempDir>,
    ) -> Self {
        Self::linked(payload, files, skipped, dir, Links::Refused).await
    }

    async fn linked(
        payload: Payload,
        files: Arc<dyn FileSystem>,
        skipped: &[usize],
        dir: Arc<TempDir>,
        links: Links,
    ) -> Self {
        let config = IoConfig {
            threads: 3,
            queue_bytes: 256 * 1024,
            ..IoConfig::default()
        };
        let pool = IoPool::with_file_system(config, files).unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        let options = DiskOptions {
            key: key(dir.path()),
            layout: payload.layout(&dir.path().join("down")).unwrap(),
            hashes: Arc::clone(&payload.hashes).into(),
            skipped: skipped.to_vec(),
            links,
            hold: Hold::new(Use::Write, None, Arc::new(Locks::default())),
            on_completion: Arc::new(move |completion| drop(sender.send(completion))),
        };
        let torrent = DiskTorrent::open(pool.clone(), options).await.unwrap();
        Self {
            payload,
            torrent,
            pool,
            events,
            dir,
        }
    }

    /// Another run of the program in the same folder.
    async fn again(self, skipped: &[usize]) -> Self {
        self.torrent.close().await;
        self.pool.close().await;
        Self::with(self.payload, Arc::new(SystemFiles), skipped, self.dir).await
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("down")
    }

    async fn write(&self, blocks: impl IntoIterator<Item = BlockRef>) {
        let blocks = self.payload.with_bytes(blocks);
        self.torrent.write(blocks).await.unwrap();
    }

    async fn verify(&mut self, index: u32) -> Completion {
        self.torrent
            .verify(vec![self.payload.piece(index)])
            .unwrap();
        self.events.recv().await.unwrap()
    }

    /// Verifies all pieces that hold bytes; each has to be right.
    async fn verify_all(&mut self) {
        for index in 0..self.payload.geometry.piece_count() {
            assert_eq!(self.verify(index).await, right(self.payload.piece(index)));
        }
    }

    async fn read(&self, block: BlockRef) -> Result<Bytes, StorageError> {
        self.torrent.read(vec![block]).await.remove(0)
    }
}

fn key(dir: &Path) -> ResumeKey {
    ResumeKey::new(InfoHash::new([7; 20]), &dir.join("down"))
}

fn right(piece: PieceIndex) -> Completion {
    Completion::Verified {
        piece,
        verdict: Verdict::Valid,
    }
}

/// Files with borders in the middle of blocks and pieces, padding, empty files.
fn mixed() -> Payload {
    let files: [Sketch; 8] = [
        ("t/empty-first", 0, false),
        ("t/a", 100_000, false),
        ("t/.pad/31072", 31_072, true),
        ("t/deep/er/b", 1, false),
        ("t/deep/c", 40_000, false),
        ("t/empty-middle", 0, false),
        ("t/d", 300_001, false),
        ("t/empty-last", 0, false),
    ];
    Payload::new(&files, 65_536, 1)
}

/// The system's files, but with faults.
#[derive(Default)]
struct Faulty {
    state: Arc<FaultState>,
}

#[derive(Default)]
struct FaultState {
    /// Bytes that may still be written; `None` for any number.
    space: Mutex<Option<usize>>,
    /// What opening for writing answers.
    open_error: Mutex<Option<io::ErrorKind>>,
    /// What reading answers.
    read_error: Mutex<Option<io::ErrorKind>>,
    /// While true, writes wait.
    held: Mutex<bool>,
    released: Condvar,
    /// Calls that wrote.
    writes: AtomicUsize,
}

impl FaultState {
    fn hold(&self) {
        *self.held.lock().unwrap() = true;
    }

    fn release(&self) {
        *self.held.lock().unwrap() = false;
        self.released.notify_all();
    }
}

struct FaultyFile {
    file: Box<dyn DiskFile>,
    state: Arc<FaultState>,
}

impl FileSystem for Faulty {
    fn open(&self, spot: &Spot<'_>, access: Access) -> Result<Box<dyn DiskFile>, StorageError> {
        if let (Access::Write, Some(kind)) = (access, *self.state.open_error.lock().unwrap()) {
            let path = spot.root.join(spot.below);
            return Err(StorageError::io(Operation::Open, &path, &kind.into()));
        }
        Ok(Box::new(FaultyFile {
            file: SystemFiles.open(spot, access)?,
            state: Arc::clone(&self.state),
        }))
    }
}

impl DiskFile for FaultyFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        match *self.state.read_error.lock().unwrap() {
            Some(kind) => Err(kind.into()),
            None => self.file.read_exact_at(buf, offset),
        }
    }

    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let held = self.state.held.lock().unwrap();
        drop(self.state.released.wait_while(held, |held| *held).unwrap());
        if let Some(space) = &mut *self.state.space.lock().unwrap() {
            *space = space
                .checked_sub(data.len())
                .ok_or(io::ErrorKind::StorageFull)?;
        }
        self.file.write_all_at(data, offset)
    }

    fn write_all_parts_at(&self, parts: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.state.writes.fetch_add(1, Ordering::Relaxed);
        let whole: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
        self.write_all_at(&whole, offset)
    }

    fn state(&self) -> io::Result<OpenState> {
        self.file.state()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}
