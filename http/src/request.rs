//! A request, before it is sent.

use std::ops::RangeInclusive;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::client::Client;
use crate::error::HttpError;
use crate::policy::UrlTrust;
use crate::response::Response;

/// A GET request, made by [`Client::get`]. Nothing happens before [`send`](Self::send).
#[derive(Clone, Debug)]
#[must_use = "a request does nothing before it is sent"]
pub struct Request {
    pub(crate) client: Client,
    pub(crate) url: String,
    pub(crate) trust: UrlTrust,
    pub(crate) is_expected: fn(&str) -> bool,
    pub(crate) headers: HeaderMap,
    pub(crate) max_body_len: usize,
}

impl Request {
    pub(crate) fn new(client: Client, url: &str, max_body_len: usize) -> Self {
        Self {
            client,
            url: url.to_owned(),
            trust: UrlTrust::Composed,
            is_expected: |_| false,
            headers: HeaderMap::new(),
            max_body_len,
        }
    }

    /// How far the URL is trusted. Default: [`UrlTrust::Composed`], the strictest.
    pub fn trust(mut self, trust: UrlTrust) -> Self {
        self.trust = trust;
        self
    }

    /// Which paths a request of this kind has: a redirect to one of them, without a query or with ours, counts as
    /// [`UrlTrust::Plain`], others as [`UrlTrust::Composed`]. Default: none.
    pub fn expected_paths(mut self, is_expected: fn(&str) -> bool) -> Self {
        self.is_expected = is_expected;
        self
    }

    /// Requests a range of the resource, in bytes, the last one included (RFC 9110, 14.1.2). Servers that know ranges
    /// answer with 206 and [`Response::content_range`]; others send the whole with 200.
    pub fn range(self, bytes: RangeInclusive<u64>) -> Self {
        let value = format!("bytes={}-{}", bytes.start(), bytes.end());
        let value = HeaderValue::try_from(value).expect("digits are a header's value");
        self.header(header::RANGE, value)
    }

    /// Adds a header. It is sent to the targets of redirects too: it must not be a secret.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The longest body that is read, in bytes. Default: [`ClientConfig::max_body_len`](crate::ClientConfig::max_body_len).
    pub const fn max_body_len(mut self, bytes: usize) -> Self {
        self.max_body_len = bytes;
        self
    }

    /// Sends the request, follows redirects, and returns when the head of the last answer has come.
    ///
    /// An error status is an answer like others: see [`Response::status`].
    ///
    /// # Errors
    ///
    /// [`HttpError`]: all that can go wrong before a body is read, within the time that the configuration gives.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the request and its connection; the server may have acted on it.
    pub async fn send(self) -> Result<Response, HttpError> {
        let client = self.client.clone();
        client.execute(self).await
    }
}
