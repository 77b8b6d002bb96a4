//! The machine that fetches the metadata of a magnet link, for those who drive it themselves.

pub use tailwater_engine::metadata::{
    DropReason, FetchState, Fetcher, LinkKey, MAX_DRAFT_BYTES, MAX_DRAFTS, MAX_METADATA_LEN, Output,
};
