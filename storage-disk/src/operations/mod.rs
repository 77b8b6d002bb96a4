//! What is done to a torrent's files as a whole: they are found, opened, checked, moved and deleted, and refused where
//! they are another program's or the disk is too small.

pub(crate) mod check;
mod copying;
pub(crate) mod foreign;
pub(crate) mod opening;
pub(crate) mod place;
pub(crate) mod relocate;
mod reuse;
pub(crate) mod space;
pub(crate) mod whole;
