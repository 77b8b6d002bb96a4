//! Resume data: what is saved of a torrent between two runs, so that its files need not be hashed again.
//!
//! Its format is in `data`, the folder that holds it in `store`. When a session starts, `cleaning` removes what is of
//! no use any more.

pub(crate) mod cleaning;
pub(crate) mod data;
pub(crate) mod store;

pub(crate) use data::{ResumeData, ResumeKey};
pub(crate) use store::ResumeStore;
