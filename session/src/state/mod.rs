//! The session's state on the disk, beside the resume data of its torrents.

mod metadata;

pub(crate) use metadata::MetadataStore;
