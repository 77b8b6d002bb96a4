//! The configuration is read again while the daemon runs, at SIGHUP.

use std::collections::HashMap;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tailwater_serve::control::{Control, SettingsPatch, WatchedFolder};
use tailwater_serve::tls::ServerTls;
use tailwater_session::Session;

use super::listeners::APIS;
use crate::args::{self, Command, Daemon, Hook};
use crate::error::{CliError, DaemonFailure};
use crate::input::ip_filter;
use crate::progress::Progress;

/// The program that is told of complete torrents; it may be replaced.
pub(super) type SharedHook = Arc<Mutex<Option<Hook>>>;

/// What can change while the daemon runs.
pub(super) struct Reloader {
    pub(super) control: Control,
    pub(super) session: Session,
    pub(super) hook: SharedHook,
    pub(super) progress: Progress,
    /// The certificate, which may have been renewed.
    pub(super) tls: Option<ServerTls>,
    watched: HashMap<PathBuf, WatchedFolder>,
    /// What cannot change, as it was at the start.
    fixed: Vec<(&'static str, String)>,
}

impl Reloader {
    /// Begins to watch the folders, too.
    pub(super) fn new(
        control: &Control,
        session: Session,
        args: &Daemon,
        progress: Progress,
    ) -> Self {
        let mut reloader = Self {
            control: control.clone(),
            session,
            hook: Arc::new(Mutex::new(args.on_complete.clone())),
            progress,
            tls: None,
            watched: HashMap::new(),
            fixed: fixed(args),
        };
        reloader.watch(&args.watch);
        reloader
    }

    /// Reads the configuration, and does what it says. If it is wrong, nothing changes.
    pub(super) async fn reload(&mut self) {
        match self.try_reload().await {
            Ok(unchanged) if unchanged.is_empty() => {
                self.progress.note("the configuration was read again");
            }
            Ok(unchanged) => self.progress.note(format_args!(
                "warning: the configuration was read again, but {} cannot change while the daemon runs: restart it",
                unchanged.join(", ")
            )),
            Err(error) => self.progress.note(format_args!(
                "warning: the configuration was not taken over: {error}"
            )),
        }
    }

    /// The options that cannot change, but did.
    async fn try_reload(&mut self) -> Result<Vec<&'static str>, CliError> {
        let args = args::parse_again().map_err(CliError::Usage)?;
        let Command::Daemon(args) = args.command else {
            return Err(CliError::Usage("it is no daemon's any more".to_owned()));
        };
        let filter = ip_filter::read(&args.network).await?;
        if let Some(tls) = self.tls.clone() {
            let reading = tokio::task::spawn_blocking(move || tls.reload());
            let read = reading.await.map_err(|_| CliError::Interrupted)?;
            read.map_err(DaemonFailure::from)?;
        }
        let configured = self.control.configure(patch(&args)).await;
        configured.map_err(DaemonFailure::from)?;
        let filtered = self.control.set_ip_filter(filter).await;
        filtered.map_err(DaemonFailure::from)?;
        self.session.set_encryption(args.network.encryption);
        self.hook.lock().clone_from(&args.on_complete);
        self.watch(&args.watch);
        let now = fixed(&args);
        let pairs = self.fixed.iter().zip(&now);
        let changed = pairs.filter(|(before, now)| before != now);
        Ok(changed.map(|(_, (option, _))| *option).collect())
    }

    /// Watches these folders, and no others.
    fn watch(&mut self, dirs: &[PathBuf]) {
        let gone = self.watched.extract_if(|dir, _| !dirs.contains(dir));
        gone.for_each(|(_, folder)| folder.stop());
        for dir in dirs {
            let watch = || self.control.watch(dir.clone());
            self.watched.entry(dir.clone()).or_insert_with(watch);
        }
    }
}

/// The limits of a configuration; what it does not say is the default again.
fn patch(args: &Daemon) -> SettingsPatch {
    use tailwater_session::limits::{DEFAULT_MAX_PEERS, DEFAULT_UPLOAD_SLOTS};
    let network = &args.network;
    let count = |count: Option<u16>, or| Some(count.map_or(or, usize::from));
    let mut patch = SettingsPatch::default();
    // 0 is no limit.
    patch.download_limit = Some(network.max_down.map(|rate| rate.0).filter(|rate| *rate > 0));
    patch.upload_limit = Some(network.max_up.map(|rate| rate.0).filter(|rate| *rate > 0));
    patch.max_peers = count(network.max_peers, DEFAULT_MAX_PEERS);
    patch.upload_slots = count(network.upload_slots, DEFAULT_UPLOAD_SLOTS);
    patch
}

/// The options that a running daemon cannot change, with their values.
fn fixed(args: &Daemon) -> Vec<(&'static str, String)> {
    let network = &args.network;
    let options: [(&str, &dyn Debug); 23] = [
        ("--http", &args.http),
        ("--allow-host", &args.allow_host),
        ("--require-token", &args.require_token),
        ("--qbittorrent-web", &args.compat.qbittorrent_web),
        ("--transmission-web", &args.compat.transmission_web),
        ("--allow-origin", &args.compat.allow_origin),
        ("--tls-cert", &(&args.tls_cert, &args.tls_key)),
        ("--allow-private-urls", &args.allow_private_urls),
        ("--data", &args.data),
        ("--allow-dir", &args.allow_dir),
        ("--reuse", &args.reuse),
        ("--state", &args.state),
        ("--memory", &args.memory),
        ("--listen", &network.listen),
        ("--proxy", &network.proxy),
        ("--transport", &network.transport),
        ("--interface", &network.interface),
        ("--no-dht", &network.no_dht),
        ("--dht-bootstrap", &network.dht_bootstrap),
        ("--dht-listen", &network.dht_listen),
        ("--no-lsd", &(network.no_lsd, network.lsd)),
        ("--no-port-map", &(network.no_port_map, network.port_map)),
        ("--peer", &network.peer),
    ];
    let others = APIS
        .iter()
        .map(|api| (api.option, format!("{:?}", (api.addr)(&args.compat))));
    let values = options.into_iter();
    let values = values.map(|(name, value)| (name, format!("{value:?}")));
    values.chain(others).collect()
}
