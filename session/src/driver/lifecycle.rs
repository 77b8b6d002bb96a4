//! A torrent from being added to being closed: opening its storage, running, saving what was reached.

use std::sync::Arc;

use tailwater_metainfo::{Bitfield, PieceIndex};
use tokio::sync::watch;
use tracing::Instrument;

use super::announce::Announcer;
use super::discovery::search::Search;
use super::registry::Registration;
use super::saver::Saver;
use super::torrent::TorrentTask;
use crate::error::TorrentError;
use crate::events::Event;
use crate::options::DiskChoices;
use crate::session::EndedTotals;
use crate::status::{Phase, Status};
use crate::torrent::Priority;
use tailwater_storage::{Progress, Space, Storage};

fn nothing_wanted(priorities: Vec<(PieceIndex, Priority)>) -> Vec<(PieceIndex, Priority)> {
    let skip = |(piece, _)| (piece, Priority::Skip);
    priorities.into_iter().map(skip).collect()
}

/// Everything that belongs to one torrent's life.
pub(crate) struct TorrentLifecycle {
    pub(crate) task: TorrentTask,
    pub(crate) announcer: Announcer,
    /// In the DHT; none if that is off or the torrent private.
    pub(crate) search: Option<Search>,
    pub(crate) priorities: Vec<(PieceIndex, Priority)>,
    /// Room for its pieces.
    pub(crate) space: Box<dyn Space + Send>,
    /// What may be done with files.
    pub(crate) choices: DiskChoices,
    /// Those that the user named.
    pub(crate) peers: Vec<std::net::SocketAddr>,
    /// Where what it transferred counts when it has ended.
    pub(crate) ended: Arc<EndedTotals>,
    /// The torrent's name in the session, held to the end.
    pub(crate) registration: Registration,
}

impl TorrentLifecycle {
    /// Opens the storage, runs the torrent until it closes, saves resume data.
    pub(crate) async fn run(self) {
        let Self {
            task,
            announcer,
            search,
            priorities,
            space,
            choices,
            peers,
            ended,
            registration,
        } = self;
        let info_hash = task.config.info_hash;
        let (status, events) = (task.status.clone(), task.shared.events.clone());
        let (storage, closing) = (Arc::clone(&task.storage), task.closing.clone());
        let saver = Saver::new(&*storage, &status);
        let opened = tokio::select! {
            biased;
            () = closing.cancelled() => None,
            opened = start(&*storage, choices, &status) => Some(opened),
        };
        match opened {
            // Readers may wait already.
            None => task.board.end(TorrentError::Closed),
            Some(Err(error)) => {
                events.send(Event::Failed {
                    info_hash,
                    error: error.clone(),
                });
                status.send_modify(|status| status.phase = Phase::Failed(error));
                task.refuse_everything().await;
            }
            Some(Ok(have)) => {
                events.send(Event::Started {
                    info_hash,
                    have: have.count(),
                    total: have.piece_count(),
                });
                let priorities = match choices.seed_partial {
                    true => nothing_wanted(priorities),
                    false => priorities,
                };
                let running = task.start(space, have, priorities, &peers);
                registration.open();
                let announcing = tokio::spawn(announcer.run().in_current_span());
                let searching = search.map(|search| tokio::spawn(search.run().in_current_span()));
                let run = async {
                    let ended = running.run().await;
                    drop(ended);
                };
                tokio::join!(run, saver.save_now_and_then(&closing));
                // It has a deadline of its own.
                let _ = announcing.await;
                if let Some(searching) = searching {
                    let _ = searching.await;
                }
                saver.save().await;
            }
        }
        ended.add(&status.borrow().stats);
        drop(registration);
        storage.close().await;
        status.send_modify(|status| {
            status.phase = Phase::Closed;
        });
        events.send(Event::Closed { info_hash });
    }
}

/// Finds out what is there already; a torrent that is only to be seeded has to be there.
async fn start(
    storage: &dyn Storage,
    choices: DiskChoices,
    status: &watch::Sender<Status>,
) -> Result<Bitfield, TorrentError> {
    let status = status.clone();
    let progress: Progress = Arc::new(move |done, total| {
        status.send_modify(|status| status.phase = Phase::Checking { done, total });
    });
    let have = storage.start(progress).await?;
    let may_lack = !choices.seed_only || (choices.seed_partial && !have.is_none());
    match have.is_all() || may_lack {
        true => Ok(have),
        false => Err(TorrentError::Incomplete { have }),
    }
}
