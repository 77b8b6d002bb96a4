//! Routes of a torrent whose metadata is known.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::answer;
use super::body::{Body, FileBody};
use super::client::Client;
use super::file::{self, Outline};
use super::fresh::Fresh;
use super::item::Item;
use super::library::Library;
use super::limits::Limits;
use super::page;
use super::places::Places;
use super::playlist;
use super::program::Program;
use super::source::{Read, Source};
use super::stats::Snapshot;
use super::subtitles;
use super::webvtt;

/// How much longer `/stats` is kept for each piece of the torrent. Making it takes 6 ns a piece, and 14 if every other
/// piece is held, so it costs less than half a percent of a processor, whatever the number of pieces and of clients.
const STATS_KEPT_PER_PIECE: Duration = Duration::from_micros(4);
/// The most subtitles that are read, converted or sent at once. Each takes up to three times [`subtitles::MAX_LEN`] of
/// memory.
const MAX_CONVERSIONS: usize = 4;
/// The most bytes of subtitles asked of a reader at once.
const READ_LEN: usize = 64 * 1024;

/// Permits that clients hold while they are served.
pub(crate) struct Rooms {
    /// For clients that read a file.
    streams: Places,
    /// For clients that read subtitles.
    conversions: Places,
}

impl Rooms {
    /// At most `limits.streams` files are read at once.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            streams: Places::new(limits.streams, limits.patience),
            conversions: Places::new(MAX_CONVERSIONS, limits.patience),
        }
    }
}

/// A torrent that is served.
pub(crate) struct Film<S> {
    source: S,
    library: Arc<Library>,
    page: Bytes,
    /// The answer to `/stats`.
    stats: Fresh<Bytes>,
}

/// The whole of `/stats`.
#[derive(Serialize)]
struct Stats<'a> {
    phase: &'static str,
    name: &'a str,
    info_hash: &'a str,
    piece_length: u32,
    /// The file that is played first.
    file: usize,
    #[serde(flatten)]
    snapshot: Snapshot,
}

impl<S: Source> Film<S> {
    pub(crate) fn new(source: S, library: Arc<Library>, limits: Limits) -> Self {
        Self {
            page: page::render(&library).into(),
            stats: Fresh::new(
                limits.stats_kept_for + STATS_KEPT_PER_PIECE.saturating_mul(library.piece_count),
            ),
            source,
            library,
        }
    }

    pub(crate) async fn answer(
        &self,
        request: &Parts,
        base: &str,
        client: &Arc<Client>,
        rooms: &Rooms,
    ) -> Response<Body<S::Reader>> {
        let method = &request.method;
        match request.uri.path() {
            "/" => answer::page(method, self.page.clone()),
            "/playlist.m3u" => answer::text(
                method,
                StatusCode::OK,
                playlist::CONTENT_TYPE,
                playlist::render(&self.library, base),
            ),
            "/stats" => self.stats(method).await,
            path => {
                if let Some(item) = self.find(path) {
                    return self.file(request, item, client, &rooms.streams).await;
                }
                match self.find_subtitles(path) {
                    Some(item) => {
                        self.subtitles(request, item, client, &rooms.conversions)
                            .await
                    }
                    None => answer::not_found(method),
                }
            }
        }
    }

    /// `/INDEX` or `/INDEX/NAME`.
    fn find(&self, path: &str) -> Option<&Item> {
        let path = path.strip_prefix('/')?;
        let (index, name) = match path.split_once('/') {
            Some((index, name)) => (index, Some(name)),
            None => (path, None),
        };
        let item = self.item(index)?;
        let is_name = |name| percent_decode_str(name).eq(item.name().bytes());
        name.is_none_or(is_name).then_some(item)
    }

    /// `/subtitles/INDEX/NAME.vtt`.
    fn find_subtitles(&self, path: &str) -> Option<&Item> {
        let (index, name) = path.strip_prefix("/subtitles/")?.split_once('/')?;
        let item = self.item(index)?;
        (subtitles::is_subtitles(item) && subtitles::is_name(item, name)).then_some(item)
    }

    fn item(&self, index: &str) -> Option<&Item> {
        let is_number = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
        self.library.get(is_number.then(|| index.parse().ok())??)
    }

    async fn file(
        &self,
        request: &Parts,
        item: &Item,
        client: &Arc<Client>,
        streams: &Places,
    ) -> Response<Body<S::Reader>> {
        let Outline {
            mut response,
            parts,
        } = file::outline(request, item);
        if parts.is_empty() {
            return response;
        }
        let method = &request.method;
        let Some(place) = streams.take(client).await else {
            return answer::later(method, "too many files are being read");
        };
        match self.source.open(item.index, &Program::of(request)) {
            Ok(reader) => {
                let client = Arc::clone(client);
                *response.body_mut() = Body::File(FileBody::new(reader, parts, place, client));
                response
            }
            Err(error) => unavailable(method, &error),
        }
    }

    /// A whole file of subtitles, as WebVTT, once all of it is there.
    async fn subtitles(
        &self,
        request: &Parts,
        item: &Item,
        client: &Arc<Client>,
        conversions: &Places,
    ) -> Response<Body<S::Reader>> {
        let method = &request.method;
        let Some(place) = conversions.take(client).await else {
            return answer::later(method, "too many subtitles are being read");
        };
        let text = match self.read(item, &Program::of(request)).await {
            Ok(bytes) => webvtt::convert(&bytes),
            Err(error) => return unavailable(method, &error),
        };
        let mut response = answer::text(method, StatusCode::OK, webvtt::CONTENT_TYPE, text);
        if let Body::Text(text) = std::mem::replace(response.body_mut(), Body::empty()) {
            *response.body_mut() = Body::Held {
                text,
                _place: place,
            };
        }
        response
    }

    /// All bytes of a file, which [`subtitles::is_subtitles`] bounds.
    async fn read(&self, item: &Item, program: &Program) -> io::Result<Vec<u8>> {
        let mut reader = self.source.open(item.index, program)?;
        let length = usize::try_from(item.length.min(subtitles::MAX_LEN)).unwrap_or(0);
        let mut all = Vec::with_capacity(length);
        while all.len() < length {
            let max = READ_LEN.min(length - all.len());
            let bytes = poll_fn(|cx| reader.poll_bytes(cx, max)).await?;
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }

    async fn stats(&self, method: &Method) -> Response<Body<S::Reader>> {
        match self.stats.get(self.picture()).await {
            Ok(json) => answer::json(method, json),
            Err(error) => unavailable(method, &error),
        }
    }

    /// The current `/stats`, as JSON.
    async fn picture(&self) -> io::Result<Bytes> {
        let stats = Stats {
            phase: "streaming",
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
