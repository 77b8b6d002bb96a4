//! A storage of one's own: each piece is a file. Shows what has to be written, and runs the conformance suite over it:
//! `cargo run -p tailwater-storage --example piece_files`.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tailwater_metainfo::block_digest;
use tailwater_storage::conformance::{Subject, block_on, check};
use tailwater_storage::{
    Bitfield, BlockParts, BlockRef, Bytes, Claims, Completion, Full, Held, OpenError, OpenRequest,
    Opened, Operation, PieceIndex, Progress, Refused, Reply, Space, Storage, StorageError,
    StorageFactory, SupplierKey, Verdict,
};
use tokio::sync::oneshot;

/// Keeps torrents below a folder: the file `7` of the folder named by an info-hash is piece 7.
#[derive(Debug)]
struct PieceFiles {
    root: PathBuf,
}

impl StorageFactory for PieceFiles {
    fn open(&self, request: OpenRequest) -> Reply<Result<Opened, OpenError>> {
        let torrent = Torrent {
            folder: self.root.join(request.info_hash.to_string()).into(),
            claims: Arc::new(Claims::new(request.geometry().clone())),
            state: Arc::default(),
            request: Arc::new(request),
        };
        Reply::ready(Ok(Opened::new(torrent.clone(), torrent)))
    }
}

/// A torrent; clones are handles to the same one.
#[derive(Clone)]
struct Torrent {
    folder: Arc<Path>,
    request: Arc<OpenRequest>,
    /// Which supplier's copy of a block counts.
    claims: Arc<Claims<u64>>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Pieces that were ever reserved: tells one attempt at a piece from the next.
    attempts: u64,
    /// Blocks of pieces that are not verified.
    blocks: HashMap<BlockRef, Bytes>,
    verified: HashSet<PieceIndex>,
    is_closed: bool,
}

impl Torrent {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn path(&self, piece: PieceIndex) -> PathBuf {
        self.folder.join(piece.get().to_string())
    }

    /// Nothing in a storage blocks its caller, so whatever touches the disk runs elsewhere. `lost` is the reply when
    /// that never happens.
    fn elsewhere<T: Send + 'static>(
        &self,
        lost: T,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Reply<T> {
        let (done, reply) = oneshot::channel();
        let this = self.clone();
        (self.request.blocking)(Box::new(move || {
            // The caller may have dropped the reply.
            let _ = done.send(work(&this));
        }));
        Reply::later(async move { reply.await.unwrap_or(lost) })
    }

    /// Finds the pieces of an earlier run.
    fn find(&self, progress: &Progress) -> Result<Bitfield, StorageError> {
        let geometry = self.request.geometry();
        let mut have = Bitfield::none(geometry);
        for piece in geometry.pieces() {
            let path = self.path(piece);
            match fs::read(&path) {
                Ok(bytes) if self.request.hashes.is_valid(piece, [&bytes[..]]) == Some(true) => {
                    have.set(piece);
                    self.state().verified.insert(piece);
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StorageError::io(Operation::Read, &path, &error));
                }
                _ => {}
            }
            progress(piece.get() + 1, geometry.piece_count());
        }
        Ok(have)
    }

    fn read_range(&self, range: BlockRef) -> Held {
        if !self.state().verified.contains(&range.piece()) {
            return Ok(None);
        }
        let path = self.path(range.piece());
        let mut bytes = vec![0; range.len() as usize];
        let read = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(range.offset().into()))?;
            file.read_exact(&mut bytes)
        });
        read.map_err(|error| StorageError::io(Operation::Read, &path, &error))?;
        Ok(Some(BlockParts::from([bytes.into()])))
    }

    /// Hashes a piece, and keeps it if it is right.
    fn judge(&self, piece: PieceIndex) -> Result<Verdict, StorageError> {
        // Held until the file is written: closing waits for it.
        let mut state = self.state();
        if state.is_closed {
            return Err(StorageError::Closed);
        }
        let blocks = self.request.geometry().blocks(piece);
        let blocks: Vec<Bytes> = blocks
            .filter_map(|block| state.blocks.get(&block).cloned())
            .collect();
        let parts = blocks.iter().map(|block| &block[..]);
        match self.request.hashes.is_valid(piece, parts) {
            None => return Err(StorageError::HashUnknown(piece)),
            Some(false) => {
                let block_digests = blocks.iter().map(|block| block_digest(block)).collect();
                return Ok(Verdict::Invalid { block_digests });
            }
            Some(true) => {}
        }
        let (path, begun) = (self.path(piece), self.folder.join("begun"));
        let written = fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(&begun, blocks.concat()))
            // A file with the name of a piece is always whole.
            .and_then(|()| fs::rename(&begun, &path));
        written.map_err(|error| StorageError::io(Operation::Write, &path, &error))?;
        state.blocks.retain(|block, _| block.piece() != piece);
        state.verified.insert(piece);
        Ok(Verdict::Valid)
    }
}

impl Storage for Torrent {
    fn start(&self, progress: Progress) -> Reply<Result<Bitfield, StorageError>> {
        self.elsewhere(Err(StorageError::Closed), move |this| this.find(&progress))
    }

    fn write(&self, from: SupplierKey, blocks: Vec<(BlockRef, Bytes)>) -> Reply<Refused> {
        let mut unwanted = Vec::new();
        for (block, data) in blocks {
            match self.claims.claim(block, from) {
                Some(attempt) => {
                    self.state().blocks.insert(block, data);
                    self.claims.stored(block, from, attempt);
                }
                None => unwanted.push(block),
            }
        }
        Reply::ready(unwanted.into())
    }

    fn read(&self, blocks: Vec<BlockRef>) -> Reply<Vec<(BlockRef, Held)>> {
        let lost = blocks.iter().map(|&block| (block, Ok(None))).collect();
        self.elsewhere(lost, |this| {
            let read = blocks.into_iter();
            read.map(|block| (block, this.read_range(block))).collect()
        })
    }

    fn verify(&self, pieces: Vec<PieceIndex>) -> Result<(), StorageError> {
        let this = self.clone();
        (self.request.blocking)(Box::new(move || {
            for piece in pieces {
                (this.request.completions)(match this.judge(piece) {
                    Ok(verdict) => Completion::Verified { piece, verdict },
                    Err(error) => Completion::VerifyFailed { piece, error },
                });
            }
        }));
        Ok(())
    }

    fn digest(&self, piece: PieceIndex) -> Result<(), StorageError> {
        let this = self.clone();
        (self.request.blocking)(Box::new(move || {
            let blocks = this.request.geometry().blocks(piece);
            let digests = blocks.filter_map(|block| this.read_range(block).transpose());
            let digests = digests.map(|held| Ok(block_digest(&held?[0]))).collect();
            (this.request.completions)(Completion::Digests { piece, digests });
        }));
        Ok(())
    }

    fn settle(&self, piece: PieceIndex) {
        self.claims.close(piece);
    }

    fn delete(&self) -> Reply<Result<(), StorageError>> {
        self.elsewhere(Err(StorageError::Closed), |this| {
            let mut state = this.state();
            state.verified.clear();
            match fs::remove_dir_all(&this.folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(StorageError::io(Operation::Remove, &this.folder, &error))
                }
                _ => Ok(()),
            }
        })
    }

    fn close(&self) -> Reply<()> {
        for piece in self.request.geometry().pieces() {
            self.claims.close(piece);
        }
        self.elsewhere((), |this| {
            *this.state() = State {
                is_closed: true,
                ..State::default()
            };
        })
    }
}

/// A folder is taken to have room for everything.
impl Space for Torrent {
    fn reserve(&mut self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        let mut state = self.state();
        state.attempts += 1;
        self.claims.open(piece, state.attempts);
        Ok(Vec::new())
    }

    fn release(&mut self, piece: PieceIndex) {
        self.claims.close(piece);
        let mut state = self.state();
        state.blocks.retain(|block, _| block.piece() != piece);
    }

    fn is_stored(&self, block: BlockRef, supplier: SupplierKey) -> bool {
        self.claims.is_stored(block, supplier)
    }
}

/// Runs the suite over folders below the system's own for temporary files.
fn main() -> Result<(), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let (root, number) = (place.path().to_path_buf(), Mutex::new(0));
    let subject = Subject::new(move || -> Arc<dyn StorageFactory> {
        let mut number = number.lock();
        *number += 1;
        let root = root.join(number.to_string());
        Arc::new(PieceFiles { root })
    });
    // It finds what an earlier run has verified.
    block_on(check(&subject.keeps()));
    println!("it does what every storage has to do");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_does_what_every_storage_has_to_do() {
        assert!(super::main().is_ok());
    }
}
