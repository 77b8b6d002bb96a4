//! Addresses that are not connected with: the lists that the daemon is started with, and those that a caller bans. Bans outlast
//! the process.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tailwater_session::{IpFilter, Session};

use super::details::soon;
use super::error::ControlError;
use super::service::{Control, Inner};
use super::store::Store;

/// The most addresses that callers ban; more belong into a list.
const MAX_BANNED: usize = 10_000;
/// Their name in the database.
const NAME: &str = "banned_addresses";

/// What the session's filter is made of.
pub(super) struct Bans {
    /// The lists of the command line.
    listed: Mutex<Arc<IpFilter>>,
    /// What callers have banned. Held while it is saved.
    banned: tokio::sync::Mutex<BTreeSet<IpAddr>>,
}

impl Bans {
    /// Reads what callers have banned, and has the session take it over.
    pub(super) async fn read(store: &Store, session: &Session) -> Result<Self, ControlError> {
        let saved = store.setting(NAME).await?;
        let read = |text: &str| {
            serde_json::from_str(text).unwrap_or_else(|error| {
                tracing::error!("the banned addresses in the database cannot be read: {error}");
                BTreeSet::new()
            })
        };
        let banned = saved.as_deref().map(read).unwrap_or_default();
        let listed = session.ip_filter();
        session.set_ip_filter(joined(&listed, &banned)?);
        Ok(Self {
            listed: Mutex::new(listed),
            banned: tokio::sync::Mutex::new(banned),
        })
    }
}

impl Control {
    /// The addresses that callers have banned, in order.
    pub async fn banned(&self) -> Vec<IpAddr> {
        let banned = self.inner.bans.banned.lock().await;
        banned.iter().copied().collect()
    }

    /// Bans these addresses too: they are neither dialled nor accepted, and connections with them end.
    ///
    /// # Errors
    ///
    /// When there are too many, or they cannot be saved; then nothing is changed.
    pub async fn ban(&self, addrs: Vec<IpAddr>) -> Result<(), ControlError> {
        self.change_bans(move |banned| banned.extend(addrs.iter().map(IpAddr::to_canonical)))
            .await
    }

    /// Bans these addresses, and no others any more.
    ///
    /// # Errors
    ///
    /// As for [`Control::ban`].
    pub async fn set_banned(&self, addrs: Vec<IpAddr>) -> Result<(), ControlError> {
        self.change_bans(move |banned| {
            *banned = addrs.iter().map(IpAddr::to_canonical).collect();
        })
        .await
    }

    /// Replaces the lists of addresses that the daemon is started with; what callers have banned stays banned.
    ///
    /// # Errors
    ///
    /// When both together have too many ranges; then nothing is changed.
    pub async fn set_ip_filter(&self, listed: IpFilter) -> Result<(), ControlError> {
        let inner = &self.inner;
        let banned = inner.bans.banned.lock().await;
        inner.session.set_ip_filter(joined(&listed, &banned)?);
        *inner.bans.listed.lock() = Arc::new(listed);
        drop(banned);
        Ok(())
    }

    /// How many ranges of addresses the lists have.
    #[must_use]
    pub fn ip_filter_len(&self) -> usize {
        self.inner.bans.listed.lock().len()
    }

    async fn change_bans(
        &self,
        change: impl FnOnce(&mut BTreeSet<IpAddr>) + Send + 'static,
    ) -> Result<(), ControlError> {
        let inner = Arc::clone(&self.inner);
        let work = async move {
            let mut banned = inner.bans.banned.lock().await;
            let mut wished = banned.clone();
            change(&mut wished);
            if wished.len() > MAX_BANNED {
                let why =
                    format!("more than {MAX_BANNED} banned addresses; --ip-filter takes more");
                return Err(ControlError::Invalid(why));
            }
            let filter = joined(&inner.bans.listed.lock(), &wished)?;
            let json = serde_json::to_string(&wished)
                .map_err(|error| ControlError::Invalid(error.to_string()))?;
            inner.store.save_setting(NAME, json).await?;
            inner.session.set_ip_filter(filter);
            *banned = wished;
            drop(banned);
            inner.spawn(Arc::clone(&inner).disconnect_filtered());
            Ok(())
        };
        self.inner.finish(work).await
    }
}

impl Inner {
    /// Ends the connections with addresses that are banned now.
    async fn disconnect_filtered(self: Arc<Self>) {
        for entry in self.entries() {
            if let Some(torrent) = entry.torrent() {
                // One that is busy has no connections, and what it connects to later is not banned.
                let _ = soon(torrent.disconnect_filtered()).await;
            }
        }
    }
}

/// The lists with what is banned besides.
fn joined(listed: &IpFilter, banned: &BTreeSet<IpAddr>) -> Result<IpFilter, ControlError> {
    let lines: Vec<String> = banned.iter().map(IpAddr::to_string).collect();
    let banned = IpFilter::parse(lines.join("\n").as_bytes());
    let all = banned.and_then(|banned| banned.with(listed));
    all.map_err(|error| ControlError::Invalid(format!("the filter of addresses: {error}")))
}
