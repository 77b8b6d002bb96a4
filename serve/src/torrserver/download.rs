//! `/download/SIZE`: zeros, by which a client measures how fast the network between it and the server is.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use axum::http::{Method, Response};
use bytes::Bytes;
use futures_util::stream;

use super::refused::Refused;

/// The most that is sent, in mebibytes.
const MAX_SIZE: u64 = 4_096;
const MEBIBYTE: u64 = 1_024 * 1_024;
/// Bytes of a frame: all of them are the same ones.
static FRAME: [u8; 64 * 1_024] = [0; 64 * 1_024];

/// Answers a request for so many mebibytes.
pub(super) fn answer(method: &Method, size: &str) -> Result<Response<Body>, Refused> {
    let size = size
        .parse()
        .ok()
        .filter(|size| (1..=MAX_SIZE).contains(size));
    let size: u64 = size.ok_or_else(|| {
        Refused::bad(format!("the size has to be from 1 to {MAX_SIZE} mebibytes"))
    })?;
    let len = size * MEBIBYTE;
    let frame = u64::try_from(FRAME.len()).unwrap_or(u64::MAX);
    let frames = match *method {
        Method::HEAD => 0,
        _ => len / frame,
    };
    let zeros = (0..frames).map(|_| Ok::<_, Infallible>(Bytes::from_static(&FRAME)));
    let mut response = Response::new(Body::from_stream(stream::iter(zeros)));
    let headers = response.headers_mut();
    let octets = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, octets);
    headers.insert(CONTENT_LENGTH, len.into());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn so_many_zeros_are_sent() {
        let response = answer(&Method::GET, "2").unwrap();
        assert_eq!(response.headers()[CONTENT_LENGTH], "2097152");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.len() == 2_097_152 && body.iter().all(|byte| *byte == 0));
        let head = answer(&Method::HEAD, "2").unwrap();
        assert!(
            head.into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .is_empty()
        );
        for size in ["", "0", "-1", "4097", "99999999999999999999", "x"] {
            assert!(answer(&Method::GET, size).is_err(), "{size}");
        }
    }
}
