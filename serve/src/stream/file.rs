//! The response to a request for a file: its headers, and which bytes follow.

use bytes::Bytes;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderValue, LAST_MODIFIED, RANGE,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use super::answer::{self, set};
use super::body::{Body, Part, total};
use super::condition::Verdict;
use super::escape::disposition;
use super::item::Item;
use super::range::{Selection, select};

/// A response without its body yet.
pub(crate) struct Outline<R> {
    pub(crate) response: Response<Body<R>>,
    /// What the body consists of; nothing where there is none.
    pub(crate) parts: Vec<Part>,
}

/// The response to a request for a file.
pub(crate) fn outline<R>(request: &Parts, item: &Item) -> Outline<R> {
    let method = &request.method;
    let headers = &request.headers;
    let bare = |response| Outline {
        response,
        parts: Vec::new(),
    };
    match item.validators.check(headers) {
        Verdict::Proceed => {}
        Verdict::NotModified => return bare(validated(StatusCode::NOT_MODIFIED, item)),
        Verdict::Failed => {
            let reason = "the file is another one";
            let status = StatusCode::PRECONDITION_FAILED;
            return bare(answer::error(method, status, reason));
        }
    }
    // Ranges are defined for GET only, and must be ignored elsewhere (RFC 9110, section 14.2).
    let range = headers
        .get(RANGE)
        .filter(|_| method == Method::GET && item.validators.allow_range(headers));
    let selection = range.map_or(Selection::Whole, |range| {
        select(range.as_bytes(), item.length)
    });
    let mut outline = match selection {
        Selection::Whole => whole(item),
        Selection::One(range) => {
            let mut response = found(StatusCode::PARTIAL_CONTENT, item);
            let content_range = format!("bytes {}-{}/{}", range.start, range.end - 1, item.length);
            set(&mut response, CONTENT_RANGE, content_range);
            Outline {
                response,
                parts: vec![Part::File(range)],
            }
        }
        Selection::Several(ranges) => several(item, ranges),
        Selection::Unsatisfiable => {
            let reason = "the file has no such bytes";
            let mut response = answer::error(method, StatusCode::RANGE_NOT_SATISFIABLE, reason);
            set(
                &mut response,
                CONTENT_RANGE,
                format!("bytes */{}", item.length),
            );
            return bare(response);
        }
    };
    let length = total(&outline.parts);
    set(&mut outline.response, CONTENT_LENGTH, length.to_string());
    if length == 0 || method == Method::HEAD {
        outline.parts.clear();
    }
    outline
}

fn whole<R>(item: &Item) -> Outline<R> {
    let mut response = found(StatusCode::OK, item);
    set(
        &mut response,
        ACCEPT_RANGES,
        HeaderValue::from_static("bytes"),
    );
    Outline {
        response,
        parts: vec![Part::File(0..item.length)],
    }
}

/// `multipart/byteranges` (RFC 9110, section 14.6), laid out byte for byte as nginx does.
fn several<R>(item: &Item, ranges: Vec<std::ops::Range<u64>>) -> Outline<R> {
    // Nothing is guaranteed about the file's bytes, so the boundary cannot be foreseen.
    let boundary = format!("{:020}", fastrand::u64(..));
    let content_type = item.media.content_type;
    let mut parts = Vec::with_capacity(ranges.len() * 2 + 1);
    for range in ranges {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: bytes {}-{}/{}\r\n\r\n",
            range.start,
            range.end - 1,
            item.length
        );
        parts.push(Part::Text(Bytes::from(head)));
        parts.push(Part::File(range));
    }
    parts.push(Part::Text(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
    let mut response = found(StatusCode::PARTIAL_CONTENT, item);
    let content_type = format!("multipart/byteranges; boundary={boundary}");
    set(&mut response, CONTENT_TYPE, content_type);
    Outline { response, parts }
}

/// A response with the file's validators.
fn validated<R>(status: StatusCode, item: &Item) -> Response<Body<R>> {
    let mut response = answer::empty(status);
    set(&mut response, ETAG, item.validators.etag());
    if let Some(date) = item.validators.last_modified() {
        set(&mut response, LAST_MODIFIED, date);
    }
    response
}

fn found<R>(status: StatusCode, item: &Item) -> Response<Body<R>> {
    let mut response = validated(status, item);
    set(&mut response, CONTENT_TYPE, item.media.content_type);
    set(&mut response, CONTENT_DISPOSITION, disposition(item.name()));
    response
}
