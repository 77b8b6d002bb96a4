//! The body of the fuzz target.

use super::query::{OnlyFiles, Query};
use crate::control::AddSource;

/// A query and a body, with a line feed between them: what is read of them is no longer than they are.
pub fn request(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (query, body) = data.split_at(end.unwrap_or(data.len()));
    let body = body.get(1..).unwrap_or_default();
    let query = String::from_utf8_lossy(query);
    if let Ok(read) = Query::read(Some(&query)) {
        if let Ok(params) = read.params() {
            assert!(params.files.map_or(0, |it| it.len()) <= query.len());
            assert!(params.peers.len() <= query.len());
        }
        if let Ok(source) = read.source(body) {
            let len = match &source {
                AddSource::Link(text) => text.len(),
                AddSource::TorrentFile(bytes) => bytes.len(),
            };
            assert!(len <= body.len());
        }
    }
    if let Ok(chosen) = serde_json::from_slice::<OnlyFiles>(body) {
        assert!(chosen.only_files.len() <= body.len());
    }
}
