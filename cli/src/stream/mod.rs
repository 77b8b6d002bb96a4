//! Files over HTTP while they download.
//!
//! | file | knows |
//! |---|---|
//! | `range`, `condition`, `host`, `guard`, `escape`, `media`, `program` | what requests mean, and how names are written: pure |
//! | `item`, `library`, `subtitles`, `page`, `playlist`, `stats`, `fresh` | what there is to see |
//! | `webvtt`, `pace` | subtitles as browsers read them; whether the download keeps up: pure |
//! | `source` | what the bytes have to offer; `torrent` is the one that has them |
//! | `site`, `film`, `awaited` | which address has what: always, with the torrent, and until it is known |
//! | `file`, `answer`, `body` | responses |
//! | `limits`, `server`, `client`, `places`, `watched` | connections, their limits, and which of them goes when places are short |
//! | `choice`, `player`, `said` | what the command line asks for: which file, which program; and what that prints |

mod answer;
mod awaited;
mod body;
mod choice;
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
mod pace;
mod page;
mod places;
mod player;
mod playlist;
mod program;
mod range;
mod said;
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

pub(crate) use choice::choose;
pub(crate) use host::{HostName, Hosts};
pub(crate) use item::Item;
pub(crate) use library::Library;
pub(crate) use limits::Limits;
pub(crate) use player::{Opener, Player, open_page};
pub(crate) use server::Server;
pub(crate) use site::Site;
pub(crate) use stats::{ReaderState, Snapshot};
pub(crate) use torrent::{TorrentSource, library};
