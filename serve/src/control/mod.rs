//! The service layer of the daemon: what it can do, without HTTP. Every API translates to and from it.
//!
//! | file | knows |
//! |---|---|
//! | `id`, `view`, `request`, `settings`, `error` | the types that callers see |
//! | `patch`, `check` | changes of which parts are missing; numbers that make sense |
//! | `config`, `folders`, `space` | what the daemon is started with; which folders a caller may name, and the room there |
//! | `change` | the log of changes: numbered, bounded, for any number of readers |
//! | `entry`, `service` | the torrents of the daemon, in a session or not yet; start and end |
//! | `add`, `url`, `metadata`, `watch` | a torrent comes in: from a file, a link, a URL, a watched folder |
//! | `attributes`, `kept` | texts that clients keep with a torrent, and with the daemon |
//! | `actions`, `details`, `pieces` | what is done with one torrent, and what is known of it |
//! | `peers`, `bans` | peers that a caller names; addresses that are not connected with |
//! | `dormant`, `unload` | torrents that are paused and not in the session; how they leave it |
//! | `queue` | how many torrents run at once |
//! | `seeding`, `labels` | when seeds stop; what holds for all torrents with a label |
//! | `groups` | torrents that share rate limits |
//! | `relocation`, `renaming` | files are moved to other folders, looked for there, or get other names |
//! | `web_seeds` | web seeds of a torrent, as its user wants them |
//! | `revision` | what has changed since a client looked last |
//! | `schedule` | rate limits by the hour |
//! | `rates`, `totals` | rates of the last hour, for graphs; what was transferred ever |
//! | `upkeep` | follows the session's events, and saves figures now and then |
//! | `inspect` | what is in a torrent, before it is added |
//! | `tokens`, `logins` | secrets of programs, by their hashes; logins of pages |
//! | `store` | the database |

mod actions;
mod add;
mod attributes;
mod bans;
mod change;
mod check;
mod config;
mod details;
mod dormant;
mod entry;
mod error;
mod folders;
mod groups;
mod id;
mod inspect;
mod kept;
mod labels;
mod logins;
mod metadata;
mod patch;
mod peers;
mod pieces;
mod queue;
mod rates;
mod relocation;
mod renaming;
mod request;
mod revision;
mod schedule;
mod seeding;
mod service;
mod settings;
mod space;
pub mod store;
#[cfg(test)]
mod tests;
mod tokens;
mod totals;
mod unload;
mod upkeep;
mod url;
mod view;
mod watch;
mod web_seeds;

pub use attributes::{Attributes, MAX_ATTRIBUTE_LEN, MAX_ATTRIBUTES};
pub use change::{Change, ChangeKind, ChangeLog, Missed, RING_LEN};
pub use config::{ControlConfig, StateLock, UrlPolicy};
pub use dormant::Facts;
pub use error::ControlError;
pub(crate) use groups::{GroupOptions, GroupPatch, Standing};
pub use id::{ParseIdError, TorrentId};
pub use inspect::{InspectedFile, Inspection};
pub use labels::{LabelOptions, LabelView};
pub use logins::{Login, Logins};
pub use pieces::PiecesView;
pub use rates::{RateStep, RatesView};
pub use renaming::NewName;
pub use request::{
    AddParams, AddSource, FileChange, MAX_LABEL_LEN, MAX_LABELS, StorageChoice, TorrentPatch,
};
pub use revision::ChangedTorrents;
pub use schedule::{AlternativeMode, Clock, ClockError, Day, ScheduleRule};
pub use seeding::{Lifted, Limit, OwnLimits, ReachedLimit};
pub use service::Control;
pub use settings::{Settings, SettingsPatch};
pub use space::DiskSpace;
pub(crate) use tokens::TOKEN_PREFIX;
pub use tokens::{Access, NewToken, TokenError, TokenInfo, Tokens};
pub use view::{
    FilePriority, FileView, PeerView, StatsView, TorrentState, TorrentView, TrackerView,
    WebSeedView,
};
pub use watch::WatchedFolder;
