//! Hashes the pieces of files on all cores.

use super::walk::FoundFile;
use super::{CreateError, Progress, io_error};
use crate::{Geometry, PieceIndex};
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

type PieceResult = (PieceIndex, Result<[u8; 20], CreateError>);

/// State that the threads share.
struct Job<'a> {
    files: &'a [FoundFile],
    /// Where each file begins in the torrent.
    starts: Vec<u64>,
    geometry: &'a Geometry,
    next_piece: AtomicU32,
    is_cancelled: AtomicBool,
}

/// The SHA-1 of every piece of the files, one after the other.
#[expect(
    clippy::disallowed_methods,
    reason = "creation is a driver: hashing takes all cores"
)]
pub(super) fn hash_pieces(
    files: &[FoundFile],
    geometry: &Geometry,
    threads: NonZeroUsize,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<u8>, CreateError> {
    let nothing_done = Progress {
        done: 0,
        total: geometry.total(),
    };
    if progress(nothing_done).is_break() {
        return Err(CreateError::Cancelled);
    }
    let starts = files.iter().scan(0u64, |at, file| {
        let start = *at;
        *at += file.length;
        Some(start)
    });
    let job = Job {
        files,
        starts: starts.collect(),
        geometry,
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
) -> Result<Vec<u8>, CreateError> {
    let mut hashes = vec![[0; 20]; geometry.piece_count() as usize];
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
    Ok(hashes.into_flattened())
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
            let Ok(piece) = self.geometry.piece(number) else {
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
    ) -> Result<[u8; 20], CreateError> {
        let mut hasher = Sha1::new();
        let mut at = self.geometry.piece_start(piece);
        let end = at + u64::from(self.geometry.piece_len(piece));
        let mut number = self
            .starts
            .partition_point(|&start| start <= at)
            .saturating_sub(1);
        while at < end {
            let Some(file) = self.files.get(number) else {
                break;
            };
            let mut offset = at - self.starts[number];
            let file_end = file.length.min(offset + (end - at));
            while offset < file_end {
                if self.is_cancelled.load(Ordering::Relaxed) {
                    return Err(CreateError::Cancelled);
                }
                let left = usize::try_from(file_end - offset).unwrap_or(usize::MAX);
                let part = &mut buffer[..left.min(READ_LEN)];
                self.read(number, offset, part, reader)?;
                hasher.update(&*part);
                offset += part.len() as u64;
            }
            at = self.starts[number] + file_end;
            number += 1;
        }
        Ok(hasher.finalize().into())
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
