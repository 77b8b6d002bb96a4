//! The body of the fuzz target.

use super::create::{Create, link, trackers};
use super::route::Route;

/// The body of `create`, and the path of a request: whatever they are, they are read or refused, and a link that is made of
/// trackers is a magnet link.
pub fn body(data: &[u8]) {
    if let Ok(create) = Create::read(data) {
        assert!(create.trackers.len() <= data.len());
        assert!(create.file.is_none_or(|file| file.len() <= data.len()));
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = Route::of(text);
    let named = trackers(text.split_whitespace());
    let hash = tailwater_metainfo::InfoHash::new([7; 20]);
    let magnet = link(hash, named).parse::<tailwater_metainfo::Magnet>();
    assert!(magnet.is_ok_and(|magnet| magnet.hashes.v1 == Some(hash)));
}
