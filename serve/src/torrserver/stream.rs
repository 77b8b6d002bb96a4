//! `/stream` and `/play`: a link is added, and then preloaded, listed or played.

use axum::body::Body;
use axum::http::header::{ACCEPT_RANGES, HeaderName, HeaderValue, RANGE};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};
use tailwater_session::Torrent;

use super::answer::{empty, text};
use super::files::{self, File};
use super::link::{self, Link};
use super::playlist;
use super::query::{Query, position};
use super::refused::{Refused, may_change};
use super::server::Shared;
use super::texts::Texts;
use super::torrents;
use crate::compat::Asker;
use crate::control::{StorageChoice, TorrentId};
use crate::on_demand::Keeping;

const TRANSFER_MODE: HeaderName = HeaderName::from_static("transfermode.dlna.org");
const CONTENT_FEATURES: HeaderName = HeaderName::from_static("contentfeatures.dlna.org");
const GET_CONTENT_FEATURES: HeaderName = HeaderName::from_static("getcontentfeatures.dlna.org");
/// A file can be read from any byte on, and is not converted; it is streamed, and the connection may stall.
const FEATURES: &str =
    "DLNA.ORG_OP=01;DLNA.ORG_CI=0;DLNA.ORG_FLAGS=01700000000000000000000000000000";

/// Answers a request for `/stream`; `name` is what stands behind that in the path.
pub(super) async fn stream(
    shared: &Shared,
    asker: &Asker,
    name: &str,
    request: Parts,
) -> Result<Response<Body>, Refused> {
    let query = Query::read(request.uri.query());
    let link = query.text("link");
    if link.is_empty() {
        return Err(Refused::bad("link is empty"));
    }
    let id = find(shared, asker, Link::read(link)?, &query).await?;
    let torrent = shared.on_demand.open(id).await?;
    let files = shared.known.files(id, &torrent);
    if query.has("save") {
        save(shared, asker, id, &files).await?;
    }
    let file = files::find(&files, query.int("index"));
    if query.has("play") && file.is_none() {
        return Err(Refused::bad("index is empty, or there is no such file"));
    }
    if query.has("preload") {
        let range = request.headers.get(RANGE);
        let position = position(range.and_then(|range| range.to_str().ok()));
        if let Some(file) = file.or_else(|| files.first()) {
            preload(shared, id, &torrent, file, position).await;
        }
    }
    if query.has("stat") {
        return torrents::status(shared, id);
    }
    if query.has("m3u") {
        let from = from(shared, id, &files, &query);
        return Ok(list(asker, id, &files, from, name, torrent.info().name()));
    }
    match file.filter(|_| query.has("play")) {
        Some(file) => play(shared, asker, id, torrent, file, request).await,
        None => Ok(empty()),
    }
}

/// Answers a request for `/play/HASH/ID`: of a torrent that is there.
pub(super) async fn play_known(
    shared: &Shared,
    asker: &Asker,
    path: &str,
    request: Parts,
) -> Result<Response<Body>, Refused> {
    let missing = || Refused::new(StatusCode::NOT_FOUND, "there is no such torrent or file");
    let (hash, file) = path.split_once('/').ok_or_else(missing)?;
    let id = link::id(hash).ok_or_else(missing)?;
    let torrent = shared.on_demand.open(id).await?;
    let files = shared.known.files(id, &torrent);
    let file = files::find(&files, file.parse().ok()).ok_or_else(missing)?;
    play(shared, asker, id, torrent, file, request).await
}

/// The torrent of a link, which is added if it is not there.
async fn find(
    shared: &Shared,
    asker: &Asker,
    link: Link,
    query: &Query,
) -> Result<TorrentId, Refused> {
    let known = link.id.filter(|id| shared.control().torrent(*id).is_ok());
    if let Some(id) = known {
        return Ok(id);
    }
    may_change(asker)?;
    let texts = Texts {
        title: query.text("title").to_owned(),
        poster: query.text("poster").to_owned(),
        category: query.text("category").to_owned(),
        data: String::new(),
    };
    torrents::added(shared, link, texts, query.has("save")).await
}

/// Has a torrent stay in the list, with the names of its files.
async fn save(
    shared: &Shared,
    asker: &Asker,
    id: TorrentId,
    files: &[File],
) -> Result<(), Refused> {
    if shared.on_demand.keeping(id) != Some(Keeping::Passing) {
        return Ok(());
    }
    may_change(asker)?;
    shared.on_demand.save(id).await?;
    shared.remember_files(id, files).await;
    Ok(())
}

async fn preload(shared: &Shared, id: TorrentId, torrent: &Torrent, file: &File, position: u64) {
    let memory = shared.control().stats().memory_budget;
    let mut size = shared.settings.preload_size(memory);
    // The other half is for what is played meanwhile.
    let is_in_memory = shared
        .control()
        .torrent(id)
        .is_ok_and(|view| view.storage == StorageChoice::Memory);
    if is_in_memory {
        size = size.min(memory / 2);
    }
    shared.preloads.run(id, torrent, file, position, size).await;
}

/// Where a playlist begins: at a file, at the one that was played last, or at the first.
pub(super) fn from(shared: &Shared, id: TorrentId, files: &[File], query: &Query) -> usize {
    let number = match query.has("index") && !query.text("index").is_empty() {
        true => query.int("index").and_then(|id| usize::try_from(id).ok()),
        false if query.has("fromlast") => shared
            .viewed
            .last(id)
            .and_then(|id| usize::try_from(id).ok()),
        false => None,
    };
    let at = number.and_then(|number| files.iter().position(|file| file.id == number));
    at.unwrap_or(0)
}

/// The playlist of a torrent.
pub(super) fn list(
    asker: &Asker,
    id: TorrentId,
    files: &[File],
    from: usize,
    name: &str,
    torrent: &str,
) -> Response<Body> {
    let list = playlist::of_torrent(files, &id.to_string(), &asker.base, from);
    let name = match name {
        "" => torrent,
        name => name,
    };
    playlist_answer(list, name)
}

/// A playlist as a file of this name.
pub(super) fn playlist_answer(list: String, name: &str) -> Response<Body> {
    let lower = name.to_ascii_lowercase();
    let name = match lower.ends_with(".m3u") || lower.ends_with(".m3u8") {
        true => name.to_owned(),
        false => format!("{name}.m3u"),
    };
    let mut response = text(playlist::CONTENT_TYPE, list);
    let disposition = crate::stream::disposition(&name).replacen("inline", "attachment", 1);
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        let headers = response.headers_mut();
        headers.insert(axum::http::header::CONTENT_DISPOSITION, disposition);
    }
    response
}

async fn play(
    shared: &Shared,
    asker: &Asker,
    id: TorrentId,
    torrent: Torrent,
    file: &File,
    request: Parts,
) -> Result<Response<Body>, Refused> {
    if request.method == Method::GET
        && asker.may_change()
        && let Ok(number) = u32::try_from(file.id)
    {
        shared.viewed.on_played(shared.control(), id, number).await;
    }
    let wants_features = request.headers.contains_key(GET_CONTENT_FEATURES);
    let path = format!("/{}", file.index);
    let played = shared
        .mount
        .answer(torrent, &path, &asker.base, request, &asker.client)
        .await;
    shared.on_demand.touch(id);
    let mut response = played.map(Body::new);
    let headers = response.headers_mut();
    headers.insert(TRANSFER_MODE, HeaderValue::from_static("Streaming"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if wants_features {
        headers.insert(CONTENT_FEATURES, HeaderValue::from_static(FEATURES));
    }
    Ok(response)
}
