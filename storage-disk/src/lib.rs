//! The disk storage: a torrent's pieces in files, written and hashed on I/O threads.
//!
//! ```text
//!  peer task ── write(blocks) ──► lane 0..n: one thread each, FIFO ── Completion ──► torrent task
//!            ── read(blocks)  ──► read threads, one queue ──► Bytes
//! ```
//!
//! A torrent always goes to the same lane, so its writes and verifications stay in order without a lock. A block that
//! is the next of its piece is hashed right after it is written, while it is in the cache. One that comes a little
//! early is kept until its turn; what came further out of order is read back when the piece is verified. Memory is
//! bounded by [`IoConfig`]: bytes that wait to be written, bytes being read, open files.
//!
//! After a failed write nothing more of the torrent is written until it is resumed, and every lost block is reported, so
//! that the torrent downloads exactly those again.

mod backend;
mod below;
mod bitmap;
mod buffers;
mod cache;
mod check;
mod cleaning;
mod cursor;
mod factory;
mod folders;
mod foreign;
mod hasher;
mod health;
mod hold;
mod jobs;
mod known;
mod layout;
mod locate;
mod lock;
mod names;
mod opening;
mod paths;
mod place;
mod pool;
mod relocate;
mod resume;
mod room;
mod storage;
mod store;
#[cfg(test)]
mod tests;
mod torrent;
mod touched;
mod whole;

pub use cleaning::{clean, note_use};
pub use factory::{Disk, DiskFolder};
pub use locate::locate_files;
pub use pool::{IoConfig, IoPool, Job};
pub use resume::{ResumeData, replace};
pub use whole::check_files;

/// What the tests below name by its short way.
#[cfg(test)]
use {
    hold::Hold,
    layout::{FileSpan, Layout},
    lock::Locks,
    paths::Use,
    resume::{ResumeKey, ResumeStore},
    tailwater_storage::{Completion, FileChange, Operation, StorageError},
    torrent::{DiskOptions, DiskTorrent},
};
