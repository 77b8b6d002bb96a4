//! The listener: how requests come in, and what all of them share.

use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{ALLOW, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::any;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::access::{identify, log_in, log_out};
use super::calls::{self, Answer, Journal, Kind, QueueNumbers};
use super::categories::Labels;
use super::failure::Failure;
use super::params::Params;
use super::sync::Table;
use super::torrent::{About, Begun, Known, Rows};
use crate::compat::{CompatConfig, CompatServer, Door, Fixed, Rules, page};
use crate::control::{Access, Control, TorrentId, TrackerView};

/// The most connections. One more displaces one that does nothing.
const CONNECTIONS: usize = 256;
/// The longest body, in bytes: a .torrent file, or several.
const MAX_BODY: usize = 16 * 1_024 * 1_024;
/// The most lists of torrents that are made at once: those of thousands of torrents are large.
const LISTS_AT_ONCE: usize = 8;

/// What this listener has beside what all have.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct QBittorrentOptions {
    /// The folder of a web page that drives the API, or one with such a folder named `public` in it. It is served without a
    /// login, as its own page for that is in it.
    pub web: Option<PathBuf>,
}

/// What all requests share.
pub(super) struct Shared {
    pub(super) control: Control,
    pub(super) door: Arc<Door>,
    pub(super) addr: SocketAddr,
    pub(super) fixed: Fixed,
    pub(super) journal: Journal,
    pub(super) lists: Semaphore,
    /// How many torrents run at once while there is a queue.
    pub(super) queue: Mutex<QueueNumbers>,
    /// Who looks has it for that long, with turns for others in between.
    pub(super) table: tokio::sync::Mutex<Table>,
    adds_paused: AtomicBool,
    known: Known,
    pub(super) begun: Arc<Begun>,
}

/// Serves the API to all who connect to `listener`.
///
/// # Errors
///
/// When the listener has no address.
pub fn start(
    listener: TcpListener,
    control: Control,
    config: &CompatConfig,
    fixed: Fixed,
    options: &QBittorrentOptions,
) -> std::io::Result<CompatServer> {
    let addr = listener.local_addr()?;
    let rules = Rules::of(CONNECTIONS);
    CompatServer::start(listener, control, config, rules, |door| {
        let shared = Arc::new(Shared {
            control: door.control.clone(),
            door: Arc::clone(door),
            addr,
            fixed,
            journal: Journal::since(door.control.log().newest()),
            lists: Semaphore::new(LISTS_AT_ONCE),
            queue: Mutex::default(),
            table: tokio::sync::Mutex::new(Table::new(now())),
            adds_paused: AtomicBool::new(false),
            known: Known::default(),
            begun: Arc::new(Begun::now(&door.control)),
        });
        router(shared, options.web.as_deref())
    })
}

fn router(shared: Arc<Shared>, web: Option<&FilePath>) -> Router {
    let api = Router::new()
        .route("/api/v2/{scope}/{call}", any(call))
        .with_state(shared);
    match web {
        Some(folder) => api
            .route("/api/{*path}", any(nothing_here))
            .fallback_service(page(&public(folder))),
        None => api.route("/", any(no_page)).fallback(nothing_here),
    }
}

/// Where the files are: pages made for the original have them in a folder of this name.
fn public(folder: &FilePath) -> PathBuf {
    let public = folder.join("public");
    match public.join("index.html").is_file() {
        true => public,
        false => folder.to_path_buf(),
    }
}

impl Shared {
    /// Torrents are added paused where the caller does not say.
    pub(super) fn adds_paused(&self) -> bool {
        self.adds_paused.load(Ordering::Relaxed)
    }

    pub(super) fn set_adds_paused(&self, paused: bool) {
        self.adds_paused.store(paused, Ordering::Relaxed);
    }

    /// What is the same for all rows of an answer.
    pub(super) fn rows(&self, labels: Labels) -> Rows {
        self.known.refresh(&self.control);
        let settings = self.control.settings();
        Rows::new(labels, settings, Arc::clone(&self.begun), now())
    }

    /// What of a torrent is not in lists.
    pub(super) fn parts(&self, id: TorrentId) -> (Arc<About>, Vec<TrackerView>) {
        let trackers = self.control.trackers(id).unwrap_or_default();
        (self.known.about(&self.control, id), trackers)
    }
}

/// A Unix time.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

async fn nothing_here() -> Response {
    failed(&Failure::not_found())
}

async fn no_page() -> Response {
    let found = "there is no web page: name the folder of one with --qbittorrent-web";
    plain(StatusCode::NOT_FOUND, found.to_owned())
}

async fn call(
    State(shared): State<Arc<Shared>>,
    Path((scope, call)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    match answer(&shared, &format!("{scope}/{call}"), &parts, body).await {
        Ok(response) | Err(response) => response,
    }
}

async fn answer(
    shared: &Shared,
    name: &str,
    request: &Parts,
    body: Body,
) -> Result<Response, Response> {
    let refused = |failure: Failure| failed(&failure);
    let access = match name {
        "auth/login" => None,
        _ => {
            let access = identify(shared, request).await.map_err(refused)?;
            // Nothing is said of what there is to one who has not logged in.
            Some(access.ok_or_else(|| failed(&Failure::forbidden("")))?)
        }
    };
    let found = calls::find(name).ok_or_else(|| failed(&Failure::not_found()))?;
    if let Some(response) = not_allowed(&request.method, found.1) {
        return Err(response);
    }
    let params = match request.method {
        Method::POST => {
            let body = shared.door.body(&request.headers, body, MAX_BODY).await?;
            let kind = request.headers.get(CONTENT_TYPE);
            let kind = kind.and_then(|kind| kind.to_str().ok());
            // The turn of a long body is kept until the request is answered.
            let params = Params::of_body(kind, body.bytes.clone()).await;
            return match params {
                Ok(params) => run(shared, access, found, request, &params).await,
                Err(failure) => Err(failed(&failure)),
            };
        }
        _ => Params::of_query(request.uri.query().unwrap_or_default().as_bytes()),
    };
    run(shared, access, found, request, &params.map_err(refused)?).await
}

async fn run(
    shared: &Shared,
    access: Option<Access>,
    found: (&'static str, Kind),
    request: &Parts,
    params: &Params,
) -> Result<Response, Response> {
    let refused = |failure: Failure| failed(&failure);
    match (found.0, access) {
        ("auth/logout", _) => Ok(log_out(shared, request).await),
        (_, Some(access)) => {
            let answer = calls::run(shared, access, found, params).await;
            Ok(written(answer.map_err(refused)?))
        }
        _ => log_in(shared, request, params).await.map_err(refused),
    }
}

/// Reads are answered to GET and POST, and what changes something to POST alone. The answer to other methods.
fn not_allowed(method: &Method, kind: Kind) -> Option<Response> {
    let (is_allowed, allowed) = match kind {
        Kind::Read => (
            [Method::GET, Method::HEAD, Method::POST].contains(method),
            "GET, HEAD, POST",
        ),
        Kind::Write => (*method == Method::POST, "POST"),
    };
    if is_allowed {
        return None;
    }
    let words = "Method Not Allowed".to_owned();
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, words);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    Some(response)
}

fn failed(failure: &Failure) -> Response {
    plain(failure.status, failure.text().to_owned())
}

/// An answer as it is sent.
pub(super) fn written(answer: Answer) -> Response {
    match answer {
        Answer::Text(text) => plain(StatusCode::OK, text),
        Answer::Json(value) => {
            let mut response = Response::new(Body::from(value.to_string()));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Answer::File { name, bytes } => {
            let mut response = Response::new(Body::from(bytes));
            let headers = response.headers_mut();
            let torrent = HeaderValue::from_static("application/x-bittorrent");
            headers.insert(CONTENT_TYPE, torrent);
            // The name is an info-hash.
            if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
                headers.insert(CONTENT_DISPOSITION, value);
            }
            response
        }
    }
}

/// Words, without an end of line: programs compare them.
fn plain(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=UTF-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
