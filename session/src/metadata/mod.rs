//! The handle of a fetch of metadata; what is asked of which peer is decided by [`tailwater_engine::metadata`].

pub(crate) mod handle;

pub use tailwater_engine::metadata::{
    DropReason, FetchState, Fetcher, LinkKey, MAX_DRAFT_BYTES, MAX_DRAFTS, MAX_METADATA_LEN, Output,
};
pub(crate) use tailwater_engine::metadata::{link, named, slots};
