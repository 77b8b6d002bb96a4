//! Tracks the downloads that are not complete, and reports them when the command is interrupted.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tailwater_metainfo::InfoHash;

use crate::args::Json;
use crate::commands::follow::Subject;
use crate::error::CliError;
use crate::input::link::Link;
use crate::input::magnet;
use crate::json::Line;
use crate::out;

/// A download that is not complete.
#[derive(Clone)]
pub(super) enum Pending {
    Torrent(Subject),
    /// A link that has led to no download yet; without a hash if it is a publication.
    Link {
        name: Option<String>,
        info_hash: Option<InfoHash>,
    },
}

impl Pending {
    pub(super) fn link(link: &Link) -> Self {
        match link {
            Link::Torrent(magnet) => Self::Link {
                name: Some(magnet::name(magnet)),
                info_hash: magnet.hashes.wire(),
            },
            Link::Published(_) => Self::Link {
                name: None,
                info_hash: None,
            },
        }
    }

    fn tell(&self) -> Result<(), CliError> {
        match self {
            Self::Torrent(subject) => subject.tell_interrupted(),
            Self::Link { name, info_hash } => out::json(&Line::Interrupted {
                name: name.as_deref(),
                info_hash: info_hash.map(|hash| hash.to_string()),
                figures: None,
            }),
        }
    }
}

/// All of a command. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Unfinished(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    last: u64,
    pending: BTreeMap<u64, Pending>,
}

impl Unfinished {
    /// Adds one, until the returned guard is dropped.
    pub(super) fn hold(&self, pending: Pending) -> Held {
        let mut state = self.lock();
        state.last += 1;
        let number = state.last;
        state.pending.insert(number, pending);
        Held {
            number,
            of: self.clone(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().pending.is_empty()
    }

    /// Prints how far each is, as JSON, in the order in which they began.
    pub(super) fn tell(&self, json: Json) -> Result<(), CliError> {
        if !json.is_on() {
            return Ok(());
        }
        // To print may take as long as the reader does.
        let pending: Vec<_> = self.lock().pending.values().cloned().collect();
        pending.iter().try_for_each(Pending::tell)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

/// One that is not complete.
pub(super) struct Held {
    number: u64,
    of: Unfinished,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.lock().pending.remove(&self.number);
    }
}
