//! Which peers are uploaded to.

pub(crate) mod choker;
pub(crate) mod unchoke;
