//! The listener: how requests come in, and what all of them share.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::header::{ALLOW, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::any;
use axum::{Router, http::request::Parts};
use data_encoding::BASE32_NOPAD;
use tailwater_metainfo::Limits as TorrentLimits;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::access::{EXPOSED, no_session};
use super::at_rest::AtRest;
use super::blocklist::Blocklist;
use super::dialects::{self, Call, Requests};
use super::methods;
use super::recent::Recent;
use super::remembered::Remembered;
use super::web;
use crate::compat::{
    CompatConfig, CompatServer, Door, Fixed, ForeignPages, Rules, empty, json, text,
};
use crate::control::{Access, Control};

/// The path of the RPC; some clients write a slash behind it.
const PATH: &str = "/transmission/rpc";
/// The most connections. One more displaces one that does nothing.
const CONNECTIONS: usize = 256;
/// What a body has besides a .torrent file, in bytes.
const AROUND: usize = 1_024 * 1_024;
/// Random bytes of the session's id.
const SESSION_ID_LEN: usize = 30;
/// The most lists of torrents that are made at once: those with all fields of thousands of torrents are large.
const LISTS_AT_ONCE: usize = 8;
/// The longest answer to a batch, in bytes.
const MAX_BATCH_ANSWER: usize = 64 * 1_024 * 1_024;

/// What this listener has beside what all have.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TransmissionOptions {
    /// The folder of a web page that drives the RPC.
    pub web: Option<PathBuf>,
    /// The lists of addresses that are not connected with.
    pub blocklist: Option<Arc<dyn Blocklist>>,
}

/// What all requests share.
pub(super) struct Shared {
    pub(super) control: Control,
    pub(super) door: Arc<Door>,
    pub(super) session_id: String,
    pub(super) fixed: Fixed,
    pub(super) options: TransmissionOptions,
    pub(super) remembered: Remembered,
    pub(super) recent: Recent,
    pub(super) at_rest: AtRest,
    pub(super) lists: Semaphore,
}

/// Serves the RPC to all who connect to `listener`.
///
/// # Errors
///
/// When the listener has no address, or the system has no random bytes.
pub fn start(
    listener: TcpListener,
    control: Control,
    config: &CompatConfig,
    fixed: Fixed,
    options: TransmissionOptions,
) -> std::io::Result<CompatServer> {
    let mut id = [0; SESSION_ID_LEN];
    getrandom::fill(&mut id).map_err(std::io::Error::other)?;
    let rules = Rules {
        // The id of the session does.
        foreign: ForeignPages::KeptOutByApi,
        exposed: EXPOSED,
        ..Rules::of(CONNECTIONS)
    };
    CompatServer::start(listener, control, config, rules, |door| {
        let shared = Arc::new(Shared {
            control: door.control.clone(),
            door: Arc::clone(door),
            session_id: BASE32_NOPAD.encode(&id),
            fixed,
            options,
            remembered: Remembered::default(),
            recent: Recent::default(),
            at_rest: AtRest::default(),
            lists: Semaphore::new(LISTS_AT_ONCE),
        });
        door.guard(router(shared))
    })
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route(PATH, any(rpc))
        .route(&format!("{PATH}/"), any(rpc))
        .merge(web::router(shared.options.web.as_deref()))
        .fallback(nothing_here)
        .with_state(shared)
}

async fn nothing_here() -> Response {
    let found = format!("there is nothing at this address; the RPC is at {PATH}");
    text(StatusCode::NOT_FOUND, &found)
}

async fn rpc(
    State(shared): State<Arc<Shared>>,
    Extension(access): Extension<Access>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    match answer(&shared, access, &parts, body).await {
        Ok(response) | Err(response) => response,
    }
}

async fn answer(
    shared: &Shared,
    access: Access,
    request: &Parts,
    body: Body,
) -> Result<Response, Response> {
    if let Some(response) = no_session(shared, &request.headers) {
        return Err(response);
    }
    if request.method != Method::POST {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "send requests with POST");
        let post = HeaderValue::from_static("POST");
        response.headers_mut().insert(ALLOW, post);
        return Err(response);
    }
    // Base64 takes four bytes for three.
    let limit = TorrentLimits::default().len / 3 * 4 + AROUND;
    let body = shared.door.body(&request.headers, body, limit).await?;
    match dialects::read(&body.bytes) {
        Requests::One(call) => Ok(match one(shared, access, call).await {
            Some(answer) => json(answer.to_string()),
            None => empty(StatusCode::NO_CONTENT),
        }),
        Requests::Batch(calls) => batch(shared, access, calls).await,
    }
}

/// Answers the requests of a batch one after the other.
async fn batch(
    shared: &Shared,
    access: Access,
    calls: Vec<Result<Call, serde_json::Value>>,
) -> Result<Response, Response> {
    let mut answers: Vec<String> = Vec::new();
    let mut len = 0_usize;
    for call in calls {
        let Some(answer) = one(shared, access, call).await else {
            continue;
        };
        let answer = answer.to_string();
        len = len.saturating_add(answer.len());
        if len > MAX_BATCH_ANSWER {
            let reason = format!("the answers to a batch have at most {MAX_BATCH_ANSWER} bytes");
            return Err(text(StatusCode::PAYLOAD_TOO_LARGE, &reason));
        }
        answers.push(answer);
    }
    Ok(match answers.is_empty() {
        // All were notifications.
        true => empty(StatusCode::NO_CONTENT),
        false => json(format!("[{}]", answers.join(","))),
    })
}

async fn one(
    shared: &Shared,
    access: Access,
    call: Result<Call, serde_json::Value>,
) -> Option<serde_json::Value> {
    match call {
        Ok(call) => {
            let outcome = methods::run(shared, access, &call).await;
            call.answer(outcome)
        }
        Err(answer) => Some(answer),
    }
}
