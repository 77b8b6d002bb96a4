//! The state machine that fetches the metadata of a magnet link, for programs that drive it themselves.

pub use tailwater_engine::metadata::{
    DropReason, FetchState, Fetcher, LinkKey, MAX_DRAFT_BYTES, MAX_DRAFTS, MAX_METADATA_LEN, Output,
};
