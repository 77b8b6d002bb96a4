//! The web seed task: fetches what the torrent requests from an HTTP server (BEP 19, BEP 17).
//!
//! It stands where a peer task stands: the torrent sends it the same commands, and it reports the same facts, with the
//! same back-pressure. Blocks that follow each other are fetched by one request for each file. A body is read in chunks,
//! and its blocks are handed to the storage as they become whole: no more is held than a chunk, its blocks, and the
//! beginning of one more.

mod answer;
mod assembler;
mod fetch;
mod source;
mod spans;
pub(crate) mod status;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tailwater_http::Client;
use tailwater_metainfo::{Bitfield, BlockRef, Info, InfoHash};
use tailwater_storage::Storage;
use tailwater_types::pacing::Backoff;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep_until;

use self::answer::Failure;
use self::assembler::Assembler;
use self::fetch::Pace;
use self::source::Protocol;
pub(crate) use self::source::WebSeedUrl;
use self::status::{WebSeedState, WebSeeds};
use crate::driver::message::{BATCHES_IN_FLIGHT, End, FactBatch, TorrentMessage};
use crate::driver::rate_limits::{RateChanges, RateLimits};
use crate::mailbox::Mailbox;
use crate::peer::{Command, Fact};
use crate::torrent::{PeerKey, WebSeedId};
use crate::transport::Uplink;

/// The pause after a failure, where the server does not name one.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(600));
/// Wrong answers in a row after which a web seed is not asked again.
const MAX_WRONG: u32 = 3;
/// Files in a row that a web seed does not have after which it is not asked again.
const MAX_LACKING: u32 = 10;

/// Everything that a web seed's task needs.
pub(crate) struct WebSeedSettings {
    pub(crate) key: PeerKey,
    pub(crate) id: WebSeedId,
    pub(crate) url: WebSeedUrl,
    pub(crate) info: Info,
    pub(crate) info_hash: InfoHash,
    pub(crate) client: Client,
    pub(crate) link: Uplink,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) mailbox: Arc<Mailbox<Command>>,
    pub(crate) messages: mpsc::Sender<TorrentMessage>,
    pub(crate) down_limit: RateLimits,
    pub(crate) status: Arc<WebSeeds>,
}

/// A web seed's task.
pub(crate) struct WebSeedTask {
    settings: WebSeedSettings,
    /// The batches of facts that may wait for the torrent.
    in_flight: Arc<Semaphore>,
    changes: RateChanges,
    commands: Vec<Command>,
    /// The blocks that are requested, in the order of the requests.
    wanted: VecDeque<BlockRef>,
    /// The facts that the torrent has not been told.
    facts: Vec<Fact>,
    /// The pieces of which it has all files, as far as is known.
    have: Bitfield,
    /// It waits after a failure, and takes no requests.
    rests: bool,
    backoff: Backoff,
    pace: Pace,
    /// Wrong answers, and files that it did not have, since it last answered well.
    wrong: u32,
    lacking: u32,
    /// Why it failed, as was said last: a failure is said once, until its reason changes.
    said: Option<String>,
}

impl WebSeedTask {
    pub(crate) fn new(settings: WebSeedSettings) -> Self {
        Self {
            in_flight: Arc::new(Semaphore::new(BATCHES_IN_FLIGHT)),
            changes: settings.down_limit.changes(),
            commands: Vec::new(),
            wanted: VecDeque::new(),
            facts: Vec::new(),
            have: Bitfield::all(settings.info.geometry()),
            rests: false,
            backoff: BACKOFF,
            pace: Pace::unknown(),
            wrong: 0,
            lacking: 0,
            said: None,
            settings,
        }
    }

    /// Runs until the torrent lets the web seed go, or the web seed proves useless; tells the torrent which.
    pub(crate) async fn run(mut self) {
        let end = match self.work().await {
            Failure::Useless(reason) => {
                self.set_state(WebSeedState::Failed, Some(&reason));
                let url = self.settings.url.shown();
                tracing::warn!("web seed {url} is given up: {reason}");
                End::Useless(reason)
            }
            _ => End::LetGo,
        };
        // What came before the end still counts.
        let _ = self.report().await;
        let ended = TorrentMessage::Ended(self.settings.key, end);
        let _ = self.settings.messages.send(ended).await;
    }

    /// Fetches what is requested; returns why it ends.
    async fn work(&mut self) -> Failure {
        let have = Fact::Bitfield(self.have.clone());
        self.facts.extend([have, Fact::Unchoked]);
        loop {
            let fetched = match self.next_run().await {
                Ok(run) => self.fetch(run).await,
                Err(failure) => return failure,
            };
            if let Err(failure) = fetched
                && let Err(end) = self.handle_failure(failure).await
            {
                return end;
            }
        }
    }

    /// Waits until something is requested, and chooses what to fetch together: the block that was requested first, and
    /// those that follow it in the torrent. A query is for one piece.
    async fn next_run(&mut self) -> Result<Range<u64>, Failure> {
        loop {
            self.take_commands()?;
            self.report().await?;
            if let Some(first) = self.wanted.front() {
                return Ok(self.run_from(*first));
            }
            self.set_state(WebSeedState::Ready, None);
            self.settings.mailbox.ready().await;
        }
    }

    fn run_from(&self, first: BlockRef) -> Range<u64> {
        let geometry = self.settings.info.geometry();
        let start = geometry.block_start(first);
        let bound = match self.settings.url.protocol {
            Protocol::Files => u64::MAX,
            Protocol::Query => geometry.piece_range(first.piece()).end,
        };
        let mut blocks: Vec<_> = self
            .wanted
            .iter()
            .map(|block| (geometry.block_start(*block), block.len()))
            .filter(|(begin, _)| (start..bound).contains(begin))
            .collect();
        blocks.sort_unstable();
        let mut end = start;
        for (begin, len) in blocks {
            if begin > end {
                break;
            }
            end = end.max(begin + u64::from(len));
        }
        start..end
    }

    /// Takes the torrent's commands; says whether it has withdrawn a request.
    fn take_commands(&mut self) -> Result<bool, Failure> {
        let goes_on = self.settings.mailbox.take(&mut self.commands);
        let mut has_cancelled = false;
        for command in self.commands.drain(..) {
            match command {
                Command::Request(block) if self.rests || !self.have.has(block.piece()) => {
                    self.facts.push(Fact::Returned(block));
                }
                Command::Request(block) => self.wanted.push_back(block),
                Command::Cancel(block) => {
                    self.wanted.retain(|wanted| *wanted != block);
                    has_cancelled = true;
                }
                // A web seed is told nothing else, and has nothing that it could give back.
                _ => {}
            }
        }
        match goes_on {
            true => Ok(has_cancelled),
            false => Err(Failure::LetGo),
        }
    }

    /// Whether a block is requested that begins in this range.
    fn wants(&self, range: &Range<u64>) -> bool {
        let geometry = self.settings.info.geometry();
        let begins = |block: &BlockRef| range.contains(&geometry.block_start(*block));
        self.wanted.iter().any(begins)
    }

    /// Runs a step of a request, and takes the torrent's commands meanwhile; `None` as soon as nothing in `range` is
    /// wanted any more.
    async fn while_wanted<T>(
        &mut self,
        range: &Range<u64>,
        step: impl Future<Output = T>,
    ) -> Result<Option<T>, Failure> {
        let mut step = std::pin::pin!(step);
        loop {
            tokio::select! {
                done = &mut step => return Ok(Some(done)),
                () = self.settings.mailbox.ready() => {
                    if self.take_commands()? && !self.wants(range) {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Takes the next bytes of a body: hands whole blocks to the storage, then facts to the torrent; both hold the task
    /// up when they are busy (back-pressure), and so does the rate limit.
    async fn take_in(
        &mut self,
        bytes: Bytes,
        received: usize,
        assembler: &mut Assembler,
    ) -> Result<(), Failure> {
        let mut blocks = Vec::new();
        for (block, data) in assembler.push(bytes) {
            match self.wanted.iter().position(|wanted| *wanted == block) {
                Some(position) => {
                    self.wanted.remove(position);
                    self.facts.push(Fact::Block(block));
                    blocks.push((block, data));
                }
                None => self.facts.push(Fact::Redundant(u64::from(block.len()))),
            }
        }
        if !blocks.is_empty() {
            let WebSeedSettings {
                storage,
                status,
                key,
                id,
                ..
            } = &self.settings;
            let sum = blocks.iter().map(|(block, _)| u64::from(block.len())).sum();
            status.add_bytes(*id, sum);
            let refused = storage.write((*key).into(), blocks).await;
            for wrong in refused.wrong {
                Fact::withdraw(&mut self.facts, wrong);
                self.facts.push(Fact::Wrong(wrong));
            }
            for duplicate in refused.unwanted {
                Fact::withdraw(&mut self.facts, duplicate);
                let len = u64::from(duplicate.len());
                self.facts
                    .extend([Fact::Redundant(len), Fact::Returned(duplicate)]);
            }
        }
        self.report().await?;
        self.pay(received).await
    }

    /// Counts bytes against the rate limits, and waits until they let more pass.
    async fn pay(&mut self, received: usize) -> Result<(), Failure> {
        let Some(until) = self.settings.down_limit.spend(Instant::now(), received) else {
            return Ok(());
        };
        loop {
            tokio::select! {
                () = sleep_until(until.into()) => return Ok(()),
                // What passed under the old limit is not waited for under the new one.
                () = self.changes.next() => return Ok(()),
                () = self.settings.mailbox.ready() => { self.take_commands()?; }
            }
        }
    }

    /// Tells the torrent the facts; waits while it is busy.
    async fn report(&mut self) -> Result<(), Failure> {
        if self.facts.is_empty() {
            return Ok(());
        }
        let permit = Arc::clone(&self.in_flight).acquire_owned().await;
        let batch = FactBatch {
            key: self.settings.key,
            from: self.settings.id.into(),
            facts: std::mem::take(&mut self.facts),
            // The semaphore is never closed.
            _permit: permit.map_err(|_| Failure::LetGo)?,
        };
        let sent = self.settings.messages.send(TorrentMessage::Facts(batch));
        sent.await.map_err(|_| Failure::LetGo)
    }

    /// Handles a request that failed; the error ends the task.
    async fn handle_failure(&mut self, failure: Failure) -> Result<(), Failure> {
        match failure {
            Failure::LetGo | Failure::Useless(_) => Err(failure),
            Failure::Later { reason, after } => self.rest(&reason, after).await,
            Failure::Wrong(reason) => {
                self.wrong += 1;
                match self.wrong < MAX_WRONG {
                    true => self.rest(&reason, None).await,
                    false => Err(Failure::Useless(reason)),
                }
            }
            Failure::NoFile { file, reason } => {
                self.lacking += 1;
                self.give_up_file(file, &reason);
                match self.lacking < MAX_LACKING && !self.have.is_none() {
                    true => Ok(()),
                    false => Err(Failure::Useless(reason)),
                }
            }
        }
    }

    /// The web seed lacks a file: it is asked for no piece of it.
    fn give_up_file(&mut self, file: usize, reason: &str) {
        let Some(entry) = self.settings.info.files().get(file) else {
            return;
        };
        let url = self.settings.url.shown();
        let path = entry.path().as_str().escape_debug();
        tracing::info!("web seed {url} lacks the file {path}: {reason}");
        let status = &self.settings.status;
        status.set_state(self.settings.id, WebSeedState::Ready, Some(reason));
        let range = entry.range();
        let geometry = self.settings.info.geometry();
        for piece in geometry.pieces_in(range.start, range.end) {
            if self.have.clear(piece) {
                self.facts.push(Fact::DontHave(piece));
            }
        }
        let have = &self.have;
        let facts = &mut self.facts;
        self.wanted.retain(|block| {
            let keeps = have.has(block.piece());
            if !keeps {
                facts.push(Fact::Returned(*block));
            }
            keeps
        });
    }

    /// Gives all requests back, and takes none for a while.
    async fn rest(&mut self, reason: &str, after: Option<Duration>) -> Result<(), Failure> {
        let pause = self.backoff.next_pause();
        let pause = after.unwrap_or(pause);
        let url = self.settings.url.shown();
        match self.said.as_deref() == Some(reason) {
            true => tracing::info!("web seed {url} is asked again in {pause:?}: {reason}"),
            false => tracing::warn!("web seed {url} is asked again in {pause:?}: {reason}"),
        }
        self.said = Some(reason.to_owned());
        self.set_state(WebSeedState::Waiting, Some(reason));
        let until = Instant::now() + pause;
        self.rests = true;
        self.facts.push(Fact::Choked);
        let wanted = self.wanted.drain(..);
        self.facts.extend(wanted.map(Fact::Returned));
        loop {
            self.report().await?;
            let link = self.settings.link.clone();
            tokio::select! {
                () = sleep_until(until.into()), if link.is_up() => break,
                // It had nothing to do with the server.
                () = link.up(), if !link.is_up() => {
                    self.backoff.reset();
                    break;
                }
                () = self.settings.mailbox.ready() => { self.take_commands()?; }
            }
        }
        self.rests = false;
        self.facts.push(Fact::Unchoked);
        Ok(())
    }

    fn set_state(&self, state: WebSeedState, error: Option<&str>) {
        self.settings
            .status
            .set_state(self.settings.id, state, error);
    }
}
