//! The streaming server: files over HTTP while they download.
//!
//! | file | knows |
//! |---|---|
//! | `range`, `condition`, `host`, `guard`, `escape`, `media`, `program` | what requests mean, and how names are written: pure |
//! | `item`, `library`, `subtitles`, `page`, `playlist`, `stats`, `fresh` | what is listed and shown |
//! | `webvtt`, `pace` | subtitles as browsers read them; whether the download keeps up: pure |
//! | `source` | the trait that the server reads files through; `torrent` implements it for a session's torrent |
//! | `site`, `film`, `awaited` | routes: common ones, those of a known torrent, and those until it is known |
//! | `mount` | the files of any number of torrents, for a server that has other routes too |
//! | `file`, `answer`, `body` | responses |
//! | `limits`, `server`, `request_body`, `client`, `places`, `watched` | connections, limits, permits; displaces a client when none is free |

mod answer;
mod awaited;
mod body;
mod client;
mod condition;
mod escape;
mod file;
mod film;
mod fresh;
mod guard;
mod host;
mod item;
mod library;
mod limits;
mod media;
mod mount;
mod pace;
mod page;
mod places;
mod playlist;
mod program;
mod range;
mod request_body;
mod server;
mod site;
mod source;
mod stats;
mod subtitles;
#[cfg(test)]
mod tests;
mod torrent;
mod watched;
mod webvtt;

pub(crate) use client::Client;
pub use client::Patience;
pub(crate) use escape::{Line, disposition, segment};
pub(crate) use fresh::Fresh;
pub(crate) use guard::{Refused, host as requested_host, origin as check_origin};
pub use host::{HostName, Hosts, ParseHostError};
pub use item::Item;
pub use library::Library;
pub use limits::Limits;
pub(crate) use media::{is_playable_name, media_type};
pub(crate) use mount::Mount;
pub use pace::TooSlow;
pub use program::Program;
pub(crate) use request_body::RequestBody;
pub(crate) use server::Handler;
pub use server::Server;
pub use site::Site;
pub use source::{Read, Source};
pub use stats::{Pieces, ReaderState, Runs, Snapshot, Totals};
pub use subtitles::Subtitle;
pub use tailwater_session::{MemoryUse, PieceView, ReaderView, TransferStats};
pub use torrent::{CountedReader, TorrentSource, library};
