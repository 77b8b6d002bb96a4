//! The files of any number of torrents, below a path of a server that has other routes too.

use std::collections::HashMap;
use std::sync::Arc;

use hyper::http::request::Parts;
use hyper::{Method, Response, Uri};
use parking_lot::Mutex;
use tailwater_metainfo::InfoHash;
use tailwater_session::{Lookbehind, Phase, Torrent};

use super::answer;
use super::body::Body;
use super::client::Client;
use super::film::{Film, Rooms};
use super::limits::Limits;
use super::torrent::{CountedReader, TorrentSource, library};

/// Torrents whose lists of files are kept ready; at the limit, all are made anew when they are asked for.
const MAX_FILMS: usize = 64;

/// Torrents that are streamed.
pub(crate) struct Mount {
    rooms: Rooms,
    limits: Limits,
    films: Mutex<HashMap<InfoHash, Ready>>,
}

/// A torrent that was asked for.
struct Ready {
    torrent: Torrent,
    film: Arc<Film<TorrentSource>>,
}

impl Mount {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            rooms: Rooms::new(limits),
            limits,
            films: Mutex::default(),
        }
    }

    /// Answers a request for something of a torrent: `/INDEX/NAME`, `/playlist.m3u`, `/subtitles/INDEX/NAME` or `/stats` in
    /// place of the path. `base` is what stands before such paths in URLs, with the scheme.
    pub(crate) async fn answer(
        &self,
        torrent: Torrent,
        path: &str,
        base: &str,
        mut request: Parts,
        client: &Arc<Client>,
    ) -> Response<Body<CountedReader>> {
        let method = request.method.clone();
        if ![Method::GET, Method::HEAD].contains(&method) {
            return answer::wrong_method(&method);
        }
        // The page of one torrent has a site of its own.
        let target = match request.uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        let Some(target) = target.parse::<Uri>().ok().filter(|_| path != "/") else {
            return answer::not_found(&method);
        };
        request.uri = target;
        match self.film(&torrent) {
            Some(film) => film.answer(&request, base, client, &self.rooms).await,
            None => answer::not_found(&method),
        }
    }

    fn film(&self, torrent: &Torrent) -> Option<Arc<Film<TorrentSource>>> {
        let mut films = self.films.lock();
        if films.len() >= MAX_FILMS {
            films.clear();
        }
        // One that was removed, and perhaps added again, is another one.
        films.retain(|_, ready| ready.torrent.status().phase != Phase::Closed);
        if let Some(ready) = films.get(&torrent.info_hash()) {
            return Some(Arc::clone(&ready.film));
        }
        let library = Arc::new(library(torrent.metainfo(), None)?);
        let source = TorrentSource::new(torrent.clone(), Lookbehind::Share, None);
        let film = Arc::new(Film::new(source, library, self.limits));
        let ready = Ready {
            film: Arc::clone(&film),
            torrent: torrent.clone(),
        };
        films.insert(torrent.info_hash(), ready);
        Some(film)
    }
}
