//! The listener: how requests come in, and what all of them share.

use std::sync::Arc;

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::{Extension, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use tailwater_metainfo::Limits as TorrentLimits;
use tokio::net::TcpListener;
use tokio::sync::{OnceCell, Semaphore};

use super::body::Body;
use super::cache::Caches;
use super::files::{File, KnownTorrents};
use super::preload::Preloads;
use super::query::Query;
use super::refused::{Refused, may_change};
use super::secret::{Secret, in_urls, take_secret};
use super::settings::{Fixed, Settings};
use super::texts::{self, Texts};
use super::viewed::Viewed;
use super::{answer, download, link, playlist, stream, torrents, upload};
use crate::compat::{Asker, CompatConfig, CompatServer, Door, Rules};
use crate::control::{Attributes, Control, MAX_ATTRIBUTE_LEN, TorrentId};
use crate::on_demand::OnDemand;
use crate::stream::Mount;

/// What a client is told of the version: programs compare the number behind the point.
const VERSION: &str = "MatriX.143";
/// The most connections. One more displaces one that does nothing.
const CONNECTIONS: usize = 512;
/// The longest body that is not a .torrent file, in bytes: clients keep descriptions of films with a torrent.
const BODY_LEN: usize = 1_024 * 1_024;
/// What a form has besides a .torrent file, in bytes.
const AROUND: usize = 1_024 * 1_024;
/// The most large answers that are made at once: lists of thousands of torrents, and pictures of caches.
const LARGE_AT_ONCE: usize = 8;

/// What all requests share.
pub(super) struct Shared {
    pub(super) on_demand: OnDemand,
    pub(super) door: Arc<Door>,
    pub(super) mount: Mount,
    pub(super) known: KnownTorrents,
    pub(super) preloads: Preloads,
    pub(super) viewed: Viewed,
    pub(super) settings: Settings,
    caches: Caches,
    /// What is kept with the daemon has been read.
    is_loaded: OnceCell<()>,
    large: Semaphore,
}

impl Shared {
    pub(super) fn control(&self) -> &Control {
        self.on_demand.control()
    }

    /// Reads what is kept with the daemon, the first time.
    async fn load(&self) -> Result<(), Refused> {
        let reading = async {
            self.viewed.load(self.control()).await?;
            self.settings.load(self.control()).await?;
            self.on_demand.set_idle(self.settings.timeout());
            Ok(())
        };
        self.is_loaded.get_or_try_init(|| reading).await.copied()
    }

    /// Keeps the names of the files with a torrent with which a client keeps nothing: it finds them there while the torrent
    /// is not in memory.
    pub(super) async fn remember_files(&self, id: TorrentId, files: &[File]) {
        let attributes = self.control().attributes(id).unwrap_or_default();
        if attributes.contains_key(texts::DATA) {
            return;
        }
        let data = torrents::list_of_files(files);
        if data.len() <= MAX_ATTRIBUTE_LEN {
            let attributes = Attributes::from([(texts::DATA.to_owned(), data)]);
            if let Err(error) = self.control().set_attributes(id, attributes).await {
                tracing::debug!("the files of torrent {id} are not kept: {error}");
            }
        }
    }
}

/// Serves the API to all who connect to `listener`.
///
/// # Errors
///
/// When the listener has no address.
pub fn start(
    listener: TcpListener,
    on_demand: OnDemand,
    config: &CompatConfig,
    fixed: Fixed,
) -> std::io::Result<CompatServer> {
    let rules = Rules {
        exposed: "content-length, content-range, accept-ranges, etag",
        ..Rules::of(CONNECTIONS)
    };
    let control = on_demand.control().clone();
    CompatServer::start(listener, control, config, rules, |door| {
        let shared = Arc::new(Shared {
            on_demand,
            door: Arc::clone(door),
            mount: Mount::new(rules.limits),
            known: KnownTorrents::default(),
            preloads: Preloads::default(),
            viewed: Viewed::default(),
            settings: Settings::new(fixed),
            caches: Caches::default(),
            is_loaded: OnceCell::new(),
            large: Semaphore::new(LARGE_AT_ONCE),
        });
        let routes = Router::new().fallback(handle).with_state(shared);
        let guarded = door.guard(routes);
        let guarded = guarded.layer(axum::middleware::map_request(take_secret));
        // It says that the server is there, and is asked for that.
        Router::new().route("/echo", get(echo)).merge(guarded)
    })
}

async fn echo() -> Response {
    answer::text("text/plain; charset=utf-8", VERSION)
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    mut asker: Asker,
    secret: Option<Extension<Secret>>,
    request: Request,
) -> Response {
    // What plays the URLs that it is given may know no password.
    let secret = secret.map(|Extension(secret)| secret);
    asker.base += &in_urls(secret.as_ref(), request.headers());
    let (parts, body) = request.into_parts();
    match route(&shared, &asker, parts, body).await {
        Ok(response) => response,
        Err(Answer::Refused(why)) => answer::refused(&why),
        Err(Answer::Made(response)) => response,
    }
}

/// Why there is no answer of the usual kind.
enum Answer {
    Refused(Refused),
    Made(Response),
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

async fn route(
    shared: &Shared,
    asker: &Asker,
    parts: Parts,
    body: HttpBody,
) -> Result<Response, Answer> {
    shared.load().await?;
    let path = parts.uri.path().to_owned();
    let (first, rest) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    let is_read = [Method::GET, Method::HEAD].contains(&parts.method);
    let is_posted = parts.method == Method::POST;
    match first {
        "stream" if is_read => {
            let name = decoded(rest).replace('/', "");
            Ok(stream::stream(shared, asker, &name, parts).await?)
        }
        "play" if is_read => Ok(stream::play_known(shared, asker, rest, parts).await?),
        "playlist" if is_read => {
            let name = decoded(rest).replace('/', "");
            Ok(one_playlist(shared, asker, &name, &parts).await?)
        }
        "playlistall" if is_read && rest == "all.m3u" => Ok(all_playlists(shared, asker, &parts)),
        "download" if is_read => Ok(download::answer(&parts.method, rest)?),
        "torrents" | "cache" | "settings" | "viewed" if is_posted && rest.is_empty() => {
            let read = shared.door.body(&parts.headers, body, BODY_LEN).await;
            let read = read.map_err(Answer::Made)?;
            let body = Body::read(&read.bytes)?;
            Ok(posted(shared, asker, first, &body).await?)
        }
        "torrent" if is_posted && rest == "upload" => {
            may_change(asker)?;
            let limit = TorrentLimits::default().len + AROUND;
            let read = shared.door.body(&parts.headers, body, limit).await;
            let read = read.map_err(Answer::Made)?;
            let form = upload::read(&parts.headers, read.bytes.clone()).await?;
            Ok(upload::run(shared, form).await?)
        }
        _ => Ok(other(first, rest, &parts.method)?),
    }
}

fn decoded(text: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(text);
    decoded.decode_utf8_lossy().into_owned()
}

/// What is there so that clients see it, and what is not done.
fn other(first: &str, rest: &str, method: &Method) -> Result<Response, Refused> {
    let is_read = [Method::GET, Method::HEAD].contains(method);
    match first {
        // Clients look here whether a server is there.
        "" if is_read => {
            let words =
                "tailwater: the API of TorrServer. A player opens /stream?link=LINK&index=1&play\n";
            Ok(answer::text("text/plain; charset=utf-8", words))
        }
        "shutdown" if is_read => Err(Refused::new(
            StatusCode::FORBIDDEN,
            "a client of this API does not end the daemon: others may be using it",
        )),
        // As there while searches are off.
        "search" | "torznab" if is_read => {
            let mut response = answer::json_of(&[(); 0]);
            *response.status_mut() = StatusCode::BAD_REQUEST;
            Ok(response)
        }
        "stream" | "play" | "playlist" | "playlistall" | "download" | "torrents" | "cache"
        | "settings" | "viewed" | "torrent"
            if !is_read || rest.is_empty() =>
        {
            Err(Refused::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this address is asked with another method",
            ))
        }
        _ => Err(Refused::new(StatusCode::NOT_FOUND, "there is nothing here")),
    }
}

async fn posted(
    shared: &Shared,
    asker: &Asker,
    what: &str,
    body: &Body,
) -> Result<Response, Refused> {
    // It is never closed.
    let _turn = shared.large.acquire().await.ok();
    match what {
        "torrents" => torrents::run(shared, asker, body).await,
        "cache" => cached(shared, body).await,
        "settings" => settings(shared, asker, body).await,
        _ => viewed(shared, asker, body).await,
    }
}

async fn cached(shared: &Shared, body: &Body) -> Result<Response, Refused> {
    if body.text("action")? != "get" {
        return Err(Refused::bad("action has to be get"));
    }
    let hash = body.text("hash")?;
    if hash.is_empty() {
        return Err(Refused::bad("hash is empty"));
    }
    let missing = || Refused::new(StatusCode::NOT_FOUND, "there is no such torrent");
    let id = link::id(hash).ok_or_else(missing)?;
    let view = shared.control().torrent(id)?;
    shared.on_demand.touch(id);
    let Some(torrent) = shared.control().running(id) else {
        return Ok(answer::json_of(&serde_json::json!({})));
    };
    let json = shared.caches.get(shared, &view, &torrent).await?;
    Ok(answer::json(json))
}

async fn settings(shared: &Shared, asker: &Asker, body: &Body) -> Result<Response, Refused> {
    match body.text("action")? {
        "get" => return Ok(answer::json_of(&shared.settings.show(shared.control()))),
        "set" => {
            may_change(asker)?;
            shared.settings.set(shared.control(), body).await?;
        }
        "def" => {
            may_change(asker)?;
            shared.settings.reset(shared.control()).await?;
        }
        _ => return Err(Refused::bad("action has to be get, set or def")),
    }
    shared.on_demand.set_idle(shared.settings.timeout());
    Ok(answer::empty())
}

async fn viewed(shared: &Shared, asker: &Asker, body: &Body) -> Result<Response, Refused> {
    let action = body.text("action")?;
    if action == "list" {
        let id = match body.text("hash")? {
            "" => None,
            hash => Some(link::id(hash)),
        };
        // Of a text that names no torrent nothing was played.
        let views = match id {
            Some(None) => Vec::new(),
            Some(id) => shared.viewed.list(id),
            None => shared.viewed.list(None),
        };
        return Ok(answer::json_of(&views));
    }
    may_change(asker)?;
    let keeps_time = shared.settings.keeps_time();
    let control = shared.control();
    shared
        .viewed
        .change(control, action, body, keeps_time)
        .await?;
    Ok(answer::empty())
}

async fn one_playlist(
    shared: &Shared,
    asker: &Asker,
    name: &str,
    parts: &Parts,
) -> Result<Response, Refused> {
    let query = Query::read(parts.uri.query());
    let hash = query.text("hash");
    if hash.is_empty() {
        return Err(Refused::bad("hash is empty"));
    }
    let missing = || Refused::new(StatusCode::NOT_FOUND, "there is no such torrent");
    let id = link::id(hash).ok_or_else(missing)?;
    let torrent = shared.on_demand.open(id).await?;
    let files = shared.known.files(id, &torrent);
    let from = stream::from(shared, id, &files, &query);
    let title = torrent.info().name();
    Ok(stream::list(asker, id, &files, from, name, title))
}

fn all_playlists(shared: &Shared, asker: &Asker, parts: &Parts) -> Response {
    let query = Query::read(parts.uri.query());
    let (category, search) = (query.text("category"), query.text("search").to_lowercase());
    let all = torrents::sorted(shared).into_iter().filter_map(|view| {
        let attributes = shared.control().attributes(view.id).unwrap_or_default();
        let texts = Texts::of(&view, &attributes);
        let is_of_category = match category {
            "" => true,
            "uncategorized" => texts.category.is_empty(),
            category => texts.category == category,
        };
        let is_found = texts.title.to_lowercase().contains(&search);
        (is_of_category && is_found).then(|| (view.id.to_string(), texts))
    });
    let all: Vec<_> = all.collect();
    let list = playlist::of_all(
        all.iter().map(|(hash, texts)| playlist::Torrent {
            hash,
            title: &texts.title,
            poster: &texts.poster,
        }),
        &asker.base,
    );
    let mut response = stream::playlist_answer(list, "all.m3u");
    response.headers_mut().remove(header::CACHE_CONTROL);
    response
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.preloads.end_all();
    }
}
