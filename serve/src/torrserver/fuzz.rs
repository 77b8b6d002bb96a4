//! The bodies of the fuzz targets.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;

use super::body::Body;
use super::link::Link;
use super::query::{Query, position};
use super::torrs_hash::TorrsHash;
use super::upload;

/// The JSON of a request: whatever it is, each key has a value of one type or is refused, and what is said is no longer than
/// what was sent.
pub fn body(data: &[u8]) {
    let Ok(body) = Body::read(data) else { return };
    for name in ["action", "hash", "link", "title", "data"] {
        if let Ok(text) = body.text(name) {
            assert!(text.len() <= data.len());
        }
    }
    let are_numbers = [body.int("file_index"), body.int("cachesize")];
    assert!(
        are_numbers
            .iter()
            .all(|it| it.is_ok() || body.number("file_index").is_ok() || it.is_err())
    );
    if let Ok(Some(sets)) = body.object("sets") {
        // The same object again.
        assert_eq!(body.object("sets"), Ok(Some(sets)));
    }
    link(data);
}

/// A link, and the query that it comes in.
pub fn link(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let query = Query::read(Some(text));
    assert!(query.text("link").len() <= data.len());
    assert!(position(Some(text)) == 0 || text.contains("bytes="));
    if let Ok(link) = Link::read(text) {
        assert!(link.title.len() <= 64 * 1_024);
    }
    if let Ok(says) = TorrsHash::unpack(text) {
        let again = TorrsHash::unpack(&says.pack());
        assert_eq!(again.map(|it| it.info_hash), Ok(says.info_hash));
    }
}

/// A form with .torrent files.
pub fn form(data: &[u8]) {
    let mut headers = HeaderMap::new();
    let form_type = axum::http::HeaderValue::from_static("multipart/form-data; boundary=X");
    headers.insert(CONTENT_TYPE, form_type);
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
        return;
    };
    let read = runtime.block_on(upload::read(&headers, Bytes::copy_from_slice(data)));
    if let Ok(form) = read {
        let len: usize = form.files.iter().map(Bytes::len).sum();
        assert!(len <= data.len());
    }
}
