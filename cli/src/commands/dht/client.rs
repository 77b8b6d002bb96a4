//! A node of this process, for as long as a command takes.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tailwater_dht::{
    BOOTSTRAP_HOSTS, Config, Dht, DhtClosed, Family, Report, SavedTable, Sockets, load_table,
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout, timeout_at};

use crate::args::{Asking, Joining};
use crate::commands::Context;
use crate::error::CliError;
use crate::error::DhtFailure;
use crate::interrupt::CLOSE_WITHIN;
use crate::progress::{Meter, OFTEN};
use crate::start;
use crate::words::count;

/// How long the table may take to be written at the end.
const SAVE_WITHIN: Duration = Duration::from_millis(800);
/// How often the progress is shown.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The pause before nodes are looked for again.
const PAUSE: Duration = Duration::from_secs(1);

/// A node and the file that its table is kept in.
pub(super) struct Client {
    pub(super) dht: Dht,
    /// Its bootstrap hosts.
    hosts: Vec<String>,
    file: Option<PathBuf>,
    limit: Duration,
    pub(super) deadline: Instant,
}

/// How a node starts: its table, its bootstrap hosts, its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The table that was kept, and the bootstrap hosts; read-only (BEP 43), on any port.
    Guest,
    /// The same, on the usual port; to be known to others unless it is read-only.
    Resident { read_only: bool },
    /// No other nodes: the first node of a network.
    First { read_only: bool },
    /// No other nodes, on any port.
    Alone,
}

impl Client {
    /// Starts a node that asks.
    pub(super) async fn guest(asking: &Asking, begin: Start) -> Result<Self, CliError> {
        Self::start(&asking.joining, begin, asking.timeout.0).await
    }

    pub(super) async fn start(
        joining: &Joining,
        begin: Start,
        limit: Duration,
    ) -> Result<Self, CliError> {
        if joining.proxy.is_some() {
            let why = "`tailwater dht` does not go through a proxy: unset TAILWATER_PROXY to go around it";
            return Err(CliError::Usage(why.to_owned()));
        }
        let (is_guest, read_only) = match begin {
            Start::Guest | Start::Alone => (true, true),
            Start::Resident { read_only } | Start::First { read_only } => (false, read_only),
        };
        let any_port = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let given = joining.dht_listen.map(|addr| addr.0);
        let addr = given.or_else(|| is_guest.then_some(any_port));
        let sockets = Sockets::bind(addr).map_err(|source| DhtFailure::Listen {
            addr: given,
            source,
        })?;
        let is_alone = matches!(begin, Start::First { .. } | Start::Alone);
        let file = start::dht_file().filter(|_| !is_alone);
        let hosts = match (is_alone, joining.dht_bootstrap.as_slice()) {
            (true, _) => Vec::new(),
            (false, []) => BOOTSTRAP_HOSTS.iter().map(ToString::to_string).collect(),
            (false, given) => given.iter().map(ToString::to_string).collect(),
        };
        let config = Config::new(random()?)
            .with_read_only(read_only)
            .with_saved(table(file.as_ref()).await);
        let dht =
            Dht::start(sockets, config, hosts.clone()).map_err(|source| DhtFailure::Listen {
                addr: given,
                source,
            })?;
        let [v4, v6] = Family::ALL.map(|family| dht.local_addr(family));
        tracing::info!(?v4, ?v6, read_only, "a node has been started");
        Ok(Self {
            dht,
            hosts,
            file,
            limit,
            deadline: Instant::now() + limit,
        })
    }

    /// Runs `work`, and shows its progress meanwhile.
    pub(super) async fn watched<T>(
        &self,
        context: &Context,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        let meter = context.progress.meter("dht", 0, OFTEN);
        meter.without_bar();
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let watching = async {
            loop {
                ticks.tick().await;
                self.show(&meter).await;
            }
        };
        tokio::select! {
            biased;
            () = context.interrupt.requested() => Err(CliError::Interrupted),
            done = work => done,
            () = watching => Err(CliError::Interrupted),
        }
    }

    async fn show(&self, meter: &Meter) {
        let Ok(stats) = self.dht.stats().await else {
            return;
        };
        let known: usize = stats.nodes.iter().sum();
        let text = match (known, self.hosts.len()) {
            (0, hosts) => format!("looking for a first node ({} asked)", count(hosts, "host")),
            _ => {
                let asked = usize::try_from(stats.traffic.queries_sent).unwrap_or(usize::MAX);
                format!(
                    "{} known, {}",
                    count(known, "node"),
                    count(asked, "question")
                )
            }
        };
        meter.set(0, text);
    }

    /// Asks again and again until a node answers, or the time is over.
    pub(super) async fn ask<T>(
        &self,
        mut ask: impl AsyncFnMut(&Dht) -> Result<(T, Report), CliError>,
    ) -> Result<(T, Report), CliError> {
        let asking = async {
            loop {
                let (found, report) = ask(&self.dht).await?;
                if report.answered > 0 {
                    return Ok((found, report));
                }
                sleep(PAUSE).await;
            }
        };
        match timeout_at(self.deadline, asking).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.gave_up().await),
        }
    }

    /// The error of a command that ran out of time.
    pub(super) async fn gave_up(&self) -> CliError {
        let limit = self.limit;
        let failure = match self.dht.stats().await {
            Ok(stats) if stats.traffic.answers_received == 0 => DhtFailure::NoNodes {
                limit,
                tried: self.tried(),
            },
            Ok(stats) => DhtFailure::TimedOut {
                limit,
                known: stats.nodes.iter().sum(),
            },
            Err(error) => error.into(),
        };
        failure.into()
    }

    fn tried(&self) -> String {
        match self.hosts.as_slice() {
            [] => "nobody".to_owned(),
            [one] => one.clone(),
            [first, others @ ..] => {
                format!("{first} and {}", count(others.len(), "other host"))
            }
        }
    }

    /// Keeps the table and ends the node. It takes less than two seconds.
    pub(super) async fn close(self) {
        if let Some(file) = &self.file {
            match timeout(SAVE_WITHIN, self.dht.save_table(file)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(file = %file.display(), %error, "the table of nodes was not kept");
                }
                Err(_) => {
                    tracing::warn!(file = %file.display(), "the table of nodes was not kept in time");
                }
            }
        }
        if timeout(CLOSE_WITHIN.saturating_sub(SAVE_WITHIN), self.dht.close())
            .await
            .is_err()
        {
            tracing::warn!("the node did not close in time");
        }
    }
}

impl From<DhtClosed> for CliError {
    fn from(error: DhtClosed) -> Self {
        DhtFailure::from(error).into()
    }
}

/// The saved table of an earlier run. A node does not need it.
async fn table(file: Option<&PathBuf>) -> SavedTable {
    let Some(file) = file else {
        return SavedTable::default();
    };
    match load_table(file).await {
        Ok(table) => table.unwrap_or_default(),
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "the table of nodes cannot be read");
            SavedTable::default()
        }
    }
}

/// Random bytes from the operating system, which cannot be guessed.
pub(super) fn random() -> Result<[u8; 32], CliError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| CliError::System {
        operation: "get random numbers",
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(bytes)
}
