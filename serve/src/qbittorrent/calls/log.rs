//! What happened: the daemon's changes, and what this listener could not do.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{Answer, Outcome};
use crate::control::{Change, ChangeKind, Control};
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;

/// The most messages that are kept, some 300 bytes each.
const MAX_MESSAGES: usize = 2_000;

/// How grave a message is, as the original counts it.
const NORMAL: u8 = 1;
const INFO: u8 = 2;
const WARNING: u8 = 4;
const CRITICAL: u8 = 8;

#[derive(Debug, Default)]
pub(in crate::qbittorrent) struct Journal {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    messages: VecDeque<Message>,
    /// The number of the next message.
    next: i64,
    /// The number of the last change that was looked at.
    change: u64,
}

#[derive(Clone, Debug)]
struct Message {
    id: i64,
    /// A Unix time.
    at: u64,
    kind: u8,
    text: String,
}

impl Journal {
    /// An empty one, for what happens behind a change.
    pub(in crate::qbittorrent) fn since(change: u64) -> Self {
        let kept = Kept {
            change,
            ..Kept::default()
        };
        Self {
            kept: Mutex::new(kept),
        }
    }

    /// Something that was asked for could not be done.
    pub(in crate::qbittorrent) fn warn(&self, text: String) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        tracing::warn!("{text}");
        self.kept.lock().push(now, WARNING, text);
    }

    fn read(&self, control: &Control) {
        let mut kept = self.kept.lock();
        loop {
            match control.log().since(kept.change) {
                Ok(changes) if changes.is_empty() => return,
                Ok(changes) => {
                    for change in changes {
                        kept.change = change.id;
                        if let Some((kind, text)) = words(control, &change) {
                            kept.push(change.at / 1_000, kind, text);
                        }
                    }
                }
                Err(missed) => kept.change = missed.newest,
            }
        }
    }
}

impl Kept {
    fn push(&mut self, at: u64, kind: u8, text: String) {
        let id = self.next;
        self.next += 1;
        if self.messages.len() == MAX_MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back(Message { id, at, kind, text });
    }
}

/// What is said of a change; nothing of those that come by the dozen.
fn words(control: &Control, change: &Change) -> Option<(u8, String)> {
    let name = || match change.torrent {
        Some(id) => control
            .torrent(id)
            .map_or_else(|_| id.to_string(), |view| view.name),
        None => "the daemon".to_owned(),
    };
    Some(match &change.kind {
        ChangeKind::Added { name } => (NORMAL, format!("added \"{name}\"")),
        ChangeKind::MetadataFetched { name } => {
            (NORMAL, format!("fetched the metadata of \"{name}\""))
        }
        ChangeKind::Completed => (INFO, format!("\"{}\" is complete", name())),
        ChangeKind::Paused => (NORMAL, format!("stopped \"{}\"", name())),
        ChangeKind::Resumed => (NORMAL, format!("started \"{}\"", name())),
        ChangeKind::Rechecked { .. } => (NORMAL, format!("checked \"{}\"", name())),
        ChangeKind::Moved { folder } => (NORMAL, format!("moved \"{}\" to {folder}", name())),
        ChangeKind::Failed { error } => (CRITICAL, format!("\"{}\": {error}", name())),
        ChangeKind::Removed { .. } => (NORMAL, format!("removed {}", name())),
        ChangeKind::SeedingDone { .. } => (INFO, format!("\"{}\" has seeded enough", name())),
        ChangeKind::Warning { warning } => (WARNING, format!("\"{}\": {warning}", name())),
        ChangeKind::SaveFailed { error } => (CRITICAL, error.clone()),
        _ => return None,
    })
}

pub(super) fn run(shared: &Shared, name: &str, params: &Params) -> Outcome {
    // Which peers were banned is not remembered.
    if name == "log/peers" {
        return Ok(Answer::Json(Value::Array(Vec::new())));
    }
    shared.journal.read(&shared.control);
    let since = params.int("last_known_id").unwrap_or(-1);
    let wants = |name: &str| params.flag(name).unwrap_or(true);
    let kinds = [
        ("normal", NORMAL),
        ("info", INFO),
        ("warning", WARNING),
        ("critical", CRITICAL),
    ];
    let wanted: Vec<u8> = kinds
        .into_iter()
        .filter(|(name, _)| wants(name))
        .map(|(_, kind)| kind)
        .collect();
    let kept = shared.journal.kept.lock();
    let messages = kept.messages.iter();
    let messages = messages.filter(|it| it.id > since && wanted.contains(&it.kind));
    let messages = messages
        .map(|it| json!({"id": it.id, "message": it.text, "timestamp": it.at, "type": it.kind}));
    Ok(Answer::Json(messages.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_messages_are_kept_and_no_more() {
        let journal = Journal::default();
        for number in 0..MAX_MESSAGES + 5 {
            journal.warn(number.to_string());
        }
        let kept = journal.kept.lock();
        assert_eq!(kept.messages.len(), MAX_MESSAGES);
        assert_eq!(
            (kept.messages[0].id, kept.messages[0].text.as_str()),
            (5, "5")
        );
    }
}
