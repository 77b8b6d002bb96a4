//! `tailwater bench`, as typed.

use std::fmt::{self, Display};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use tailwater_serve::size::Size;

/// Measure this program, and others beside it.
///
/// Cases run in interleaved rounds; medians are shown with the least and the most. User and system time are those of
/// the measured process alone. What is not installed is left out, and said so.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "\
Examples:
  tailwater bench swarm                                    transfers with each client that is installed
  tailwater bench swarm --pairs lt-lt,lt-ours --size 1GiB --rounds 6 --dir /dev/shm --save now.jsonl
  tailwater bench swarm --pairs lt-ours --compare now.jsonl
  tailwater bench idle --torrents 1000
  tailwater bench hash --chart hash.svg
  tailwater bench stream                                   in a checkout of the sources

Exit codes: 0 measured, 1 something failed, 2 wrong usage, 130 interrupted."
)]
pub(crate) struct Bench {
    #[command(subcommand)]
    pub(crate) command: BenchCommand,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    Swarm(BenchSwarm),
    Idle(BenchIdle),
    Start(BenchStart),
    Verify(BenchVerify),
    /// SHA-1 and SHA-256: several pieces side by side, one at a time, and OpenSSL.
    Hash(Measuring),
    /// Decode and encode a large .torrent file.
    Bencode(Measuring),
    /// Choose blocks in a torrent of 100 000 pieces with 200 peers.
    Picker(Measuring),
    /// Write to the memory storage and read from it.
    Storage(Measuring),
    /// Answer queries of the DHT.
    Dht(Measuring),
    /// Decode and encode messages of peers, with and without encryption.
    Wire(Measuring),
    /// How long a player waits: `cargo bench --bench stream`, in a checkout of the sources.
    Stream(BenchSources),
    /// From a magnet link to the first byte: `cargo bench --bench magnet`, in a checkout of the sources.
    Magnet(BenchSources),
    /// The table beside other clients: `bench/race/race.py`, in a checkout of the sources.
    Race(BenchSources),
}

/// How to measure, and where the figures go.
#[derive(Clone, Debug, Args)]
pub(crate) struct Measuring {
    /// How often each case is measured; the cases take turns.
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Write the figures to this file, as lines of JSON: what `--json` prints.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) save: Option<PathBuf>,
    /// Show the ratio of each median to that in a file that `--save` wrote.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) compare: Option<PathBuf>,
    /// Draw the medians, as SVG.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) chart: Option<PathBuf>,
    /// Replace the files of `--save` and `--chart` if there are such.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Where processes are measured.
#[derive(Clone, Debug, Args)]
pub(crate) struct Bed {
    /// The folder for payloads and downloads; what is made there is removed. Default: the system's for temporary files.
    /// With /dev/shm, a disk is not what is measured.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
    /// The Python that has libtorrent (`pip install libtorrent`).
    #[arg(
        long,
        value_name = "COMMAND",
        default_value = "python3",
        value_hint = ValueHint::CommandName
    )]
    pub(crate) python: PathBuf,
    /// Seconds after which a process that does not get done is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) give_up: u32,
}

/// Transfer a payload between two processes, for each pair of clients.
///
/// As root on Linux, the two run in network namespaces of their own, joined by a link; else over loopback. A client is
/// measured from its start to its end, with all that its start costs: for libtorrent, a Python interpreter.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Clients: ours, lt (libtorrent), aria2, transmission. A pair is SEEDER-DOWNLOADER: lt-ours is libtorrent that seeds to us.

Examples:
  tailwater bench swarm --size 64MiB --rounds 1 --pairs ours-ours
  tailwater bench swarm --pairs lt-lt,lt-ours,ours-lt --rounds 6 --dir /dev/shm
  tailwater bench swarm --pairs lt-lt,lt-ours,ours-lt --torrent v2
  tailwater bench swarm --pairs lt-lt,lt-ours --torrents 50 --size 16MiB
  tailwater bench swarm --pairs lt-lt,lt-ours --rate 100 --rtt 100 --seeders 8")]
pub(crate) struct BenchSwarm {
    /// The pairs. Default: ours-ours, and for each other client that is installed those with us and with itself.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) pairs: Vec<Pair>,
    /// How much each torrent has.
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub(crate) size: Size,
    /// The length of a piece: a power of two from 16KiB on.
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub(crate) piece: Size,
    /// How many files each torrent has.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) files: u32,
    /// How many torrents are transferred at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) torrents: u32,
    /// How many seeders there are.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) seeders: u32,
    /// Which torrents they are; aria2 and Transmission know v1 alone.
    #[arg(long, value_enum, default_value_t = BenchVersion::V1)]
    pub(crate) torrent: BenchVersion,
    /// Where our downloads go; other clients have a disk alone.
    #[arg(long, value_enum, default_value_t = BenchStorage::Disk)]
    pub(crate) storage: BenchStorage,
    /// Over what they connect.
    #[arg(long, value_enum, default_value_t = BenchTransport::Tcp)]
    pub(crate) transport: BenchTransport,
    /// Whether connections are encrypted.
    #[arg(long, value_enum, default_value_t = BenchEncryption::Plain)]
    pub(crate) encryption: BenchEncryption,
    /// Namespaces, or the loopback interface.
    #[arg(long, value_enum, default_value_t = BenchNetwork::Auto)]
    pub(crate) network: BenchNetwork,
    /// The rate of the link between namespaces, in Mbit/s. Default: what the machine can do.
    #[arg(long, value_name = "MBIT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: Option<u32>,
    /// The round trip between namespaces, in milliseconds; a program of ours delays, which can do some 200 Mbit/s.
    #[arg(long, value_name = "MS", requires = "rate", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rtt: Option<u32>,
    /// The queue before a link with a rate.
    #[arg(long, value_name = "SIZE", default_value = "256KiB", requires = "rate")]
    pub(crate) queue: Size,
    #[command(flatten)]
    pub(crate) bed: Bed,
    #[command(flatten)]
    pub(crate) measuring: Measuring,
}

/// What seeding costs while no peer comes: processor and memory.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  tailwater bench idle
  tailwater bench idle --torrents 10000 --seconds 60 --rounds 3")]
pub(crate) struct BenchIdle {
    /// How many torrents are seeded; each has one piece of 16 KiB.
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) torrents: u32,
    /// How long the processor time is counted.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: u32,
    /// How long before that they may settle.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub(crate) settle: u32,
    #[command(flatten)]
    pub(crate) bed: Bed,
    #[command(flatten)]
    pub(crate) measuring: Measuring,
}

/// From the start of the process to its first request, for a large .torrent file and a peer that has everything.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  tailwater bench start
  tailwater bench start --pieces 10000 --rounds 20")]
pub(crate) struct BenchStart {
    /// How many pieces of 16 KiB the torrent has.
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(8..=1_000_000))]
    pub(crate) pieces: u32,
    #[command(flatten)]
    pub(crate) bed: Bed,
    #[command(flatten)]
    pub(crate) measuring: Measuring,
}

/// Check files that are in the page cache, beside what the processor hashes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  tailwater bench verify
  tailwater bench verify --size 256MiB --rounds 3")]
pub(crate) struct BenchVerify {
    /// How much is checked.
    #[arg(long, value_name = "SIZE", default_value = "2GiB")]
    pub(crate) size: Size,
    /// The length of a piece: a power of two from 16KiB on.
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub(crate) piece: Size,
    #[command(flatten)]
    pub(crate) bed: Bed,
    #[command(flatten)]
    pub(crate) measuring: Measuring,
}

/// A bench that is built from the sources.
#[derive(Clone, Debug, Args)]
pub(crate) struct BenchSources {
    /// What it is given; `-- --help` lists what it takes.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARG"
    )]
    pub(crate) args: Vec<String>,
}

/// Where our downloads go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchStorage {
    /// To files.
    Disk,
    /// To memory: nothing is written.
    Memory,
}

/// Over what clients connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchTransport {
    /// TCP alone.
    Tcp,
    /// UTP alone.
    Utp,
}

/// Which torrents are transferred (BEP 52).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchVersion {
    /// BitTorrent v1.
    V1,
    /// BitTorrent v2 alone.
    V2,
    /// Both in one.
    Hybrid,
}

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchEncryption {
    /// Not at all.
    Plain,
    /// With RC4, all of them.
    Rc4,
}

/// How the two sides are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchNetwork {
    /// Namespaces where that is possible.
    Auto,
    /// Two network namespaces; needs root.
    Namespaces,
    /// The loopback interface.
    Loopback,
}

/// A BitTorrent client that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Ours,
    Libtorrent,
    Aria2,
    Transmission,
}

impl Client {
    pub(crate) const ALL: [Self; 4] = [
        Self::Ours,
        Self::Libtorrent,
        Self::Aria2,
        Self::Transmission,
    ];

    /// Its name in a pair.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Libtorrent => "lt",
            Self::Aria2 => "aria2",
            Self::Transmission => "transmission",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|client| client.name() == name)
    }
}

/// Who seeds, and who downloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) seeder: Client,
    pub(crate) downloader: Client,
}

impl Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.seeder.name(), self.downloader.name())
    }
}

/// A text that names no pair.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such pair; there are {}", known_pairs())]
pub(crate) struct ParsePairError;

/// All pairs, in words.
fn known_pairs() -> String {
    let all = Client::ALL.into_iter();
    let pairs = all.flat_map(|seeder| {
        Client::ALL.map(|downloader| {
            let pair = Pair { seeder, downloader };
            pair.to_string()
        })
    });
    pairs.collect::<Vec<_>>().join(", ")
}

impl FromStr for Pair {
    type Err = ParsePairError;

    fn from_str(text: &str) -> Result<Self, ParsePairError> {
        let (seeder, downloader) = text.split_once('-').ok_or(ParsePairError)?;
        Ok(Self {
            seeder: Client::named(seeder).ok_or(ParsePairError)?,
            downloader: Client::named(downloader).ok_or(ParsePairError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_two_clients() {
        let pair: Pair = "lt-ours".parse().expect("a pair");
        assert_eq!(pair.seeder, Client::Libtorrent);
        assert_eq!(pair.downloader, Client::Ours);
        assert_eq!(pair.to_string(), "lt-ours");
        for text in [
            "",
            "ours",
            "ours-",
            "-ours",
            "ours-theirs",
            "ours-ours-ours",
        ] {
            let error = text.parse::<Pair>().expect_err(text);
            assert!(error.to_string().contains("lt-ours"), "{error}");
        }
    }
}
