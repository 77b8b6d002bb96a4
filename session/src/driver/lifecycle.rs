//! The life of a torrent: opens its storage, runs it, and saves resume data when it closes.

use std::sync::Arc;

use tailwater_storage::{Progress, Space, Storage};
use tailwater_types::{Bitfield, InfoHash, PieceIndex};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::announce::Announcer;
use super::discovery::search::Search;
use super::registry::Registration;
use super::removal::Removal;
use super::saver::Saver;
use super::torrent::{Continued, Ended, Suspended, TorrentTask};
use super::upkeep::{Done, Reopened, Workshop};
use crate::driver::totals::EndedTotals;
use crate::error::TorrentError;
use crate::events::{Event, EventSender};
use crate::options::{DiskChoices, priorities};
use crate::reader::Readers;
use crate::status::{Phase, Status};
use crate::storage::Storages;
use crate::torrent::Priority;

/// Everything that is needed to run one torrent from its start to its close.
pub(crate) struct TorrentLifecycle {
    pub(crate) task: TorrentTask,
    /// What looks for its peers, for each of its swarms: a hybrid torrent has two (BEP 52).
    pub(crate) seekers: Vec<Seeker>,
    /// Room for its pieces.
    pub(crate) space: Box<dyn Space + Send>,
    /// What may be done with files.
    pub(crate) choices: DiskChoices,
    /// Peers that the user named.
    pub(crate) peers: Vec<std::net::SocketAddr>,
    pub(crate) storages: Arc<Storages>,
    pub(crate) readers: Arc<Readers>,
    /// How it is to be removed.
    pub(crate) removal: Arc<Removal>,
    /// Where what it transferred counts when it has ended.
    pub(crate) ended: Arc<EndedTotals>,
    /// The torrent's name in the session, held to the end.
    pub(crate) registration: Registration,
}

/// What looks for peers in one swarm.
pub(crate) struct Seeker {
    pub(crate) announcer: Announcer,
    /// The search in the DHT; none if that is off or the torrent private.
    pub(crate) search: Option<Search>,
}

/// The context that each part of a torrent's life needs.
struct Life {
    info_hash: InfoHash,
    choices: DiskChoices,
    storages: Arc<Storages>,
    readers: Arc<Readers>,
    registration: Registration,
    removal: Arc<Removal>,
    ended: Arc<EndedTotals>,
    status: watch::Sender<Status>,
    events: EventSender,
    closing: CancellationToken,
}

/// A torrent whose storage has been opened, and whose files have not been checked yet.
struct Round {
    task: TorrentTask,
    space: Box<dyn Space + Send>,
    continued: Continued,
    /// Work on its files, if that is why it was opened anew.
    done: Option<Done>,
}

/// The tasks that look for the torrent's peers.
struct Seekers {
    waiting: Vec<Seeker>,
    running: Vec<JoinHandle<()>>,
}

impl TorrentLifecycle {
    /// Opens the storage, runs the torrent until it closes, saves resume data.
    ///
    /// What it holds is in boxes where it is only passed on: a future has room for each of its moves, and there is one for
    /// every torrent.
    pub(crate) async fn run(self: Box<Self>) {
        let (life, mut seekers, first) = self.begin();
        let mut next = Some(first);
        let mut has_run = false;
        while let Some(round) = next.take() {
            next = life.round(round, &mut seekers, &mut has_run).await;
        }
        Box::pin(seekers.finish()).await;
        let storage = life.readers.storage();
        let removed = life.removal.asked();
        let deletes = removed.is_some_and(|options| options.delete_files);
        let deleted = match deletes {
            true => storage.delete().await,
            false => Ok(()),
        };
        if has_run && !deletes {
            Saver::new(&*storage, &life.status).save().await;
        }
        life.removal.answer(deleted.clone());
        life.ended.add(&life.status.borrow().stats);
        drop(life.registration);
        storage.close().await;
        life.status
            .send_modify(|status| status.phase = Phase::Closed);
        let info_hash = life.info_hash;
        if removed.is_some() {
            let deleted_files = deletes && deleted.is_ok();
            life.events.send(Event::Removed {
                info_hash,
                deleted_files,
            });
        }
        life.events.send(Event::Closed { info_hash });
    }

    /// Its parts. The box is given back here; an asynchronous function would keep it to the end.
    fn begin(self: Box<Self>) -> (Life, Seekers, Box<Round>) {
        let this = *self;
        let task = this.task;
        let life = Life {
            info_hash: task.config.info_hash,
            choices: this.choices,
            storages: this.storages,
            readers: this.readers,
            registration: this.registration,
            removal: this.removal,
            ended: this.ended,
            status: task.status.clone(),
            events: task.shared.events.clone(),
            closing: task.closing.clone(),
        };
        let seekers = Seekers {
            waiting: this.seekers,
            running: Vec::new(),
        };
        let first = Box::new(Round {
            task,
            space: this.space,
            continued: Continued::with_peers(this.peers),
            done: None,
        });
        (life, seekers, first)
    }
}

impl Round {
    /// Its parts. The box is given back here; an asynchronous function would keep it to the end.
    fn unbox(self: Box<Self>) -> Self {
        *self
    }
}

impl Life {
    /// Checks the files, and runs until the torrent is closed or its files are worked on; then it goes on with what
    /// this returns.
    async fn round(
        &self,
        round: Box<Round>,
        seekers: &mut Seekers,
        has_run: &mut bool,
    ) -> Option<Box<Round>> {
        let storage = Arc::clone(&round.task.storage);
        let opened = tokio::select! {
            biased;
            () = self.closing.cancelled() => None,
            opened = start(&*storage, self.choices, &self.status) => Some(opened),
        };
        let Round {
            task,
            space,
            continued,
            done,
        } = round.unbox();
        let have = match opened {
            // Readers may wait already.
            None => {
                task.board.end(TorrentError::Closed);
                return None;
            }
            Some(Err(error)) => {
                if let Some(done) = done {
                    done.fail(&error);
                }
                Box::pin(self.refuse(task, error)).await;
                return None;
            }
            Some(Ok(have)) => have,
        };
        // Those that came before it was known what is held look again: nothing else tells them of pieces that are there.
        task.board.wake_all();
        match done {
            Some(done) => done.tell(&self.events, &have),
            None => self.events.send(Event::Started {
                info_hash: self.info_hash,
                have: have.count(),
                total: have.piece_count(),
            }),
        }
        *has_run = true;
        let priorities = self.priorities(&task);
        // Before the status says that it runs: a caller who has seen that is let in.
        self.registration.open();
        let running = task.start(space, have, priorities, continued);
        seekers.start();
        let saver = Saver::new(&*storage, &self.status);
        let stopped = self.closing.child_token();
        let run = async {
            let ended = running.run().await;
            stopped.cancel();
            ended
        };
        let (ended, ()) = tokio::join!(run, saver.save_now_and_then(&stopped));
        let Ended::Suspended(suspended) = ended else {
            return None;
        };
        saver.save().await;
        drop(storage);
        Box::pin(self.reopen(*suspended)).await
    }

    /// Works on the torrent's files, and opens it anew; `None` if that fails, which it tells until it is closed.
    async fn reopen(&self, suspended: Suspended) -> Option<Box<Round>> {
        let workshop = Workshop {
            storages: &self.storages,
            readers: &self.readers,
            registration: &self.registration,
            status: &self.status,
        };
        match workshop.work(suspended).await {
            Ok(Reopened {
                task,
                space,
                continued,
                done,
            }) => Some(Box::new(Round {
                task,
                space,
                continued,
                done: Some(done),
            })),
            Err((task, error)) => {
                Box::pin(self.refuse(task, error)).await;
                None
            }
        }
    }

    /// How much each piece is wanted at the beginning.
    fn priorities(&self, task: &TorrentTask) -> Vec<(PieceIndex, Priority)> {
        let files = task.settings.priorities();
        let priorities = priorities(task.metainfo.info(), &files);
        match self.choices.seed_partial {
            true => nothing_wanted(priorities),
            false => priorities,
        }
    }

    /// The torrent cannot start: it says why until it is closed.
    async fn refuse(&self, task: TorrentTask, error: TorrentError) {
        self.events.send(Event::Failed {
            info_hash: self.info_hash,
            error: error.clone(),
        });
        self.status
            .send_modify(|status| status.phase = Phase::Failed(error));
        task.refuse_everything().await;
    }
}

impl Seekers {
    /// Begins to look for peers, the first time.
    fn start(&mut self) {
        for Seeker { announcer, search } in std::mem::take(&mut self.waiting) {
            self.running
                .push(tokio::spawn(announcer.run().in_current_span()));
            let searching = search.map(|search| tokio::spawn(search.run().in_current_span()));
            self.running.extend(searching);
        }
    }

    /// Waits until trackers have been told. The announcer has a deadline of its own.
    async fn finish(self) {
        for seeker in self.running {
            let _ = seeker.await;
        }
    }
}

fn nothing_wanted(priorities: Vec<(PieceIndex, Priority)>) -> Vec<(PieceIndex, Priority)> {
    let skip = |(piece, _)| (piece, Priority::Skip);
    priorities.into_iter().map(skip).collect()
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
