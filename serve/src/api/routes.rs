//! What stands where.

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{any, get, post, put};

use super::problem::Problem;
use super::server::Shared;
use super::{
    access, daemon, events, graphs, inspect, labels, list, login, metrics, openapi, page, parts,
    stream, torrents, upload,
};

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let torrent = Router::new()
        .route(
            "/",
            get(torrents::show)
                .patch(torrents::change)
                .delete(torrents::remove),
        )
        .route("/pause", post(torrents::pause))
        .route("/resume", post(torrents::resume))
        .route("/recheck", post(torrents::recheck))
        .route("/reannounce", post(torrents::reannounce))
        .route("/move", post(torrents::move_to))
        .route("/rename", post(torrents::rename))
        .route("/files", get(parts::files).patch(parts::set_files))
        .route("/peers", get(parts::peers).post(parts::add_peers))
        .route("/trackers", get(parts::trackers))
        .route("/trackers", put(parts::set_trackers))
        .route("/web-seeds", get(parts::web_seeds))
        .route("/pieces", get(graphs::pieces))
        .route("/rates", get(graphs::torrent_rates))
        .route("/buffer", get(stream::buffer));
    let api = Router::new()
        .route("/", get(daemon::about))
        .route("/torrents", get(list::list).post(upload::add))
        .route("/torrents/inspect", post(inspect::inspect))
        .nest("/torrents/{id}", torrent)
        .route(
            "/settings",
            get(daemon::settings).patch(daemon::set_settings),
        )
        .route("/stats", get(daemon::stats))
        .route("/stats/rates", get(graphs::rates))
        .route("/labels", get(labels::labels))
        .route(
            "/labels/{name}",
            put(labels::set_label).delete(labels::remove_label),
        )
        .route("/tokens", get(daemon::tokens).post(daemon::add_token))
        .route(
            "/tokens/{name}",
            axum::routing::delete(daemon::remove_token),
        )
        .route("/events", get(events::events))
        .route("/openapi.json", get(openapi::show));
    let guarded = Router::new()
        .nest("/api/v1", api)
        .route("/stream/{id}/{*path}", any(stream::stream))
        .route("/metrics", get(metrics::metrics))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&shared),
            access::authorize,
        ));
    // What is answered without a token: the page, which is the same for all, the way to log in, and whether the process
    // lives.
    page::router()
        .route("/api/v1/login", post(login::log_in))
        .route("/api/v1/logout", post(login::log_out))
        .route("/api/v1/whoami", get(login::whoami))
        .route("/healthz", get(daemon::health))
        .route("/readyz", get(daemon::readiness))
        .merge(guarded)
        .fallback(|| async { Problem::no_route() })
        .method_not_allowed_fallback(|| async { Problem::wrong_method() })
        .layer(middleware::from_fn_with_state(
            Arc::clone(&shared),
            access::check,
        ))
        .with_state(shared)
}
