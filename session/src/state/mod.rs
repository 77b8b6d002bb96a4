//! The session's state on the disk, beside the resume data of its torrents.

#[cfg_attr(not(feature = "disk"), path = "no_metadata.rs")]
mod metadata;

pub(crate) use metadata::MetadataStore;
