//! The info dictionary of a magnet link, from peers that have it (BEP 9), as state machines without I/O.
//!
//! [`Fetcher`] decides which block is asked of which peer, and finds out who lies. A block is 16 KiB of the info
//! dictionary; the whole is verified by the info-hash, single blocks cannot be. A draft is one attempt at the whole:
//!
//! ```text
//! sizes that peers claim ──▶ a draft of each size, from everybody who claims it
//!                                │ whole
//!                 hash right ◀───┴───▶ hash wrong: one sender ──▶ it lied, it is dropped
//!                     │                            several ──▶ this size is drafted from one peer at a time from now on
//!                  complete
//! ```
//!
//! So a liar costs the others one draft, and is known after a second one of its own. What is bounded: the size that is
//! believed ([`MAX_METADATA_LEN`]), the drafts at once ([`MAX_DRAFTS`]), the requests at one peer.

mod draft;
mod fetcher;
pub(crate) mod handle;
pub(crate) mod link;
mod terms;
#[cfg(test)]
mod tests;

pub use fetcher::Fetcher;
pub use terms::{DropReason, FetchState, LinkKey, Output};

/// The largest info dictionary that is fetched, in bytes: what `tailwater_metainfo` loads at most. Whoever claims more is
/// not asked.
pub const MAX_METADATA_LEN: u32 = 10_000_000;
/// Drafts at once. Each takes the size that its peers claim as soon as a first block has come, so memory is bounded by
/// this many times [`MAX_METADATA_LEN`].
pub const MAX_DRAFTS: usize = 4;
