//! The files of a web page that drives the RPC, from a folder that the user names: Transmission's own, or another one made for it.
//! None comes with this program.

use std::path::Path;

use crate::compat::{page as files, text};
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get};

/// Where the page is. It asks for `../rpc`.
const PATH: &str = "/transmission/web";

/// The page, and what leads to it.
pub(super) fn router<S: Clone + Send + Sync + 'static>(folder: Option<&Path>) -> Router<S> {
    let page = || async { Redirect::temporary("/transmission/web/").into_response() };
    let router = Router::new();
    let Some(folder) = folder else {
        return router
            .route(PATH, any(no_page))
            .route(&format!("{PATH}/{{*path}}"), any(no_page))
            .route(&format!("{PATH}/"), any(no_page));
    };
    ["/", "/transmission", "/transmission/", PATH]
        .into_iter()
        .fold(router, |router, path| router.route(path, get(page)))
        // With the slash, as paths below it are relative.
        .nest_service(&format!("{PATH}/"), files(folder))
}

async fn no_page() -> Response {
    let found = "there is no web page: name the folder of one with --transmission-web";
    text(StatusCode::NOT_FOUND, found)
}
