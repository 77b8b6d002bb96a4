//! Routes of the streaming server: what all requests have in common, and what they are answered with before and after the
//! torrent is known.

use std::sync::{Arc, OnceLock};

use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use tokio::sync::watch;

use super::answer;
use super::awaited;
use super::body::Body;
use super::client::Client;
use super::film::{Film, Rooms};
use super::guard;
use super::host::Hosts;
use super::library::Library;
use super::limits::Limits;
use super::page;
use super::source::Source;
use crate::fetching::Attempt;

/// Everything that is served.
pub struct Site<S> {
    hosts: Hosts,
    limits: Limits,
    rooms: Rooms,
    /// The metadata fetch, until the metadata is known.
    attempt: watch::Receiver<Attempt>,
    /// Set once, when the metadata is known.
    film: OnceLock<Film<S>>,
}

impl<S: Source> Site<S> {
    /// A site that waits for its torrent: until [`Self::show`] it tells what `attempt` says.
    pub fn new(hosts: Hosts, limits: Limits, attempt: watch::Receiver<Attempt>) -> Self {
        Self {
            hosts,
            limits,
            rooms: Rooms::new(limits),
            attempt,
            film: OnceLock::new(),
        }
    }

    /// Serves a torrent from now on. Only the first call counts.
    pub fn show(&self, source: S, library: Arc<Library>) {
        self.film
            .get_or_init(|| Film::new(source, library, self.limits));
    }

    /// Answers a request. No request changes anything.
    pub(crate) async fn answer(
        &self,
        request: &Parts,
        client: &Arc<Client>,
    ) -> Response<Body<S::Reader>> {
        let method = &request.method;
        let asked = guard::host(request, &self.hosts)
            .and_then(|host| guard::origin(request).map(|()| host));
        let host = match asked {
            Ok(host) => host,
            Err(refused) => return answer::error(method, refused.status(), refused.reason()),
        };
        if ![Method::GET, Method::HEAD].contains(method) {
            return answer::wrong_method(method);
        }
        let fixed = |content_type, text| answer::text(method, StatusCode::OK, content_type, text);
        match request.uri.path() {
            "/page.js" => fixed(SCRIPT_TYPE, page::SCRIPT),
            "/film.js" => fixed(SCRIPT_TYPE, page::FILM_SCRIPT),
            "/picture.js" => fixed(SCRIPT_TYPE, page::PICTURE_SCRIPT),
            "/awaited.js" => fixed(SCRIPT_TYPE, awaited::SCRIPT),
            "/page.css" => fixed("text/css; charset=utf-8", page::STYLE),
            "/icon.svg" => fixed("image/svg+xml", page::ICON),
            _ => match self.film.get() {
                Some(film) => {
                    let base = format!("http://{host}");
                    film.answer(request, &base, client, &self.rooms).await
                }
                None => awaited::answer(request, &self.attempt.borrow()),
            },
        }
    }
}

const SCRIPT_TYPE: &str = "text/javascript; charset=utf-8";
