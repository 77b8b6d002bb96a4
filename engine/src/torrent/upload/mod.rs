//! Which peers are uploaded to: the choker (BEP 3) and its unchoke slots.

pub(crate) mod choker;
pub(crate) mod unchoke;
