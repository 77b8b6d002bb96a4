//! Files over HTTP while they download.
//!
//! | file | knows |
//! |---|---|
//! | `range`, `condition`, `host`, `guard`, `escape`, `media` | what requests mean, and how names are written: pure |
//! | `library`, `page`, `playlist`, `stats`, `fresh` | what there is to see |
//! | `source` | what the bytes have to offer; `torrent` is the one that has them |
//! | `file`, `answer`, `body`, `site` | requests and their responses |
//! | `server`, `client`, `places`, `watched` | connections, their limits, and which of them goes when places are short |
//! | `choice`, `player` | what the command line asks for: which file, which program |

mod answer;
mod body;
mod choice;
mod client;
mod condition;
mod escape;
mod file;
mod fresh;
mod guard;
mod host;
mod library;
mod media;
mod page;
mod places;
mod player;
mod playlist;
mod range;
mod server;
mod site;
mod source;
mod stats;
#[cfg(test)]
mod tests;
mod torrent;
mod watched;

pub(crate) use choice::choose;
pub(crate) use host::Hosts;
pub(crate) use library::Library;
pub(crate) use player::Player;
pub(crate) use server::{Limits, Server};
pub(crate) use site::Site;
pub(crate) use stats::{ReaderState, Snapshot};
pub(crate) use torrent::{TorrentSource, library};
