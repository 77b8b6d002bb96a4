//! What stands where.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::answer::{self, set};
use super::body::{Body, FileBody};
use super::client::Client;
use super::file::{self, Outline};
use super::fresh::Fresh;
use super::guard;
use super::host::Hosts;
use super::library::{Item, Library};
use super::page;
use super::places::Places;
use super::playlist;
use super::server::Limits;
use super::source::Source;
use super::stats::Snapshot;

/// When a client that was one too many may come back, in seconds.
const RETRY_AFTER_SECONDS: &str = "2";

/// How much longer `/stats` is kept for each piece of the torrent. Making it takes 6 ns a piece, and 14 if every other
/// piece is held, so it costs less than half a percent of a processor, whatever the number of pieces and of clients.
const STATS_KEPT_PER_PIECE: Duration = Duration::from_micros(4);

/// Everything that is served.
pub(crate) struct Site<S> {
    source: S,
    library: Arc<Library>,
    page: Bytes,
    hosts: Hosts,
    /// For those who read a file.
    streams: Places,
    /// The answer to `/stats`.
    stats: Fresh<Bytes>,
}

/// The whole of `/stats`.
#[derive(Serialize)]
struct Stats<'a> {
    name: &'a str,
    info_hash: &'a str,
    piece_length: u32,
    /// The file that is played first.
    file: usize,
    #[serde(flatten)]
    snapshot: Snapshot,
}

impl<S: Source> Site<S> {
    /// At most `limits.streams` files are read at once.
    pub(crate) fn new(source: S, library: Arc<Library>, hosts: Hosts, limits: Limits) -> Self {
        Self {
            page: page::render(&library).into(),
            stats: Fresh::new(
                limits.stats_kept_for + STATS_KEPT_PER_PIECE.saturating_mul(library.piece_count),
            ),
            source,
            library,
            hosts,
            streams: Places::new(limits.streams, limits.patience),
        }
    }

    /// Answers a request. Nothing is changed by any.
    pub(crate) async fn answer(
        &self,
        request: &Parts,
        client: &Arc<Client>,
    ) -> Response<Body<S::Reader>> {
        let method = &request.method;
        let asked =
            guard::host(request, self.hosts).and_then(|host| guard::origin(request).map(|()| host));
        let host = match asked {
            Ok(host) => host,
            Err(refused) => return answer::error(method, refused.status(), refused.reason()),
        };
        if ![Method::GET, Method::HEAD].contains(method) {
            return answer::wrong_method(method);
        }
        let fixed = |content_type, text| answer::text(method, StatusCode::OK, content_type, text);
        match request.uri.path() {
            "/" => answer::page(method, self.page.clone()),
            "/page.js" => fixed("text/javascript; charset=utf-8", page::SCRIPT),
            "/page.css" => fixed("text/css; charset=utf-8", page::STYLE),
            "/icon.svg" => fixed("image/svg+xml", page::ICON),
            "/playlist.m3u" => answer::text(
                method,
                StatusCode::OK,
                playlist::CONTENT_TYPE,
                playlist::render(&self.library, &host),
            ),
            "/stats" => self.stats(method).await,
            path => match self.find(path) {
                Some(item) => self.file(request, item, client).await,
                None => answer::error(method, StatusCode::NOT_FOUND, "there is nothing here"),
            },
        }
    }

    /// `/INDEX` or `/INDEX/NAME`.
    fn find(&self, path: &str) -> Option<&Item> {
        let path = path.strip_prefix('/')?;
        let (index, name) = match path.split_once('/') {
            Some((index, name)) => (index, Some(name)),
            None => (path, None),
        };
        let is_number = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
        let item = self.library.get(is_number.then(|| index.parse().ok())??)?;
        let is_name = |name| percent_decode_str(name).eq(item.name().bytes());
        name.is_none_or(is_name).then_some(item)
    }

    async fn file(
        &self,
        request: &Parts,
        item: &Item,
        client: &Arc<Client>,
    ) -> Response<Body<S::Reader>> {
        let Outline {
            mut response,
            parts,
        } = file::outline(request, item);
        if parts.is_empty() {
            return response;
        }
        let method = &request.method;
        let Some(place) = self.streams.take(client).await else {
            let reason = "too many files are being read";
            let mut busy = answer::error(method, StatusCode::SERVICE_UNAVAILABLE, reason);
            set(
                &mut busy,
                RETRY_AFTER,
                HeaderValue::from_static(RETRY_AFTER_SECONDS),
            );
            return busy;
        };
        match self.source.open(item.index) {
            Ok(reader) => {
                *response.body_mut() = Body::File(FileBody::new(reader, parts, place));
                response
            }
            Err(error) => unavailable(method, &error),
        }
    }

    async fn stats(&self, method: &Method) -> Response<Body<S::Reader>> {
        match self.stats.get(self.picture()).await {
            Ok(json) => {
                let mut response = answer::text(method, StatusCode::OK, "application/json", json);
                set(
                    &mut response,
                    CACHE_CONTROL,
                    HeaderValue::from_static("no-store"),
                );
                response
            }
            Err(error) => unavailable(method, &error),
        }
    }

    /// What `/stats` says now, as JSON.
    async fn picture(&self) -> io::Result<Bytes> {
        let stats = Stats {
            name: &self.library.title,
            info_hash: &self.library.info_hash,
            piece_length: self.library.piece_length,
            file: self.library.chosen().index,
            snapshot: self.source.snapshot().await?,
        };
        Ok(serde_json::to_vec(&stats)?.into())
    }
}

fn unavailable<R>(method: &Method, error: &io::Error) -> Response<Body<R>> {
    answer::error(method, StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
}
