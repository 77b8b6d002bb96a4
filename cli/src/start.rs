//! Builds the session from the options of the command line.

use std::env;
use std::path::PathBuf;

use tailwater_session::{DhtOptions, Session, SessionBuilder};

use crate::args::{Network, StorageChoice};
use crate::error::CliError;
use crate::input::{authorities, ip_filter};

/// Whether the DHT's table of nodes is saved; it is read in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Kept,
    /// Nothing is to touch the disk.
    ReadOnly,
}

impl From<StorageChoice> for Table {
    fn from(storage: StorageChoice) -> Self {
        match storage {
            StorageChoice::Disk => Self::Kept,
            StorageChoice::Memory => Self::ReadOnly,
        }
    }
}

/// Settings by the flags.
///
/// # Errors
///
/// When a list of addresses to filter, or of authorities to trust, cannot be read.
pub(crate) async fn builder(network: &Network, table: Table) -> Result<SessionBuilder, CliError> {
    let mut builder = Session::builder()
        .encryption(network.encryption)
        .transports(network.transport)
        .root_certificates(authorities::read()?)
        .ip_filter(ip_filter::read(network).await?);
    if let Some(proxy) = &network.proxy {
        builder = builder.proxy(proxy.clone());
    }
    if let Some(interface) = &network.interface {
        builder = builder.interface(interface.clone());
    }
    if let Some(addr) = network.listen {
        builder = builder.listen(addr.0);
    }
    if let Some(rate) = network.max_down {
        builder = builder.download_limit(rate.0);
    }
    if let Some(rate) = network.max_up {
        builder = builder.upload_limit(rate.0);
    }
    if let Some(peers) = network.max_peers {
        builder = builder.max_peers(usize::from(peers));
    }
    if let Some(slots) = network.upload_slots {
        builder = builder.upload_slots(usize::from(slots));
    }
    if let Some(options) = dht_options(network, table) {
        builder = builder.dht(options);
    }
    Ok(builder
        .local_discovery(uses_local_discovery(network))
        .port_mapping(maps_port(network)))
}

/// Whether the DHT is used.
pub(crate) const fn uses_dht(network: &Network) -> bool {
    !network.no_dht
}

/// Whether peers are looked for on the local network, which goes around a proxy.
pub(crate) const fn uses_local_discovery(network: &Network) -> bool {
    network.lsd || network.proxy.is_none() && !network.no_lsd
}

/// Whether the gateway is asked to map the port, which goes around a proxy.
pub(crate) const fn maps_port(network: &Network) -> bool {
    network.port_map || network.proxy.is_none() && !network.no_port_map
}

fn dht_options(network: &Network, table: Table) -> Option<DhtOptions> {
    if !uses_dht(network) {
        return None;
    }
    let mut options = DhtOptions::new();
    if !network.dht_bootstrap.is_empty() {
        let hosts = network.dht_bootstrap.iter().map(ToString::to_string);
        options = options.bootstrap(hosts);
    }
    if let Some(addr) = network.dht_listen {
        options = options.listen(addr.0);
    }
    if let Some(file) = dht_file() {
        options = options.table(file).keep_table(table == Table::Kept);
    }
    Some(options)
}

/// Where resume data is kept: `resume` in [`state_dir`].
pub(crate) fn resume_dir() -> Option<PathBuf> {
    Some(state_dir()?.join("resume"))
}

/// Where the DHT's table of nodes is kept: `dht.nodes` in [`state_dir`].
pub(crate) fn dht_file() -> Option<PathBuf> {
    Some(state_dir()?.join("dht.nodes"))
}

/// Where the daemon keeps its database: `daemon` in [`state_dir`].
pub(crate) fn daemon_dir() -> Option<PathBuf> {
    Some(state_dir()?.join("daemon"))
}

/// `$XDG_STATE_HOME/tailwater`, which is `~/.local/state/tailwater` unless set.
fn state_dir() -> Option<PathBuf> {
    // The XDG specification says to ignore relative paths.
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = match cfg!(windows) {
        true => absolute("LOCALAPPDATA"),
        false => absolute("XDG_STATE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".local").join("state"))),
    };
    Some(base?.join("tailwater"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    #[tokio::test]
    async fn the_limits_of_each_torrents_peers_reach_the_session() {
        let commands: [&[&str]; 3] = [
            &["download", "x"],
            &["stream", "x"],
            &["seed", "x", "--data", "."],
        ];
        let flags = "--upload-slots 3 --max-peers 7 --listen 127.0.0.1:0 --transport tcp \
            --no-dht --no-lsd --no-port-map";
        for command in commands {
            let typed = command.iter().copied().chain(flags.split_whitespace());
            let args = Args::try_parse_from(["tailwater"].into_iter().chain(typed)).unwrap();
            let network = match args.command {
                Command::Download(download) => download.network,
                Command::Stream(stream) => stream.network,
                Command::Seed(seed) => seed.network,
                other => panic!("{other:?}"),
            };
            let builder = builder(&network, Table::ReadOnly).await.unwrap();
            let session = builder.start().unwrap();
            assert_eq!((session.max_peers(), session.upload_slots()), (7, 3));
            session.close().await;
        }
    }
}
