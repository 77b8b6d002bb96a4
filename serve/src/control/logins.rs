//! Logins of browsers: a token is shown once, and a cookie stands for it from then on. They outlast the process: the
//! database has the hashes of their secrets.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::service::now;
use super::store::{LoginRow, Store, StoreError};
use super::tokens::{Access, Owner, TokenError, Tokens, is_same, random};

/// Bytes of the secret of a login: not to be guessed.
const SECRET_LEN: usize = 32;
/// The longest secret that is looked at, in bytes.
const MAX_SECRET_LEN: usize = 64;
/// The most logins: more than the browsers of a household. One more displaces the one that was used least recently; only
/// who has a token can make any.
const MAX_LOGINS: usize = 1_000;
/// A login that was not used for so long has ended, in seconds.
const IDLE_FOR: u64 = 7 * 24 * 60 * 60;
/// A login ends after so long however it is used, in seconds.
const LASTS_FOR: u64 = 30 * 24 * 60 * 60;
/// When a login was used is saved this often at most, in seconds.
const SAVE_EVERY: u64 = 60 * 60;

/// A login, as its owner gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The secret for the cookie.
    pub secret: String,
    /// The secret that a changing request has to carry beside the cookie.
    pub csrf: String,
    /// What it may do.
    pub access: Access,
    /// The name of its token.
    pub token_name: String,
}

/// The logins of a daemon. Clones share them.
#[derive(Clone, Debug)]
pub struct Logins {
    tokens: Tokens,
    store: Store,
    all: Arc<Mutex<HashMap<Hash, Known>>>,
}

/// That of a secret.
type Hash = [u8; 32];

#[derive(Clone, Debug)]
struct Known {
    token: i64,
    /// `None` until it is used for the first time since the daemon started.
    owner: Option<Owner>,
    begun: u64,
    used: u64,
    saved: u64,
}

impl Known {
    fn has_ended(&self, now: u64) -> bool {
        now.saturating_sub(self.used) > IDLE_FOR || now.saturating_sub(self.begun) > LASTS_FOR
    }

    fn row(&self, hash: Hash) -> LoginRow {
        LoginRow {
            hash: hash.to_vec(),
            token: self.token,
            begun: self.begun,
            used: self.used,
        }
    }
}

impl Logins {
    /// Those in a database.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(super) async fn read(store: Store, tokens: Tokens) -> Result<Self, StoreError> {
        let rows = store.logins().await?;
        let known = rows.into_iter().filter_map(|row| {
            let known = Known {
                token: row.token,
                owner: None,
                begun: row.begun,
                used: row.used,
                saved: row.used,
            };
            Some((Hash::try_from(row.hash).ok()?, known))
        });
        let logins = Self {
            tokens,
            store,
            all: Arc::new(Mutex::new(known.collect())),
        };
        let ended = logins.make_room(now(), MAX_LOGINS);
        logins.remove(ended).await;
        Ok(logins)
    }

    /// Logs in by a token. `from` is as for [`Tokens::check`].
    ///
    /// # Errors
    ///
    /// When the token is wrong, or the caller has to wait.
    pub async fn open(&self, token: &str, from: IpAddr) -> Result<Login, TokenError> {
        let owner = self.tokens.identify(token, from).await?;
        let secret = BASE64URL_NOPAD.encode(&random::<SECRET_LEN>()?);
        let now = now();
        let known = Known {
            token: owner.id,
            owner: Some(owner.clone()),
            begun: now,
            used: now,
            saved: now,
        };
        let hash = hash(&secret);
        let row = known.row(hash);
        let displaced = self.make_room(now, MAX_LOGINS - 1);
        self.all.lock().insert(hash, known);
        self.remove(displaced).await;
        self.save(row).await;
        Ok(login(&secret, &owner))
    }

    /// The login of a cookie; `None` when there is none, it has ended, or its token has been deleted.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn find(&self, secret: &str) -> Result<Option<Login>, TokenError> {
        if secret.len() > MAX_SECRET_LEN {
            return Ok(None);
        }
        let (hash, now) = (hash(secret), now());
        let Some(known) = self.all.lock().get(&hash).cloned() else {
            return Ok(None);
        };
        let owner = match &known.owner {
            _ if known.has_ended(now) => None,
            Some(owner) => self.tokens.still(owner).await?,
            None => self.tokens.owner(known.token).await?,
        };
        let Some(owner) = owner else {
            self.all.lock().remove(&hash);
            self.remove(vec![hash]).await;
            return Ok(None);
        };
        let row = {
            let mut all = self.all.lock();
            // It may have been closed meanwhile.
            let Some(known) = all.get_mut(&hash) else {
                return Ok(None);
            };
            known.used = now;
            known.owner = Some(owner.clone());
            let is_due = now.saturating_sub(known.saved) >= SAVE_EVERY;
            is_due.then(|| {
                known.saved = now;
                known.row(hash)
            })
        };
        if let Some(row) = row {
            self.save(row).await;
        }
        Ok(Some(login(secret, &owner)))
    }

    /// Ends a login.
    pub async fn close(&self, secret: &str) {
        let hash = hash(secret);
        if self.all.lock().remove(&hash).is_some() {
            self.remove(vec![hash]).await;
        }
    }

    /// Forgets those that have ended, and then those that were used least recently, until so many are left.
    fn make_room(&self, now: u64, left: usize) -> Vec<Hash> {
        let mut all = self.all.lock();
        if all.len() <= left {
            return Vec::new();
        }
        let mut by_use: Vec<_> = all
            .iter()
            .map(|(hash, known)| (!known.has_ended(now), known.used, *hash))
            .collect();
        by_use.sort_unstable();
        let ended = by_use.iter().filter(|(lasts, _, _)| !lasts).count();
        let gone = ended.max(by_use.len() - left);
        let gone = by_use.into_iter().take(gone).map(|(_, _, hash)| hash);
        gone.inspect(|hash| drop(all.remove(hash))).collect()
    }

    /// A login that is not saved ends with the process, which is no reason to refuse it.
    async fn save(&self, row: LoginRow) {
        if let Err(error) = self.store.save_login(row).await {
            tracing::warn!("a login will not outlast the daemon: {error}");
        }
    }

    async fn remove(&self, hashes: Vec<Hash>) {
        if hashes.is_empty() {
            return;
        }
        let hashes = hashes.iter().map(|hash| hash.to_vec()).collect();
        if let Err(error) = self.store.remove_logins(hashes).await {
            tracing::warn!("logins that have ended stay in the database: {error}");
        }
    }
}

/// Secrets are random and long: no slow hash is needed.
fn hash(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

fn login(secret: &str, owner: &Owner) -> Login {
    // It is known to whoever knows the cookie, and tells nothing of it.
    let csrf = Sha256::new()
        .chain_update(b"tailwater csrf ")
        .chain_update(secret)
        .finalize();
    Login {
        secret: secret.to_owned(),
        csrf: BASE64URL_NOPAD.encode(&csrf),
        access: owner.access,
        token_name: owner.name.clone(),
    }
}

impl Login {
    /// Whether a request carries the secret that belongs to the cookie.
    #[must_use]
    pub fn is_csrf(&self, sent: &str) -> bool {
        is_same(self.csrf.as_bytes(), sent.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::store::Store;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    async fn logins() -> (tempfile::TempDir, Logins) {
        let dir = tempfile::tempdir().unwrap();
        let logins = reopened(&dir).await;
        (dir, logins)
    }

    /// As another process finds them.
    async fn reopened(dir: &tempfile::TempDir) -> Logins {
        let store = Store::open(dir.path()).unwrap();
        let tokens = Tokens::new(store.clone());
        Logins::read(store, tokens).await.unwrap()
    }

    #[tokio::test]
    async fn a_login_stands_for_its_token_as_long_as_that_is_there() {
        let (_dir, logins) = logins().await;
        let token = logins.tokens.add("mine", true).await.unwrap().token;
        let login = logins.open(&token, HERE).await.unwrap();
        let other = logins.open(&token, HERE).await.unwrap();
        assert_eq!(login.access, Access::Read);
        assert_ne!((&login.secret, &login.csrf), (&other.secret, &other.csrf));
        assert!(login.is_csrf(&login.csrf) && !login.is_csrf(&other.csrf) && !login.is_csrf(""));
        assert_eq!(
            logins.find(&login.secret).await.unwrap(),
            Some(login.clone())
        );
        for wrong in ["", "x", &token, &"x".repeat(1_000), &login.csrf] {
            assert_eq!(logins.find(wrong).await.unwrap(), None, "{wrong}");
        }
        logins.close(&login.secret).await;
        assert_eq!(logins.find(&login.secret).await.unwrap(), None);
        logins.tokens.remove("mine").await.unwrap();
        assert_eq!(logins.find(&other.secret).await.unwrap(), None);
        assert!(logins.all.lock().is_empty());
        let wrong = logins.open(&token, HERE).await;
        assert!(matches!(wrong, Err(TokenError::Wrong)));
    }

    #[tokio::test]
    async fn logins_are_bounded_and_end() {
        let (_dir, logins) = logins().await;
        let token = logins.tokens.add("mine", false).await.unwrap().token;
        let first = logins.open(&token, HERE).await.unwrap();
        if let Some(known) = logins.all.lock().get_mut(&hash(&first.secret)) {
            known.used -= 1;
        }
        for _ in 0..MAX_LOGINS {
            logins.open(&token, HERE).await.unwrap();
        }
        assert_eq!(logins.all.lock().len(), MAX_LOGINS);
        assert_eq!(logins.find(&first.secret).await.unwrap(), None);
        assert_eq!(logins.store.logins().await.unwrap().len(), MAX_LOGINS);
        for (begun, used) in [(0, IDLE_FOR + 1), (LASTS_FOR + 1, 0)] {
            let last = logins.open(&token, HERE).await.unwrap();
            if let Some(known) = logins.all.lock().get_mut(&hash(&last.secret)) {
                known.begun -= begun;
                known.used -= used;
            }
            assert_eq!(logins.find(&last.secret).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn a_login_outlasts_the_process_and_its_secret_is_not_in_the_database() {
        let (dir, logins) = logins().await;
        let token = logins.tokens.add("mine", true).await.unwrap().token;
        let kept = logins.open(&token, HERE).await.unwrap();
        let closed = logins.open(&token, HERE).await.unwrap();
        logins.close(&closed.secret).await;
        drop(logins);

        let logins = reopened(&dir).await;
        assert_eq!(logins.find(&kept.secret).await.unwrap(), Some(kept.clone()));
        assert_eq!(logins.find(&closed.secret).await.unwrap(), None);
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            for secret in [&kept.secret, &kept.csrf] {
                let is_in = bytes
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes());
                assert!(!is_in);
            }
        }
        // One whose token is deleted while no daemon runs is none.
        logins.tokens.remove("mine").await.unwrap();
        let logins = reopened(&dir).await;
        assert_eq!(logins.find(&kept.secret).await.unwrap(), None);
        assert!(logins.store.logins().await.unwrap().is_empty());
    }
}
