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
mod pace;
mod page;
mod places;
mod playlist;
mod program;
mod range;
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

pub use client::Patience;
pub use host::{HostName, Hosts, ParseHostError};
pub use item::Item;
pub use library::Library;
pub use limits::Limits;
pub use pace::TooSlow;
pub use program::Program;
pub use server::Server;
pub use site::Site;
pub use source::{Read, Source};
pub use stats::{Memory, Piece, PieceState, Pieces, ReaderState, Runs, Snapshot, Totals, Transfer};
pub use subtitles::Subtitle;
pub use torrent::{CountedReader, TorrentSource, library};
