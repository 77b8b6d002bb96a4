//! Uploading: the choker (BEP 3), which decides which peers are unchoked, and its unchoke slots.

pub(crate) mod choker;
pub(crate) mod unchoke;
