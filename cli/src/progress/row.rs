//! A row of the progress display: a torrent, or something described in words.

use std::time::Duration;

use tailwater_serve::size::Size;

use crate::words::{count, eta, percent, rate};

/// A row of the progress display.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    /// Something that is described in words.
    Text(Text),
    /// A torrent that transfers.
    Torrent(Box<Transfer>),
}

/// Something that is described in words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    pub(crate) name: String,
    /// Done and in all; `None` if there is no end.
    pub(crate) share: Option<(u64, u64)>,
    pub(crate) text: String,
    /// Lines below it, each by its parts.
    pub(crate) details: Vec<Vec<String>>,
}

/// A torrent at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transfer {
    pub(crate) name: String,
    pub(crate) state: State,
    /// Bytes of what is wanted that are held.
    pub(crate) done: u64,
    /// Bytes of what is wanted.
    pub(crate) total: u64,
    /// Bytes a second; `None` before a second has been measured.
    pub(crate) down: Option<u64>,
    /// Bytes a second; `None` before a second has been measured.
    pub(crate) up: Option<u64>,
    /// Bytes sent.
    pub(crate) uploaded: u64,
    pub(crate) peers: usize,
    /// Those of them over uTP.
    pub(crate) utp_peers: usize,
    /// Those of them whose handshake was encrypted.
    pub(crate) encrypted_peers: usize,
    pub(crate) eta: Option<Duration>,
    /// Lines below it, each by its parts.
    pub(crate) details: Vec<Vec<String>>,
}

/// The state of a torrent, as it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    #[default]
    Starting,
    /// It checks existing data: pieces checked, and in all.
    Checking(u32, u32),
    /// The network interface that connections are bound to is not there.
    NoInterface,
    /// No peer is connected.
    LookingForPeers,
    /// Peers are connected, and nothing has come yet.
    Waiting,
    Downloading,
    /// Peers are connected, and nothing comes any more.
    Stalled,
    /// Everything is there, and is shared.
    Seeding,
    Complete,
    Paused,
}

impl State {
    /// The name of the state in `--json`.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Checking(..) => "checking",
            Self::NoInterface => "no_interface",
            Self::LookingForPeers => "no_peers",
            Self::Waiting => "waiting",
            Self::Downloading => "downloading",
            Self::Stalled => "stalled",
            Self::Seeding => "seeding",
            Self::Complete => "complete",
            Self::Paused => "paused",
        }
    }

    fn words(self) -> String {
        match self {
            Self::Starting => "starting".to_owned(),
            Self::Checking(done, total) => format!("checking {done} of {total}"),
            Self::NoInterface => "waiting for the network interface".to_owned(),
            Self::LookingForPeers => "looking for peers".to_owned(),
            Self::Waiting => "waiting".to_owned(),
            Self::Downloading => String::new(),
            Self::Stalled => "stalled".to_owned(),
            Self::Seeding => "seeding".to_owned(),
            Self::Complete => "complete".to_owned(),
            Self::Paused => "paused".to_owned(),
        }
    }

    /// The same for a narrow terminal.
    fn short(self) -> String {
        match self {
            Self::Checking(..) => "checking".to_owned(),
            Self::NoInterface => "no interface".to_owned(),
            Self::LookingForPeers => "no peers".to_owned(),
            other => other.words(),
        }
    }

    const fn is_complete(self) -> bool {
        matches!(self, Self::Seeding | Self::Complete)
    }
}

/// The priority of a row when there is no room for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Active,
    Stalled,
    Waiting,
    Complete,
}

impl Row {
    pub(super) fn rank(&self) -> Rank {
        match self {
            Self::Text(_) => Rank::Active,
            Self::Torrent(transfer) => transfer.rank(),
        }
    }

    /// One line for a log or a pipe.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Text(Text {
                name, share, text, ..
            }) => match share {
                None => format!("{name}: {text}"),
                Some((done, total)) => format!("{name}: {} %, {text}", percent(*done, *total)),
            },
            Self::Torrent(transfer) => transfer.line(),
        }
    }

    /// The same with the lines below it.
    pub(super) fn lines(&self) -> String {
        let mut lines = self.line();
        for detail in self.details() {
            lines.push_str("\n    ");
            lines.push_str(&detail.join("  "));
        }
        lines
    }

    /// Everything is there.
    pub(super) fn complete(&mut self) {
        if let Self::Torrent(transfer) = self {
            transfer.state = State::Complete;
            transfer.done = transfer.total;
            (transfer.down, transfer.up, transfer.eta) = (None, None, None);
            (transfer.peers, transfer.utp_peers, transfer.encrypted_peers) = (0, 0, 0);
            transfer.details.clear();
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Self::Torrent(transfer) if transfer.is_complete())
    }

    /// Whether it says something of a torrent that is worth reading when the command has ended.
    pub(super) fn is_worth_keeping(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Torrent(transfer) => {
                !matches!(transfer.state, State::Starting | State::Checking(..))
            }
        }
    }

    pub(super) fn details(&self) -> &[Vec<String>] {
        match self {
            Self::Text(text) => &text.details,
            Self::Torrent(transfer) => &transfer.details,
        }
    }
}

impl Transfer {
    fn rank(&self) -> Rank {
        let flows = self.down.unwrap_or(0) > 0 || self.up.unwrap_or(0) > 0;
        match self.state {
            _ if flows => Rank::Active,
            State::Checking(..) | State::Downloading => Rank::Active,
            State::Stalled => Rank::Stalled,
            State::Seeding | State::Complete => Rank::Complete,
            State::Starting
            | State::NoInterface
            | State::LookingForPeers
            | State::Waiting
            | State::Paused => Rank::Waiting,
        }
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.state.is_complete()
    }

    /// Its state, or its ETA.
    pub(super) fn outlook(&self) -> String {
        match (self.state, self.eta) {
            (State::Downloading, Some(left)) => format!("ETA {}", eta(left)),
            (state, _) => state.words(),
        }
    }

    /// The same for a narrow terminal.
    pub(super) fn short_outlook(&self) -> String {
        match (self.state, self.eta) {
            (State::Downloading, Some(left)) => eta(left),
            (state, _) => state.short(),
        }
    }

    /// How many peers, and how they are connected.
    fn peers(&self) -> String {
        let kinds = [
            (self.utp_peers, "over uTP"),
            (self.encrypted_peers, "encrypted"),
        ];
        let kinds = kinds.iter().filter(|(count, _)| *count > 0);
        let kinds: Vec<_> = kinds
            .map(|(count, kind)| format!("{count} {kind}"))
            .collect();
        let peers = count(self.peers, "peer");
        match kinds.is_empty() {
            true => peers,
            false => format!("{peers} ({})", kinds.join(", ")),
        }
    }

    fn line(&self) -> String {
        let shown = |rate_now: Option<u64>| rate_now.map_or_else(|| "-".to_owned(), rate);
        let upload = format!("{} up ({} sent)", shown(self.up), Size(self.uploaded));
        let peers = self.peers();
        let outlook = self.outlook();
        let mut parts = match self.state {
            State::Starting | State::Checking(..) => return format!("{}: {outlook}", self.name),
            state if state.is_complete() => vec![outlook, upload, peers],
            _ => vec![
                format!("{} %", percent(self.done, self.total)),
                format!("{} of {}", Size(self.done), Size(self.total)),
                format!("{} down", shown(self.down)),
                upload,
                peers,
                outlook,
            ],
        };
        parts.retain(|part| !part.is_empty());
        format!("{}: {}", self.name, parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer() -> Transfer {
        Transfer {
            name: "film".to_owned(),
            state: State::Downloading,
            done: 1 << 20,
            total: 2 << 20,
            down: Some(1 << 19),
            up: Some(0),
            peers: 1,
            eta: Some(Duration::from_secs(2)),
            ..Transfer::default()
        }
    }

    #[test]
    fn a_download_in_words() {
        assert_eq!(
            transfer().line(),
            "film: 50 %, 1.00 MiB of 2.00 MiB, 512 KiB/s down, 0 B/s up (0 B sent), 1 peer, ETA 2 s"
        );
        let unmeasured = Transfer {
            down: None,
            eta: None,
            ..transfer()
        };
        assert_eq!(
            unmeasured.line(),
            "film: 50 %, 1.00 MiB of 2.00 MiB, - down, 0 B/s up (0 B sent), 1 peer"
        );
    }

    #[test]
    fn peers_are_counted_by_transport_and_encryption() {
        let mixed = Transfer {
            peers: 3,
            utp_peers: 2,
            encrypted_peers: 1,
            ..transfer()
        };
        let line = mixed.line();
        assert!(
            line.contains(", 3 peers (2 over uTP, 1 encrypted), ETA"),
            "{line}"
        );
    }

    #[test]
    fn a_stalled_download_says_so_and_has_no_eta() {
        let stalled = Transfer {
            state: State::Stalled,
            down: Some(0),
            ..transfer()
        };
        assert_eq!(
            stalled.line(),
            "film: 50 %, 1.00 MiB of 2.00 MiB, 0 B/s down, 0 B/s up (0 B sent), 1 peer, stalled"
        );
        let lonely = Transfer {
            state: State::LookingForPeers,
            peers: 0,
            ..stalled
        };
        assert!(lonely.line().ends_with("0 peers, looking for peers"));
        assert_eq!(lonely.short_outlook(), "no peers");
    }

    #[test]
    fn details_are_lines_of_their_own() {
        let told = Transfer {
            state: State::Seeding,
            uploaded: 4_096,
            details: vec![vec![
                "10.0.0.7:6881".to_owned(),
                "Transmission 4".to_owned(),
            ]],
            ..transfer()
        };
        assert_eq!(
            Row::Torrent(Box::new(told)).lines(),
            "film: seeding, 0 B/s up (4.00 KiB sent), 1 peer\n    10.0.0.7:6881  Transmission 4"
        );
    }
}
