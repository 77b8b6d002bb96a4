//! `/torrents`: what its actions do.

use axum::body::Body as HttpBody;
use axum::response::Response;
use serde_json::json;

use super::answer::{empty, json_of};
use super::body::Body;
use super::link::{self, Link};
use super::refused::{Refused, may_change};
use super::server::Shared;
use super::status::Status;
use super::texts::Texts;
use crate::compat::Asker;
use crate::control::{ControlError, StorageChoice, TorrentId, TorrentPatch, TorrentView};
use crate::on_demand::Keeping;

/// The most torrents that `wipe` removes at once; it may be called again.
const MAX_WIPED: usize = 10_000;

/// Does what a request asks for.
pub(super) async fn run(
    shared: &Shared,
    asker: &Asker,
    body: &Body,
) -> Result<Response<HttpBody>, Refused> {
    match body.text("action")? {
        "list" => Ok(list(shared)),
        "get" => get(shared, asker, body).await,
        "add" => {
            may_change(asker)?;
            add(shared, body).await
        }
        "set" => {
            may_change(asker)?;
            set(shared, body).await
        }
        "rem" => {
            may_change(asker)?;
            remove(shared, body).await
        }
        "drop" => {
            may_change(asker)?;
            let_go(shared, body).await
        }
        "wipe" => {
            may_change(asker)?;
            wipe(shared).await
        }
        _ => Err(Refused::bad(
            "action has to be add, get, set, rem, list, drop or wipe",
        )),
    }
}

/// All torrents, the newest first.
pub(super) fn sorted(shared: &Shared) -> Vec<TorrentView> {
    let mut all = shared.control().torrents();
    all.sort_by(|a, b| b.added.cmp(&a.added).then_with(|| b.number.cmp(&a.number)));
    all
}

fn list(shared: &Shared) -> Response<HttpBody> {
    let all = sorted(shared);
    let all: Vec<_> = all.iter().map(|view| Status::of(shared, view)).collect();
    json_of(&all)
}

/// The torrent of a request, if there is one.
fn named(shared: &Shared, body: &Body) -> Result<Option<TorrentId>, Refused> {
    let hash = body.text("hash")?;
    if hash.is_empty() {
        return Err(Refused::bad("hash is empty"));
    }
    let id = link::id(hash);
    Ok(id.filter(|id| shared.control().torrent(*id).is_ok()))
}

async fn get(shared: &Shared, asker: &Asker, body: &Body) -> Result<Response<HttpBody>, Refused> {
    let Some(id) = named(shared, body)? else {
        return Err(Refused::new(
            axum::http::StatusCode::NOT_FOUND,
            "there is no such torrent",
        ));
    };
    shared.on_demand.touch(id);
    if asker.may_change() {
        shared.on_demand.wake(id).await?;
        let torrent = shared.control().running(id);
        let is_saved = shared.on_demand.keeping(id) == Some(Keeping::Saved);
        if let Some(torrent) = torrent.filter(|_| is_saved) {
            let files = shared.known.files(id, &torrent);
            shared.remember_files(id, &files).await;
        }
    }
    status(shared, id)
}

/// What is said of a torrent.
pub(super) fn status(shared: &Shared, id: TorrentId) -> Result<Response<HttpBody>, Refused> {
    let view = shared.control().torrent(id)?;
    Ok(json_of(&Status::of(shared, &view)))
}

async fn add(shared: &Shared, body: &Body) -> Result<Response<HttpBody>, Refused> {
    let text = body.text("link")?;
    if text.is_empty() {
        return Err(Refused::bad("link is empty"));
    }
    let texts = texts(body)?;
    let saved = body.flag("save_to_db")?.unwrap_or(false);
    let link = Link::read(text)?;
    let id = added(shared, link, texts, saved).await?;
    status(shared, id)
}

/// Adds the torrent of a link, or finds it.
pub(super) async fn added(
    shared: &Shared,
    link: Link,
    mut texts: Texts,
    saved: bool,
) -> Result<TorrentId, Refused> {
    let from_link = [
        (&mut texts.title, link.title),
        (&mut texts.poster, link.poster),
        (&mut texts.category, link.category),
    ];
    for (text, of_link) in from_link {
        if text.is_empty() {
            *text = of_link;
        }
    }
    let keeping = keeping(saved);
    let added = shared
        .on_demand
        .add(
            link.source,
            texts.kept_title(),
            texts.new_attributes(),
            keeping,
        )
        .await;
    Ok(added?)
}

pub(super) const fn keeping(saved: bool) -> Keeping {
    match saved {
        true => Keeping::Saved,
        false => Keeping::Passing,
    }
}

fn texts(body: &Body) -> Result<Texts, Refused> {
    Ok(Texts {
        title: body.text("title")?.to_owned(),
        poster: body.text("poster")?.to_owned(),
        category: body.text("category")?.to_owned(),
        data: body.text("data")?.to_owned(),
    })
}

/// An empty title becomes the torrent's name; empty data stay as they are.
async fn set(shared: &Shared, body: &Body) -> Result<Response<HttpBody>, Refused> {
    let texts = texts(body)?;
    if let Some(id) = named(shared, body)? {
        let patch = TorrentPatch {
            title: Some(texts.kept_title()),
            ..TorrentPatch::default()
        };
        shared.control().patch(id, patch).await?;
        let mut attributes = texts.attributes();
        attributes.retain(|name, text| name != "data" || !text.is_empty());
        shared.control().set_attributes(id, attributes).await?;
    }
    Ok(empty())
}

/// Its files stay, if it has any.
async fn remove(shared: &Shared, body: &Body) -> Result<Response<HttpBody>, Refused> {
    if let Some(id) = named(shared, body)? {
        shared.preloads.end(id);
        gone(shared.control().remove(id, false).await)?;
    }
    Ok(empty())
}

/// One that was removed meanwhile is gone all the same.
fn gone(removed: Result<(), ControlError>) -> Result<(), Refused> {
    match removed {
        Ok(()) | Err(ControlError::NotFound(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn let_go(shared: &Shared, body: &Body) -> Result<Response<HttpBody>, Refused> {
    if let Some(id) = named(shared, body)? {
        shared.preloads.end(id);
        gone(shared.on_demand.let_go(id).await)?;
    }
    Ok(empty())
}

/// Removes what was added to be streamed: what others download stays.
async fn wipe(shared: &Shared) -> Result<Response<HttpBody>, Refused> {
    let all = shared.control().torrents().into_iter();
    let streamed = all.filter(|view| {
        view.storage == StorageChoice::Memory && shared.on_demand.keeping(view.id).is_some()
    });
    for view in streamed.take(MAX_WIPED) {
        shared.preloads.end(view.id);
        gone(shared.control().remove(view.id, false).await)?;
    }
    Ok(empty())
}

/// The list of the files of a torrent, as clients keep it with the torrent where they keep nothing else.
pub(super) fn list_of_files(files: &[super::files::File]) -> String {
    json!({"TorrServer": {"Files": files}}).to_string()
}
