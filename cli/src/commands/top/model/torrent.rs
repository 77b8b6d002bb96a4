//! A torrent of the daemon, with what its API says of it.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};

use crate::out::Harmless;

/// The fields that the list asks for: no others are sent.
pub(crate) const FIELDS: &str = "id,number,name,title,state,state_progress,error,warning,labels,queue_position,added,size,have,\
    left,progress,downloaded,uploaded,ratio,down_rate,up_rate,eta,is_stalled,download_limit,upload_limit,max_peers,peers,\
    seeds,file_count";

/// An info-hash: what the API calls a torrent by.
pub(crate) type Id = Arc<str>;

/// What a torrent is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Downloading,
    Metadata,
    Checking,
    Moving,
    Starting,
    Seeding,
    Queued,
    Paused,
    Error,
    /// That of a daemon that is newer than this program.
    #[default]
    #[serde(other)]
    Unknown,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Downloading => "downloading",
            Self::Metadata => "metadata",
            Self::Checking => "checking",
            Self::Moving => "moving",
            Self::Starting => "starting",
            Self::Seeding => "seeding",
            Self::Queued => "queued",
            Self::Paused => "paused",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }
}

/// A row of the list.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Torrent {
    #[serde(deserialize_with = "id")]
    pub(crate) id: Id,
    pub(crate) number: i64,
    /// Harmless to a terminal.
    #[serde(deserialize_with = "harmless")]
    pub(crate) name: String,
    /// What its user calls it.
    #[serde(deserialize_with = "harmless_option")]
    pub(crate) title: Option<String>,
    pub(crate) state: State,
    pub(crate) state_progress: Option<f64>,
    #[serde(deserialize_with = "harmless_option")]
    pub(crate) error: Option<String>,
    #[serde(deserialize_with = "harmless_option")]
    pub(crate) warning: Option<String>,
    #[serde(deserialize_with = "harmless_list")]
    pub(crate) labels: Vec<String>,
    pub(crate) queue_position: u64,
    pub(crate) added: u64,
    pub(crate) size: u64,
    pub(crate) have: u64,
    pub(crate) left: u64,
    pub(crate) progress: f64,
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
    pub(crate) ratio: f64,
    pub(crate) down_rate: u64,
    pub(crate) up_rate: u64,
    pub(crate) eta: Option<u64>,
    pub(crate) is_stalled: bool,
    pub(crate) download_limit: Option<u64>,
    pub(crate) upload_limit: Option<u64>,
    pub(crate) max_peers: Option<usize>,
    pub(crate) peers: usize,
    pub(crate) seeds: usize,
    pub(crate) file_count: usize,
}

impl Torrent {
    /// What it is called where it is shown.
    pub(crate) fn shown(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// It transfers something, or tries to.
    pub(crate) const fn is_active(&self) -> bool {
        let works = matches!(
            self.state,
            State::Downloading | State::Metadata | State::Checking | State::Moving
        );
        works || self.down_rate > 0 || self.up_rate > 0
    }

    /// It goes on when it is resumed.
    pub(crate) const fn is_stopped(&self) -> bool {
        matches!(self.state, State::Paused | State::Error)
    }
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
    Ok(String::deserialize(deserializer)?.into())
}

/// Names come from strangers: a terminal is not to be commanded by them.
pub(crate) fn harmless<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(cleaned(text))
}

pub(crate) fn harmless_option<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(cleaned))
}

fn harmless_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    Ok(texts.into_iter().map(cleaned).collect())
}

fn cleaned(text: String) -> String {
    let is_plain = text.bytes().all(|byte| (b' '..0x7f).contains(&byte));
    match is_plain {
        true => text,
        false => Harmless(&text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torrent_of_any_daemon_is_read() {
        let json = r#"{"id":"ab","name":"a\u001b[2J","state":"dreaming","labels":["x\n"],"new":1}"#;
        let torrent: Torrent = serde_json::from_str(json).unwrap();
        assert_eq!(torrent.state, State::Unknown);
        assert_eq!(torrent.name, "a\\u{1b}[2J");
        assert_eq!(torrent.labels, ["x\\n"]);
        let json = r#"{"id":"ab","name":"é","state":"seeding","error":null,"eta":null}"#;
        let torrent: Torrent = serde_json::from_str(json).unwrap();
        assert_eq!(
            (torrent.state, torrent.name.as_str()),
            (State::Seeding, "é")
        );
    }
}
