//! Routes, and what is done.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tailwater_metainfo::Limits as TorrentLimits;
use tokio::net::TcpListener;

use super::answers::{details, error, inspected, is_alone, listed, refused, root, stats};
use super::query::{OnlyFiles, Query, named};
use crate::compat::{CompatConfig, CompatServer, Door, Rules, json as answer, read_only};
use crate::control::{
    Access, Control, ControlError, FileChange, FilePriority, FileView, TorrentView,
};

/// The most connections. One more displaces one that does nothing.
const CONNECTIONS: usize = 256;
/// The longest body of a choice of files, in bytes.
const MAX_CHOICE: usize = 1_024 * 1_024;

/// The calls that are answered, and what each does.
pub const CALLS: [(&str, &str); 11] = [
    ("GET /", "list of calls"),
    (
        "GET /torrents",
        "list of torrents; with_stats=true adds their figures",
    ),
    (
        "POST /torrents",
        "add a torrent: a magnet link, a URL, or the bytes of a .torrent file",
    ),
    (
        "GET /torrents/{id_or_infohash}",
        "a torrent, with its files",
    ),
    (
        "GET /torrents/{id_or_infohash}/stats",
        "figures of a torrent",
    ),
    (
        "GET /torrents/{id_or_infohash}/stats/v1",
        "figures of a torrent",
    ),
    ("POST /torrents/{id_or_infohash}/pause", "pause a torrent"),
    (
        "POST /torrents/{id_or_infohash}/start",
        "have a torrent go on",
    ),
    (
        "POST /torrents/{id_or_infohash}/forget",
        "remove a torrent, and keep its files",
    ),
    (
        "POST /torrents/{id_or_infohash}/delete",
        "remove a torrent with its files",
    ),
    (
        "POST /torrents/{id_or_infohash}/update_only_files",
        "choose the files of a torrent: {\"only_files\": [0, 2]}",
    ),
];

/// Serves the calls to all who connect to `listener`.
///
/// # Errors
///
/// When the listener has no address.
pub fn start(
    listener: TcpListener,
    control: Control,
    config: &CompatConfig,
) -> std::io::Result<CompatServer> {
    let rules = Rules::of(CONNECTIONS);
    CompatServer::start(listener, control, config, rules, |door| {
        door.guard(router(door))
    })
}

type Shared = Arc<Door>;

fn router(door: &Shared) -> Router {
    Router::new()
        .route("/", get(|| async { answer(root(&CALLS).to_string()) }))
        .route("/torrents", get(list).post(add))
        .route("/torrents/{torrent}", get(show))
        .route("/torrents/{torrent}/stats", get(figures))
        .route("/torrents/{torrent}/stats/v1", get(figures))
        .route("/torrents/{torrent}/update_only_files", post(choose))
        .route("/torrents/{torrent}/{action}", post(act))
        .fallback(|| async {
            error(
                StatusCode::NOT_FOUND,
                "route_not_found",
                "there is no such call",
            )
        })
        .with_state(Arc::clone(door))
}

async fn list(State(door): State<Shared>, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let query = read(query.as_deref()).map_err(|it| *it)?;
    let torrents = door.control.torrents();
    // One of a single file is not asked for its path, which would have it read. Sonarr finds it either way.
    let torrents = torrents
        .iter()
        .map(|view| listed(view, view.file_count == 1, query.with_stats()));
    let torrents: Vec<Value> = torrents.collect();
    Ok(answer(json!({"torrents": torrents}).to_string()))
}

async fn show(State(door): State<Shared>, Path(name): Path<String>) -> Result<Response, Response> {
    let view = find(&door.control, &name).map_err(|it| *it)?;
    Ok(answer(described(&door.control, &view).await.to_string()))
}

/// A torrent with its files; of a link whose metadata is not known, with none.
async fn described(control: &Control, view: &TorrentView) -> Value {
    let files = files(control, view).await;
    let is_alone = is_alone(files.iter().map(|file| file.path.as_str()));
    details(view, &files, is_alone)
}

async fn files(control: &Control, view: &TorrentView) -> Vec<FileView> {
    control.files(view.id).await.unwrap_or_default()
}

async fn figures(
    State(door): State<Shared>,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let view = find(&door.control, &name).map_err(|it| *it)?;
    let files = files(&door.control, &view).await;
    Ok(answer(stats(&view, Some(&files)).to_string()))
}

async fn add(
    State(door): State<Shared>,
    Extension(access): Extension<Access>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Response> {
    let query = read(query.as_deref()).map_err(|it| *it)?;
    let (parts, body) = request.into_parts();
    // To look at a torrent changes nothing, but has us fetch it.
    if let Some(refused) = read_only(access) {
        return Err(refused);
    }
    let body = door
        .body(&parts.headers, body, TorrentLimits::default().len)
        .await?;
    let wrong = |reason| error(StatusCode::BAD_REQUEST, "other", reason);
    let source = query.source(&body.bytes).map_err(wrong)?;
    let params = query.params().map_err(wrong)?;
    let control = &door.control;
    if query.list_only() {
        let inspection = control.inspect(source, query.peers()).await;
        let details = inspected(&inspection.map_err(|it| refused(&it))?);
        return Ok(added(None, &details));
    }
    let id = match control.add(source, params).await {
        // Who adds it again is told of it, as by rqbit.
        Ok(id) | Err(ControlError::Duplicate(id)) => id,
        Err(error) => return Err(refused(&error)),
    };
    let view = control.torrent(id).map_err(|it| refused(&it))?;
    let details = described(control, &view).await;
    Ok(added(Some(view.number), &details))
}

fn added(id: Option<i64>, details: &Value) -> Response {
    let folder = &details["output_folder"];
    answer(
        json!({"id": id, "details": details, "output_folder": folder, "seen_peers": null})
            .to_string(),
    )
}

async fn choose(
    State(door): State<Shared>,
    Extension(access): Extension<Access>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Response> {
    if let Some(refused) = read_only(access) {
        return Err(refused);
    }
    let view = find(&door.control, &name).map_err(|it| *it)?;
    let (parts, body) = request.into_parts();
    let body = door.body(&parts.headers, body, MAX_CHOICE).await?;
    let chosen: OnlyFiles = serde_json::from_slice(&body.bytes)
        .map_err(|it| error(StatusCode::BAD_REQUEST, "other", &it.to_string()))?;
    let files = door
        .control
        .files(view.id)
        .await
        .map_err(|it| refused(&it))?;
    let chosen: HashSet<usize> = chosen.only_files.into_iter().collect();
    let known: HashSet<usize> = files.iter().map(|file| file.index).collect();
    if !chosen.is_subset(&known) {
        return Err(error(
            StatusCode::BAD_REQUEST,
            "other",
            "there is no such file",
        ));
    }
    let changes = files.iter().map(|file| FileChange {
        index: file.index,
        priority: match (chosen.contains(&file.index), file.priority) {
            (false, _) => FilePriority::Skip,
            (true, FilePriority::Skip) => FilePriority::Normal,
            (true, priority) => priority,
        },
    });
    let changed = door.control.set_files(view.id, changes.collect()).await;
    changed.map_err(|it| refused(&it))?;
    Ok(done())
}

async fn act(
    State(door): State<Shared>,
    Extension(access): Extension<Access>,
    Path((name, action)): Path<(String, String)>,
) -> Result<Response, Response> {
    if let Some(refused) = read_only(access) {
        return Err(refused);
    }
    let control = &door.control;
    let view = find(control, &name).map_err(|it| *it)?;
    let acted = match action.as_str() {
        "pause" => control.pause(view.id).await,
        "start" => control.resume(view.id).await,
        "forget" => control.remove(view.id, false).await,
        "delete" => control.remove(view.id, true).await,
        _ => {
            return Err(error(
                StatusCode::NOT_FOUND,
                "route_not_found",
                "there is no such call",
            ));
        }
    };
    acted.map_err(|it| refused(&it))?;
    Ok(done())
}

fn done() -> Response {
    answer("{}".to_owned())
}

/// Boxed: an answer is large, and mostly there is none.
type Refusal = Box<Response>;

fn read(query: Option<&str>) -> Result<Query, Refusal> {
    Query::read(query).map_err(|reason| Box::new(error(StatusCode::BAD_REQUEST, "other", reason)))
}

fn find(control: &Control, name: &str) -> Result<TorrentView, Refusal> {
    let missing = || {
        error(
            StatusCode::NOT_FOUND,
            "torrent_not_found",
            "there is no such torrent",
        )
    };
    named(control.torrents(), name).ok_or_else(|| Box::new(missing()))
}
