//! The info dictionary of a magnet link, from peers that have it (BEP 9), as state machines without I/O.
//!
//! [`Fetcher`] decides which block is requested from which peer, and finds out which peers lie. A block is 16 KiB of
//! the info dictionary; the whole is verified by the info-hash, single blocks cannot be. A draft is one attempt at the
//! whole:
//!
//! ```text
//! sizes that peers claim ──▶ a draft of each size, from all peers that claim it
//!                                │ whole
//!                 hash right ◀───┴───▶ hash wrong: one sender ──▶ it lied, it is dropped
//!                     │                            several ──▶ this size is drafted from one peer at a time from now on
//!                  complete
//! ```
//!
//! So a liar costs the others one draft, and is known after a second one of its own. Drafts run side by side as long as they
//! fit into [`MAX_DRAFT_BYTES`]. When they do not, the sizes take turns, and those that most addresses claim come first.
//!
//! Bounded are the size that is believed ([`MAX_METADATA_LEN`]), the drafts at once ([`MAX_DRAFTS`], and by their
//! bytes), the requests at one peer, and what connections send beside metadata (`link`). Connections are limited too,
//! and one that does not help makes room when others wait (`slots`).

mod draft;
mod drafting;
mod event;
mod fetcher;
pub mod link;
pub mod named;
mod read_limit;
pub mod slots;
#[cfg(test)]
mod tests;

pub use event::{DropReason, FetchState, LinkKey, Output};
pub use fetcher::{Fetcher, is_metadata_of};

/// The largest info dictionary that is fetched, in bytes: what `tailwater_metainfo` loads at most. A peer that claims more is
/// not asked.
pub const MAX_METADATA_LEN: u32 = 10_000_000;
/// Bytes of all drafts at once, by the sizes that peers claim: four of the largest, or one from each connection if the
/// metadata is of a usual size. This bounds the memory of a fetch; it is used only as blocks come.
pub const MAX_DRAFT_BYTES: u64 = 4 * MAX_METADATA_LEN as u64;
/// Drafts at once: one for each connection of a fetch, and some that wait for their senders to come back.
pub const MAX_DRAFTS: usize = 64;
