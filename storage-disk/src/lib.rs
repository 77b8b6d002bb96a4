#![doc = include_str!("../README.md")]

mod claims;
mod factory;
mod files;
#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod layout;
mod operations;
mod resume;
mod storage;
mod system;
#[cfg(test)]
mod tests;
mod threads;
mod torrent;

pub use factory::{Disk, DiskFolder};
pub use layout::locate::locate_files;
pub use operations::whole::check_files;
pub use resume::cleaning::{clean, note_use};
pub use resume::store::replace;
pub use threads::pool::{IoConfig, IoPool, Job};

/// What the tests below name by its short way.
#[cfg(test)]
use {
    claims::hold::Hold,
    claims::locks::Locks,
    claims::paths::Use,
    layout::{FileSpan, Layout},
    resume::{ResumeData, ResumeKey, ResumeStore},
    tailwater_storage::{Completion, FileChange, Operation, StorageError},
    torrent::{DiskOptions, DiskTorrent},
};
