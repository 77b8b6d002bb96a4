//! The flags of `tailwater dht`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Args, Subcommand, ValueHint};
use tailwater_dht::{ItemKey, MutableTorrent, NodeId, PublicKey, Salt};
use tailwater_metainfo::{HostPort, InfoHash, Magnet};
use tailwater_session::Proxy;

use super::Wait;
use super::addr::ListenAddr;

/// Use the DHT by itself: run a node, find peers, store and read items.
///
/// All but `node` are read-only guests of the network (BEP 43): they ask, and end. The nodes that they learn of are
/// kept in $XDG_STATE_HOME/tailwater/dht.nodes, so that the next one needs no bootstrap node.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "\
Examples:
  tailwater dht peers 0123456789abcdef0123456789abcdef01234567
  tailwater dht put 'Hello World!'                 prints where it is
  tailwater dht get e5f96f6f38320f0f33959cb4d3d656452117aadb
  tailwater dht node                               run one, and see what it does

A network of your own, on one machine:
  tailwater dht node --no-bootstrap --dht-listen 127.0.0.1:7000
  tailwater dht node --dht-bootstrap 127.0.0.1:7000 --dht-listen 127.0.0.1:0
  tailwater dht sample --dht-bootstrap 127.0.0.1:7000"
)]
pub(crate) struct Dht {
    #[command(subcommand)]
    pub(crate) command: DhtCommand,
}

/// What there is to do in the DHT.
#[derive(Debug, Subcommand)]
pub(crate) enum DhtCommand {
    Node(DhtNode),
    Peers(DhtPeers),
    Put(DhtPut),
    Get(DhtGet),
    Sample(DhtSample),
    Ping(DhtPing),
}

/// How to get into the network.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Joining {
    /// A node to begin with, instead of the public ones; may be given again.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) dht_bootstrap: Vec<HostPort>,
    /// Where to receive datagrams: IPv4, IPv6, or both with `[::]:PORT`. Default: all interfaces; on port 6881 or the next
    /// free one for `node`, on a free one for the others.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) dht_listen: Option<ListenAddr>,
    /// Refused: these commands would go around a proxy; downloads use the DHT through one.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<Proxy>,
}

/// How to get into the network, and when to give up.
#[derive(Clone, Debug, Args)]
pub(crate) struct Asking {
    #[command(flatten)]
    pub(crate) joining: Joining,
    /// Give up after this time: 30s, 2min, or a number of seconds.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30s",
        help_heading = "Network"
    )]
    pub(crate) timeout: Wait,
}

/// Run a node until Ctrl-C, and show what it does.
///
/// On a terminal its figures are shown as they change, elsewhere once a minute; with `--json` as a line every few
/// seconds.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tailwater dht node
  tailwater dht node --dht-listen '[::]:6881'      IPv4 and IPv6, on this port or not at all
  tailwater dht node --json --every 1min >> node.jsonl
  tailwater dht node --table > table.txt           the routing table, at the end
  tailwater dht node --no-bootstrap --dht-listen 127.0.0.1:7000

Exit codes: 0 stopped by SIGTERM or SIGHUP, 1 failed, 2 wrong usage, 130 ended by Ctrl-C.")]
pub(crate) struct DhtNode {
    #[command(flatten)]
    pub(crate) joining: Joining,
    /// Begin without other nodes, as the first node of a network of your own. The table of nodes is neither read nor
    /// kept.
    #[arg(long, conflicts_with = "dht_bootstrap", help_heading = "Network")]
    pub(crate) no_bootstrap: bool,
    /// Only ask, and answer no queries (BEP 43).
    #[arg(long, help_heading = "Network")]
    pub(crate) read_only: bool,
    /// Print the routing table at the end.
    #[arg(long)]
    pub(crate) table: bool,
    /// The time between two lines of `--json`: 5s, 1min, or a number of seconds.
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(crate) every: Wait,
}

/// Find the peers of a torrent, as they come, one a line; and perhaps be one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tailwater dht peers 0123456789abcdef0123456789abcdef01234567
  tailwater dht peers 'magnet:?xt=urn:btih:…' --scrape
  tailwater dht peers HASH --announce 6881         tell the network of a peer of ours
  tailwater dht peers HASH --json | jq -r '.peers[]?'

Exit codes: 0 if there are peers (or with --announce, if it was stored), else 1.")]
pub(crate) struct DhtPeers {
    /// The torrent: an info-hash in hexadecimal (40 digits, of v2 64) or base32, or a magnet link. A hybrid has two swarms:
    /// its v1 hash is that of one, its v2 hash of the other.
    #[arg(value_name = "HASH")]
    pub(crate) torrent: TorrentId,
    /// Announce a peer on this port of this machine. Nodes forget it within half an hour.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) announce: Option<u16>,
    /// The announced peer has all of it (BEP 33).
    #[arg(long, requires = "announce")]
    pub(crate) seed: bool,
    /// Estimate how many seeders and other peers there are (BEP 33).
    #[arg(long, conflicts_with = "announce")]
    pub(crate) scrape: bool,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// Store an item in the network, for about two hours.
///
/// Without a key it is found by the hash of its value. With one, by the key, and the owner of the key can replace it.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["text", "file", "torrent"]),
    after_help = "\
Examples:
  tailwater dht put 'Hello World!'
  tailwater dht put --file note.txt
  tailwater dht put 'first' --key my.key           makes the key, and prints its public half
  tailwater dht put 'second' --key my.key          replaces it
  tailwater dht put --torrent HASH --key my.key    a link to the newest torrent (BEP 46)"
)]
pub(crate) struct DhtPut {
    /// A text.
    #[arg(value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// What a file says, at most about 1000 bytes.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// The torrent that the link of the key leads to from now on (BEP 46).
    #[arg(long, value_name = "HASH", requires = "key")]
    pub(crate) torrent: Option<TorrentId>,
    /// What is given is bencode already, rather than a text.
    #[arg(long, conflicts_with = "torrent")]
    pub(crate) bencode: bool,
    /// The file of the secret key to sign with; made if it is missing. Keep it to yourself.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) key: Option<PathBuf>,
    /// Tells several items of one key apart.
    #[arg(long, value_name = "TEXT", requires = "key", value_parser = salt)]
    pub(crate) salt: Option<Salt>,
    /// The number of this version. Default: one more than that of the version that is there.
    #[arg(long, value_name = "NUMBER", requires = "key", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) seq: Option<i64>,
    /// Store it only where the version with this number is.
    #[arg(long, value_name = "NUMBER", requires = "key")]
    pub(crate) cas: Option<i64>,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// Read an item that is stored in the network.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tailwater dht get e5f96f6f38320f0f33959cb4d3d656452117aadb       by its hash
  tailwater dht get PUBLIC-KEY --salt n                            the newest of a key and a salt
  tailwater dht get 'magnet:?xs=urn:btpk:PUBLIC-KEY'               which torrent it is now (BEP 46)
  tailwater dht get HASH --raw > note.txt

Exit codes: 0 if it was found, else 1.")]
pub(crate) struct DhtGet {
    /// 40 hexadecimal digits of a hash, 64 of a public key, or a link with xs=urn:btpk.
    #[arg(value_name = "TARGET")]
    pub(crate) item: ItemRef,
    /// Which item of the key.
    #[arg(long, value_name = "TEXT", value_parser = salt)]
    pub(crate) salt: Option<Salt>,
    /// Print the bytes of a text as they are, and anything else as the bencode that it is.
    #[arg(long, conflicts_with = "json")]
    pub(crate) raw: bool,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// Ask nodes which torrents they have peers of (BEP 51), one info-hash a line.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tailwater dht sample                             of the nodes around a random place
  tailwater dht sample --limit 1000                of other places too, until there are so many
  tailwater dht sample --target 0123456789abcdef0123456789abcdef01234567 --json

Exit codes: 0 if there are any, else 1.")]
pub(crate) struct DhtSample {
    /// Ask the nodes on the way to this place. Default: a random one.
    #[arg(long, value_name = "ID")]
    pub(crate) target: Option<NodeId>,
    /// Go on at other places until there are this many, or nothing new comes.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// Ask only these nodes whether they are there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tailwater dht ping router.bittorrent.com:6881
  tailwater dht ping 10.0.0.7:6881 10.0.0.8:6881 --count 5

Exit codes: 0 if one of them answered, else 1.")]
pub(crate) struct DhtPing {
    /// Where they are.
    #[arg(value_name = "ADDR:PORT", required = true)]
    pub(crate) nodes: Vec<HostPort>,
    /// How often each is asked.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// A torrent, by whatever names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TorrentId(pub(crate) InfoHash);

/// A text that names no torrent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; write an info-hash of 40 hexadecimal or 32 base32 digits, one of 64 hexadecimal digits of v2, or a magnet link in \
     quotes"
)]
pub(crate) struct ParseTorrentError(String);

impl FromStr for TorrentId {
    type Err = ParseTorrentError;

    fn from_str(text: &str) -> Result<Self, ParseTorrentError> {
        let is_digits = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let link = match (is_digits, text.len()) {
            // A v2 hash: the network knows it by its first 20 bytes (BEP 52).
            (true, 64) => format!("magnet:?xt=urn:btmh:1220{text}"),
            (true, _) => format!("magnet:?xt=urn:btih:{text}"),
            _ => text.to_owned(),
        };
        let magnet: Magnet = link
            .parse()
            .map_err(|error| ParseTorrentError(format!("{error}")))?;
        let hash = magnet.hashes.wire();
        hash.map(Self)
            .ok_or_else(|| ParseTorrentError("no info-hash".to_owned()))
    }
}

/// An item, by whatever names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemRef {
    Hash(NodeId),
    Key(PublicKey),
    Publication(MutableTorrent),
}

/// A text that names no item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not 40 hexadecimal digits of a hash, 64 of a public key, or a magnet link with xs=urn:btpk"
)]
pub(crate) struct ParseItemError;

impl FromStr for ItemRef {
    type Err = ParseItemError;

    fn from_str(text: &str) -> Result<Self, ParseItemError> {
        let hash = text.parse().map(Self::Hash).ok();
        let key = || text.parse().map(Self::Key).ok();
        let link = || text.parse().map(Self::Publication).ok();
        hash.or_else(key).or_else(link).ok_or(ParseItemError)
    }
}

impl ItemRef {
    /// What to ask for; `None` if a salt is given that it has no use for.
    pub(crate) fn item_key(self, salt: Option<Salt>) -> Option<ItemKey> {
        match (self, salt) {
            (Self::Hash(target), None) => Some(ItemKey::Immutable(target)),
            (Self::Key(key), salt) => Some(ItemKey::Mutable {
                key,
                salt: salt.unwrap_or_default(),
            }),
            (Self::Publication(link), None) => Some(link.item_key()),
            (Self::Hash(_) | Self::Publication(_), Some(_)) => None,
        }
    }
}

impl fmt::Display for ItemRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash(target) => target.fmt(f),
            Self::Key(key) => key.fmt(f),
            Self::Publication(link) => link.fmt(f),
        }
    }
}

fn salt(text: &str) -> Result<Salt, String> {
    Salt::new(text.as_bytes()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args;

    #[test]
    fn every_command_of_the_dht_teaches_by_example() {
        let command = args::Args::command();
        let dht = command.find_subcommand("dht").unwrap();
        for command in dht.get_subcommands() {
            let name = command.get_name();
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            assert!(help.contains(&format!("tailwater dht {name}")), "{name}");
            assert!(command.get_about().is_some(), "{name}");
        }
    }

    #[test]
    fn a_torrent_is_named_by_hash_or_link() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let expected = Ok(TorrentId(hash.parse().unwrap()));
        let base32 = "AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH";
        for text in [hash, base32, &format!("magnet:?xt=urn:btih:{hash}&dn=a")] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        let v2: TorrentId = "ab".repeat(32).parse().unwrap();
        assert_eq!(v2.0, InfoHash::new([0xab; 20]));
        for text in ["", "abc", "magnet:?dn=a", "zz", "a&xt=urn:btih:"] {
            assert!(text.parse::<TorrentId>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_item_is_named_by_hash_key_or_link() {
        let (hash, key) = ("ab".repeat(20), "cd".repeat(32));
        let link = format!("magnet:?xs=urn:btpk:{key}&s=6e");
        let salt = Salt::new(b"n").unwrap();
        let item = |text: &str| text.parse::<ItemRef>().unwrap();
        let publication = item(&link).item_key(None).unwrap();
        assert_eq!(item(&key).item_key(Some(salt)), Some(publication));
        assert_eq!(item(&hash).item_key(Some(salt)), None);
        assert_eq!(item(&link).item_key(Some(salt)), None);
        for text in [&hash, &key, &link] {
            assert_eq!(&item(text).to_string(), text);
        }
        assert_eq!("ab".parse::<ItemRef>(), Err(ParseItemError));
    }
}
