//! Hashes the pieces of files on all cores.

use super::layout::Layout;
use super::walk::FoundFile;
use super::{CreateError, Progress, TorrentVersion, io_error};
use crate::merkle::{block_hashes, padded_root, piece_layer_height, root};
use crate::{BLOCK_LEN, Geometry, MerkleHash, PieceIndex};
use sha1::{Digest, Sha1};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;

/// How much a thread reads at once, in bytes: few system calls, and the data is still in the cache when it is hashed.
const READ_LEN: usize = 256 * 1024;

/// How many finished pieces a thread may be ahead of the collecting one.
const RESULTS_PER_THREAD: usize = 16;

type PieceResult = (PieceIndex, Result<PieceHashed, CreateError>);

/// The hashes of a piece; what the torrent's version does not need is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PieceHashed {
    pub(super) v1: Option<[u8; 20]>,
    /// The piece's node of its file's tree; of a file of one piece, the root.
    pub(super) v2: Option<MerkleHash>,
}

/// State that the threads share.
struct Job<'a> {
    files: &'a [FoundFile],
    layout: &'a Layout,
    version: TorrentVersion,
    next_piece: AtomicU32,
    is_cancelled: AtomicBool,
}

/// The hashes of every piece of the files.
#[expect(
    clippy::disallowed_methods,
    reason = "creation is a driver: hashing takes all cores"
)]
pub(super) fn hash_pieces(
    files: &[FoundFile],
    layout: &Layout,
    version: TorrentVersion,
    threads: NonZeroUsize,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<PieceHashed>, CreateError> {
    let geometry = &layout.geometry;
    let nothing_done = Progress {
        done: 0,
        total: geometry.total(),
    };
    if progress(nothing_done).is_break() {
        return Err(CreateError::Cancelled);
    }
    let job = Job {
        files,
        layout,
        version,
        next_piece: AtomicU32::new(0),
        is_cancelled: AtomicBool::new(false),
    };
    let threads = threads.get().min(geometry.piece_count() as usize);
    let (sender, results) = mpsc::sync_channel(threads * RESULTS_PER_THREAD);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (job, sender) = (&job, sender.clone());
            scope.spawn(move || job.work(&sender));
        }
        drop(sender);
        let collected = collect(&results, geometry, progress);
        job.is_cancelled.store(true, Ordering::Relaxed);
        // A thread that waits for room in the channel must find it closed before the scope joins it.
        drop(results);
        collected
    })
}

fn collect(
    results: &mpsc::Receiver<PieceResult>,
    geometry: &Geometry,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<PieceHashed>, CreateError> {
    let mut hashes = vec![PieceHashed::default(); geometry.piece_count() as usize];
    let total = geometry.total();
    let mut done = 0;
    while done < total {
        // Every thread sends a result or an error for each piece that it takes.
        let Ok((piece, hash)) = results.recv() else {
            return Err(CreateError::Cancelled);
        };
        hashes[piece.as_usize()] = hash?;
        done += u64::from(geometry.piece_len(piece));
        if progress(Progress { done, total }).is_break() {
            return Err(CreateError::Cancelled);
        }
    }
    Ok(hashes)
}

/// The file that a thread is reading.
struct Reader {
    number: usize,
    file: File,
    at: u64,
}

impl Job<'_> {
    /// Hashes pieces until there are none left.
    fn work(&self, results: &mpsc::SyncSender<PieceResult>) {
        let mut buffer = vec![0; READ_LEN];
        let mut reader = None;
        while !self.is_cancelled.load(Ordering::Relaxed) {
            let number = self.next_piece.fetch_add(1, Ordering::Relaxed);
            let Ok(piece) = self.layout.geometry.piece(number) else {
                return;
            };
            let hash = self.hash_piece(piece, &mut reader, &mut buffer);
            let is_failed = hash.is_err();
            if results.send((piece, hash)).is_err() || is_failed {
                return;
            }
        }
    }

    fn hash_piece(
        &self,
        piece: PieceIndex,
        reader: &mut Option<Reader>,
        buffer: &mut [u8],
    ) -> Result<PieceHashed, CreateError> {
        let Layout {
            starts, geometry, ..
        } = self.layout;
        let mut v1 = self.version.has_v1().then(Sha1::new);
        let mut leaves = Vec::new();
        let mut at = geometry.piece_start(piece);
        let end = at + u64::from(geometry.piece_len(piece));
        let mut number = starts
            .partition_point(|&start| start <= at)
            .saturating_sub(1);
        // With v2, the one file that the piece is of.
        let mut of_file = None;
        while at < end {
            let Some(file) = self.files.get(number) else {
                break;
            };
            let mut offset = at - starts[number];
            let file_end = file.length.min(offset + (end - at));
            while offset < file_end {
                if self.is_cancelled.load(Ordering::Relaxed) {
                    return Err(CreateError::Cancelled);
                }
                let left = usize::try_from(file_end - offset).unwrap_or(usize::MAX);
                let part = &mut buffer[..left.min(READ_LEN)];
                self.read(number, offset, part, reader)?;
                if let Some(v1) = &mut v1 {
                    v1.update(&*part);
                }
                if self.version.has_v2() {
                    // A part begins at a multiple of blocks, as READ_LEN is one.
                    let blocks: Vec<_> = part.chunks(BLOCK_LEN as usize).collect();
                    leaves.extend(block_hashes(&blocks));
                    of_file = Some(file.length);
                }
                offset += part.len() as u64;
            }
            at = starts[number] + file_end.max(offset);
            let pad = self.layout.pads[number].min(end.saturating_sub(at));
            if let Some(v1) = &mut v1 {
                zeros(v1, pad);
            }
            at += pad;
            number += 1;
        }
        Ok(PieceHashed {
            v1: v1.map(|v1| v1.finalize().into()),
            v2: of_file.and_then(|len| piece_node(&leaves, len, geometry.piece_length())),
        })
    }

    /// Fills `buffer` from `offset` of a file on.
    fn read(
        &self,
        number: usize,
        offset: u64,
        buffer: &mut [u8],
        reader: &mut Option<Reader>,
    ) -> Result<(), CreateError> {
        let file = &self.files[number];
        let reader = match reader {
            Some(open) if open.number == number => open,
            _ => {
                let opened = File::open(&file.path).map_err(io_error("open", &file.path))?;
                let len = opened
                    .metadata()
                    .map_err(io_error("open", &file.path))?
                    .len();
                if len != file.length {
                    return Err(CreateError::Changed(file.path.clone()));
                }
                reader.insert(Reader {
                    number,
                    file: opened,
                    at: 0,
                })
            }
        };
        if reader.at != offset {
            reader
                .file
                .seek(SeekFrom::Start(offset))
                .map_err(io_error("read", &file.path))?;
        }
        // Until the read has succeeded the position is not known.
        reader.at = u64::MAX;
        reader
            .file
            .read_exact(buffer)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => CreateError::Changed(file.path.clone()),
                _ => io_error("read", &file.path)(error),
            })?;
        reader.at = offset + buffer.len() as u64;
        Ok(())
    }
}

/// The node of a piece in its file's tree.
fn piece_node(leaves: &[MerkleHash], file_len: u64, piece_length: u32) -> Option<MerkleHash> {
    match file_len <= u64::from(piece_length) {
        // The tree of a short file ends where its blocks do.
        true => root(leaves.iter().copied(), 0),
        false => Some(padded_root(leaves, 0, piece_layer_height(piece_length))),
    }
}

/// Hashes the zeros of a pad file.
fn zeros(hasher: &mut Sha1, mut count: u64) {
    const ZEROS: [u8; 4096] = [0; 4096];
    while count > 0 {
        let part = usize::try_from(count).map_or(ZEROS.len(), |count| count.min(ZEROS.len()));
        hasher.update(&ZEROS[..part]);
        count -= part as u64;
    }
}
