//! Uploading: the choker (BEP 3), which decides which peers are unchoked, its unchoke slots, and super-seeding (BEP 16).

pub(crate) mod choker;
pub(crate) mod super_seeding;
pub(crate) mod unchoke;
