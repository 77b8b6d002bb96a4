//! Shows a stream on the terminal: addresses, warnings, a line of numbers, the player.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tailwater_serve::size::Size;
use tailwater_serve::stream::{Hosts, Item, Library, Snapshot, TorrentSource};
use tailwater_session::{Phase, ReaderView, Torrent, TorrentError};
use tokio::time::{MissedTickBehavior, interval};

use super::player::{Player, open_page as open};
use crate::args::{Opener, Stream};
use crate::commands::Context;
use crate::error::CliError;
use crate::out::{self, Harmless};
use crate::own_addrs;
use crate::progress::Meter;
use crate::words::{count, percent};

/// How often the numbers are updated.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Kinds of files that a warning names.
const MAX_KINDS: usize = 5;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    /// The server runs. Without the file's address while the metadata is not there.
    Listening(&'a Urls),
    /// The metadata of a link has arrived, and the film can be read.
    Ready(&'a Urls),
    Streaming {
        name: &'a str,
        info_hash: &'a str,
        #[serde(flatten)]
        snapshot: &'a Snapshot,
    },
}

/// The addresses of the page, the playlist and the file.
#[derive(Debug, Serialize)]
pub(super) struct Urls {
    #[serde(skip)]
    listens_at: SocketAddr,
    http: SocketAddr,
    page: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subtitles: Vec<String>,
    playlist: String,
    stats: String,
}

impl Urls {
    /// Those that are known before the files are.
    pub(super) fn of_page(listens_at: SocketAddr) -> Self {
        let addr = Hosts::of(listens_at).reachable();
        let page = format!("http://{addr}/");
        Self {
            listens_at,
            http: addr,
            file: None,
            subtitles: Vec::new(),
            playlist: format!("{page}playlist.m3u"),
            stats: format!("{page}stats"),
            page,
        }
    }

    fn of(library: &Library, addr: SocketAddr) -> Self {
        let urls = Self::of_page(addr);
        let film = library.chosen();
        let subtitles = library.subtitles(film).into_iter();
        Self {
            file: Some(film.url(urls.http)),
            subtitles: subtitles
                .map(|subtitle| format!("http://{}{}", urls.http, subtitle.url_path()))
                .collect(),
            ..urls
        }
    }

    /// Prints the page's address, and what it shows.
    pub(super) fn announce(&self, context: &Context, state: &str) -> Result<(), CliError> {
        match context.common.json() {
            true => out::json(&Line::Listening(self))?,
            false => context
                .progress
                .say(format_args!("page: {} ({state})", self.page))?,
        }
        self.warn(context);
        Ok(())
    }

    fn warn(&self, context: &Context) {
        if self.listens_at.ip().is_loopback() {
            return;
        }
        // One is enough as an example.
        if let Some(addr) = own_addrs::reachable(self.listens_at).first() {
            context.progress.note(format_args!(
                "warning: all who can reach this machine can watch, at http://{addr}/"
            ));
        }
    }
}

/// Opens the page in a browser if the user wants that.
pub(super) fn open_page(args: &Stream, addr: SocketAddr) -> Result<(), CliError> {
    match args.open {
        Some(Opener::Page) => open(&Urls::of_page(addr).page),
        _ => Ok(()),
    }
}

/// A stream, as it is shown.
pub(super) struct Shown<'a> {
    pub(super) context: &'a Context,
    pub(super) torrent: Torrent,
    pub(super) source: TorrentSource,
    pub(super) library: Arc<Library>,
    /// Where the server listens.
    pub(super) urls_at: SocketAddr,
    /// The user chose the file that is played first.
    pub(super) is_named: bool,
    /// No peer, and no place that names peers, is known.
    pub(super) is_lonely: bool,
    pub(super) meter: Meter,
}

impl Shown<'_> {
    /// Prints the addresses, for a torrent.
    pub(super) fn announce(&self) -> Result<(), CliError> {
        let urls = self.urls();
        match self.context.common.json() {
            true => out::json(&Line::Listening(&urls))?,
            false => self.say_file(&urls)?,
        }
        urls.warn(self.context);
        self.warn();
        Ok(())
    }

    /// The same for a link, whose page is known already.
    pub(super) fn announce_late(&self) -> Result<(), CliError> {
        let urls = self.urls();
        match self.context.common.json() {
            true => out::json(&Line::Ready(&urls))?,
            false => self.say_file(&urls)?,
        }
        self.warn();
        Ok(())
    }

    fn urls(&self) -> Urls {
        Urls::of(&self.library, self.urls_at)
    }

    fn say_file(&self, urls: &Urls) -> Result<(), CliError> {
        let file = urls.file.as_deref().unwrap_or_default();
        let text = format_args!("streaming {file} (page: {})", urls.page);
        self.context.progress.say(text)
    }

    fn warn(&self) {
        let progress = &self.context.progress;
        if let Some(reason) = unplayable(&self.library, self.is_named) {
            progress.note(format_args!("warning: {reason}; it is served all the same"));
        }
        let name = self.torrent.info().name();
        if self.is_lonely {
            progress.note(format_args!(
                "warning: {} has no trackers: waiting for peers to connect; name one with `--peer HOST:PORT`",
                Harmless(name)
            ));
        }
    }

    /// Until the torrent fails, or the player ends.
    pub(super) async fn run(&self, args: &Stream) -> Result<(), CliError> {
        let urls = self.urls();
        // Dropped at the end: it goes on without us.
        let mut player = match &args.open {
            Some(Opener::Program(command)) => {
                let file = urls.file.as_deref().unwrap_or(&urls.page);
                Some(Player::open(command, file, &urls.subtitles)?)
            }
            // The page was opened as soon as it was there.
            Some(Opener::Page) | None => None,
        };
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut printed = None;
        loop {
            tokio::select! {
                _ = ticks.tick() => self.show(&mut printed).await?,
                status = ended(&mut player) => {
                    if self.ends_with(args, player.take(), status, &urls).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn show(&self, printed: &mut Option<Snapshot>) -> Result<(), CliError> {
        let snapshot = self.look().await?;
        self.meter.set(0, self.words(&snapshot));
        self.meter
            .set_details(self.meter.details(&self.torrent).await);
        if self.context.common.json_lines().has_events() && printed.as_ref() != Some(&snapshot) {
            out::json(&Line::Streaming {
                name: &self.library.title,
                info_hash: &self.library.info_hash,
                snapshot: &snapshot,
            })?;
            *printed = Some(snapshot);
        }
        Ok(())
    }

    /// The buffer now, unless there is nothing more to expect of it.
    async fn look(&self) -> Result<Snapshot, CliError> {
        let failed = |error| CliError::Torrent {
            name: self.torrent.info().name().to_owned(),
            error,
        };
        match self.torrent.status().phase {
            Phase::Failed(error) => Err(failed(error)),
            Phase::Closed => Err(failed(TorrentError::Closed)),
            _ => self.source.look().await.map_err(failed),
        }
    }

    fn words(&self, snapshot: &Snapshot) -> String {
        let (rate, peers) = (
            Size(snapshot.transfer.down_rate),
            count(snapshot.transfer.peers, "peer"),
        );
        if let Phase::Checking { done, total } = self.torrent.status().phase {
            return format!("checking piece {done} of {total}");
        }
        let readers = snapshot.readers.iter().map(|reader| &reader.view);
        // The one that reads fastest is the player; others look at the ends of the file.
        let Some(reader) = readers.max_by_key(|reader| reader.rate) else {
            return format!(
                "no player reads, {} held, {rate}/s, {peers}",
                Held(snapshot)
            );
        };
        let stalls = usize::try_from(snapshot.totals.stalls).unwrap_or(usize::MAX);
        let stalls = count(stalls, "stall");
        let place = self.place(reader);
        match snapshot.too_slow {
            Some(slow) => format!("too slow for this film ({slow}), {place}, {peers}, {stalls}"),
            None => format!("{place}, {rate}/s, {peers}, {stalls}"),
        }
    }

    fn place(&self, reader: &ReaderView) -> String {
        let length = self.library.get(reader.file).map_or(0, |item| item.length);
        let (ahead, behind) = (Size(reader.ahead), Size(reader.behind));
        let at = percent(reader.cursor, length);
        let waits = if reader.is_waiting { ", waiting" } else { "" };
        format!("at {at} %{waits}, {ahead} ahead, {behind} behind")
    }

    /// Prints that the player has ended. Returns whether the stream ends with it.
    async fn ends_with(
        &self,
        args: &Stream,
        player: Option<Player>,
        status: Option<ExitStatus>,
        urls: &Urls,
    ) -> Result<bool, CliError> {
        let Some(mut player) = player else {
            return Ok(false);
        };
        let has_read = self.look().await?.totals.served > 0;
        let progress = &self.context.progress;
        let has_failed = !has_read && status.is_some_and(|status| !status.success());
        let words = match has_failed {
            true => player.last_lines().await,
            false => Vec::new(),
        };
        let program = player.program();
        for line in &words {
            let program = program.display().to_string();
            progress.note(format_args!("{}: {}", Harmless(&program), Harmless(line)));
        }
        let ended = Ended { program, status };
        if has_failed && !args.keep_streaming {
            return Err(CliError::PlayerFailed {
                ended: ended.to_string(),
                has_words: !words.is_empty(),
            });
        }
        if !args.keep_streaming && (has_read || args.exit_with_player) {
            progress.note(format_args!("{ended}: the stream ends with it"));
            return Ok(true);
        }
        let before = if has_read {
            ""
        } else {
            " before it read anything"
        };
        progress.note(format_args!(
            "{ended}{before}; still streaming at {}, Ctrl-C ends it",
            urls.page
        ));
        Ok(false)
    }
}

/// How the player ended; never if there is none.
async fn ended(player: &mut Option<Player>) -> Option<ExitStatus> {
    match player {
        Some(player) => player.ended().await,
        None => pending().await,
    }
}

/// A player that has ended, in words.
struct Ended<'a> {
    program: &'a Path,
    status: Option<ExitStatus>,
}

impl Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program.display().to_string();
        write!(f, "{} has ended", Harmless(&program))?;
        match self.status.filter(|status| !status.success()) {
            Some(status) => match status.code() {
                Some(code) => write!(f, " with exit code {code}"),
                None => write!(f, " by a signal"),
            },
            None => Ok(()),
        }
    }
}

/// Why the file that is played first does not play, if so; by its name, as nothing else is known of it.
fn unplayable(library: &Library, is_named: bool) -> Option<String> {
    let chosen = library.chosen();
    if chosen.is_playable() {
        return None;
    }
    let name = chosen.name();
    if chosen.length == 0 && chosen.is_named_as_playable() {
        return Some(format!("{} is empty", Harmless(name)));
    }
    let has_other = library.items().any(Item::is_playable);
    if is_named && has_other {
        return Some(format!(
            "{} is neither video nor sound, by its name",
            Harmless(name)
        ));
    }
    let kinds: BTreeSet<_> = library.items().map(extension).collect();
    let mut named: Vec<_> = kinds.iter().take(MAX_KINDS).cloned().collect();
    if kinds.len() > named.len() {
        named.push("others".to_owned());
    }
    Some(format!(
        "nothing in {} plays: its {}, by name, {} neither video nor sound ({})",
        Harmless(&library.title),
        match library.file_count() {
            1 => "file".to_owned(),
            files => count(files, "file"),
        },
        if library.file_count() == 1 {
            "is"
        } else {
            "are"
        },
        named.join(", ")
    ))
}

/// `.iso`, or what there is instead.
fn extension(item: &Item) -> String {
    match item.name().rsplit_once('.') {
        Some((_, extension)) if !extension.is_empty() => {
            Harmless(&format!(".{}", extension.to_lowercase())).to_string()
        }
        _ => "without an extension".to_owned(),
    }
}

/// Describes the held data in words.
struct Held<'a>(&'a Snapshot);

impl Display for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = self.0.memory;
        write!(f, "{}", Size(memory.used))?;
        match memory.budget {
            Some(budget) => write!(f, " of {}", Size(budget)),
            None => Ok(()),
        }
    }
}
