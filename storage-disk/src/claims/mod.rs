//! Who may use which file: claims within a session, locks against other processes, and what one torrent holds of both.

pub(crate) mod hold;
pub(crate) mod locks;
pub(crate) mod paths;
