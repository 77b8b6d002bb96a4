//! The listener: how requests come in, and what they are answered with.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::json;
use tailwater_metainfo::Limits as TorrentLimits;
use tokio::net::TcpListener;

use super::create::{self, Create};
use super::guess::Episode;
use super::route::{File, Route};
use super::{opensub, settings, stats};
use crate::compat::{Asker, CompatConfig, CompatServer, Door, Rules, json as json_answer, text};
use crate::control::{AddSource, Attributes, Control, ControlError, TorrentId, TorrentView};
use crate::on_demand::{Keeping, OnDemand};
use crate::stream::Mount;

/// The most connections. One more displaces one that does nothing.
const CONNECTIONS: usize = 256;
/// The longest body that is not a .torrent file, in bytes.
const BODY_LEN: usize = 256 * 1_024;
/// What the body with a .torrent file has besides, in bytes.
const AROUND: usize = 64 * 1_024;

/// What all requests share.
struct Shared {
    on_demand: OnDemand,
    door: Arc<Door>,
    mount: Mount,
    uses_dht: bool,
}

/// Serves the routes to all who connect to `listener`. `uses_dht`: whether peers are looked for in the DHT.
///
/// # Errors
///
/// When the listener has no address.
pub fn start(
    listener: TcpListener,
    on_demand: OnDemand,
    config: &CompatConfig,
    uses_dht: bool,
) -> std::io::Result<CompatServer> {
    let rules = Rules {
        exposed: "content-length, content-range, accept-ranges, content-type, etag",
        ..Rules::of(CONNECTIONS)
    };
    let control = on_demand.control().clone();
    CompatServer::start(listener, control, config, rules, |door| {
        let shared = Arc::new(Shared {
            on_demand,
            door: Arc::clone(door),
            mount: Mount::new(rules.limits),
            uses_dht,
        });
        door.guard(Router::new().fallback(handle).with_state(shared))
    })
}

async fn handle(State(shared): State<Arc<Shared>>, asker: Asker, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match shared.answer(&asker, parts, body).await {
        Ok(response) | Err(response) => response,
    }
}

impl Shared {
    fn control(&self) -> &Control {
        self.on_demand.control()
    }

    async fn answer(&self, asker: &Asker, parts: Parts, body: Body) -> Result<Response, Response> {
        let is_read = [Method::GET, Method::HEAD].contains(&parts.method);
        let is_posted = parts.method == Method::POST;
        let missing = || text(StatusCode::NOT_FOUND, "there is nothing here");
        match Route::of(parts.uri.path()).ok_or_else(missing)? {
            Route::Root if is_read => Ok(text(
                StatusCode::OK,
                "tailwater: a streaming server for Stremio",
            )),
            Route::Heartbeat => Ok(said(&json!({"success": true}))),
            Route::NetworkInfo => Ok(said(&json!({"availableInterfaces": []}))),
            Route::DeviceInfo => Ok(said(&json!({"availableHardwareAccelerations": []}))),
            Route::Casting => Ok(said(&json!([]))),
            Route::Settings if is_posted => {
                // It is read, so that the connection can go on; what it asks for is the command line's.
                self.door.body(&parts.headers, body, BODY_LEN).await?;
                Ok(said(&json!({"success": true})))
            }
            Route::Settings => {
                let control = self.control();
                Ok(said(&settings::shown(
                    &control.stats(),
                    &control.settings(),
                    &asker.base,
                )))
            }
            Route::OpensubHash => self.opensub(asker, &parts).await,
            Route::CreateFile if is_posted => {
                let limit = TorrentLimits::default().len * 2 + AROUND;
                let read = self.door.body(&parts.headers, body, limit).await?;
                self.create_file(asker, &read.bytes).await
            }
            Route::Create(id) if is_posted || is_read => {
                let read = self.door.body(&parts.headers, body, BODY_LEN).await?;
                self.create(asker, id, &read.bytes).await
            }
            Route::Remove(id) => {
                if let Some(response) = asker.refused() {
                    return Err(response);
                }
                match self.on_demand.let_go(id).await {
                    Ok(()) | Err(ControlError::NotFound(_)) => Ok(said(&json!({}))),
                    Err(error) => Err(refused(&error)),
                }
            }
            Route::AllStats if is_read => Ok(self.all_stats()),
            Route::Stats(id, file) if is_read => {
                let view = self
                    .control()
                    .torrent(id)
                    .map_err(|error| refused(&error))?;
                self.on_demand.touch(id);
                Ok(said(&self.stats(&view, file)))
            }
            Route::Play(id, file) if is_read => self.play(asker, id, file, parts).await,
            _ => {
                let words = "this address is asked with another method";
                Err(text(StatusCode::METHOD_NOT_ALLOWED, words))
            }
        }
    }

    fn stats(&self, view: &TorrentView, file: Option<File>) -> serde_json::Value {
        stats::of(self.control(), view, file, self.uses_dht)
    }

    /// Torrents that were added to be streamed, by their info-hashes.
    fn all_stats(&self) -> Response {
        let all = self.control().torrents().into_iter();
        let streamed = all.filter(|view| self.on_demand.keeping(view.id).is_some());
        let said_of = streamed.map(|view| (view.id.to_string(), self.stats(&view, None)));
        said(&serde_json::Value::Object(said_of.collect()))
    }

    async fn create_file(&self, asker: &Asker, body: &[u8]) -> Result<Response, Response> {
        if let Some(response) = asker.refused() {
            return Err(response);
        }
        let create = Create::read(body).map_err(|words| bad(&words))?;
        let file = create.file.ok_or_else(|| bad("blob is missing"))?;
        let source = AddSource::TorrentFile(file);
        let id = self.add(source).await?;
        self.created(id, Some(Episode::default())).await
    }

    async fn create(
        &self,
        asker: &Asker,
        id: TorrentId,
        body: &[u8],
    ) -> Result<Response, Response> {
        let create = Create::read(body).map_err(|words| bad(&words))?;
        self.find(asker, id, create.trackers).await?;
        self.created(id, create.guess).await
    }

    /// What is said of a torrent that was added. A file is guessed as soon as the files are known.
    async fn created(&self, id: TorrentId, guess: Option<Episode>) -> Result<Response, Response> {
        let mut guessed = None;
        if let Some(wanted) = guess {
            let torrent = self
                .on_demand
                .open(id)
                .await
                .map_err(|error| refused(&error))?;
            guessed = stats::best(&torrent, wanted);
        }
        let view = self
            .control()
            .torrent(id)
            .map_err(|error| refused(&error))?;
        let mut about = self.stats(&view, None);
        if let (Some(guessed), Some(object)) = (guessed, about.as_object_mut()) {
            object.insert("guessedFileIdx".to_owned(), guessed.into());
        }
        Ok(said(&about))
    }

    async fn add(&self, source: AddSource) -> Result<TorrentId, Response> {
        let adding = self
            .on_demand
            .add(source, None, Attributes::new(), Keeping::Passing);
        adding.await.map_err(|error| refused(&error))
    }

    /// Adds a torrent that is not there.
    async fn find(
        &self,
        asker: &Asker,
        id: TorrentId,
        trackers: Vec<String>,
    ) -> Result<(), Response> {
        if self.control().torrent(id).is_ok() {
            return Ok(());
        }
        if let Some(response) = asker.refused() {
            return Err(response);
        }
        let link = create::link(id.info_hash(), trackers);
        self.add(AddSource::Link(link)).await.map(drop)
    }

    async fn play(
        &self,
        asker: &Asker,
        id: TorrentId,
        file: File,
        parts: Parts,
    ) -> Result<Response, Response> {
        let query: Vec<(String, String)> =
            serde_urlencoded::from_str(parts.uri.query().unwrap_or_default()).unwrap_or_default();
        let sources = query.iter().filter(|(name, _)| name == "tr");
        let trackers = create::trackers(sources.map(|(_, source)| source.as_str()));
        self.find(asker, id, trackers).await?;
        let torrent = self
            .on_demand
            .open(id)
            .await
            .map_err(|error| refused(&error))?;
        let index = match file {
            File::At(index) => Some(index),
            File::Best => stats::best(&torrent, Episode::default()),
        };
        let missing = || text(StatusCode::NOT_FOUND, "there is no such file");
        let path = format!("/{}", index.ok_or_else(missing)?);
        let played = self
            .mount
            .answer(torrent, &path, &asker.base, parts, &asker.client)
            .await;
        self.on_demand.touch(id);
        Ok(played.map(Body::new))
    }

    /// The hash of a file that is streamed here; other URLs are not fetched.
    async fn opensub(&self, asker: &Asker, parts: &Parts) -> Result<Response, Response> {
        let query: Vec<(String, String)> =
            serde_urlencoded::from_str(parts.uri.query().unwrap_or_default()).unwrap_or_default();
        let url = query.iter().find(|(name, _)| name == "videoUrl");
        let path = url.and_then(|(_, url)| url.strip_prefix(asker.base.as_str()));
        let path = path.and_then(|path| path.split(['?', '#']).next());
        let Some(Route::Play(id, file)) = path.and_then(Route::of) else {
            let words = "only files that are streamed here have a hash";
            return Ok(said(&json!({"error": words, "result": null})));
        };
        let outcome = self.hash(id, file).await;
        Ok(said(&match outcome {
            Ok((hash, size)) => json!({"error": null, "result": {"hash": hash, "size": size}}),
            Err(words) => json!({"error": words, "result": null}),
        }))
    }

    async fn hash(&self, id: TorrentId, file: File) -> Result<(String, u64), String> {
        // One that is not there is not added for that.
        let torrent = self.control().torrent(id).map(|_| ());
        torrent.map_err(|error| error.to_string())?;
        let torrent = self
            .on_demand
            .open(id)
            .await
            .map_err(|error| error.to_string())?;
        let index = match file {
            File::At(index) => Some(index),
            File::Best => stats::best(&torrent, Episode::default()),
        };
        opensub::hash(&torrent, index.ok_or("there is no such file")?).await
    }
}

fn said(value: &serde_json::Value) -> Response {
    json_answer(value.to_string())
}

fn bad(words: &str) -> Response {
    text(StatusCode::BAD_REQUEST, words)
}

fn refused(error: &ControlError) -> Response {
    let status = match error {
        ControlError::NotFound(_) => StatusCode::NOT_FOUND,
        ControlError::Invalid(_) => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    text(status, &error.to_string())
}
