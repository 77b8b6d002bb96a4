//! What the storage needs of the operating system: opening files safely, reading and writing them, their metadata.
//!
//! `file_system` is a trait, so that tests can play a full or broken disk. `below` opens files below the download folder
//! without following links. `metadata` says what lies there, `open_files` bounds how many files are open.

pub(crate) mod below;
pub(crate) mod file_system;
pub(crate) mod metadata;
pub(crate) mod open_files;
