//! Logins of browsers: a token is shown once, and a cookie stands for it from then on. They are in memory alone: a daemon
//! that is started anew asks for the token again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use parking_lot::Mutex;

use super::tokens::{Access, Owner, TokenError, Tokens, is_same, random};

/// Bytes of the secrets of a login: not to be guessed.
const SECRET_LEN: usize = 32;
/// The longest secret that is looked at, in bytes.
const MAX_SECRET_LEN: usize = 64;
/// The most logins: more than the browsers of a household. One more displaces the one that was used least recently; only
/// who has a token can make any.
const MAX_LOGINS: usize = 1_000;
/// A login that was not used for so long has ended.
const IDLE_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A login ends after so long however it is used.
const LASTS_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

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
    all: Arc<Mutex<HashMap<String, Known>>>,
}

#[derive(Clone, Debug)]
struct Known {
    owner: Owner,
    csrf: String,
    begun: Instant,
    used: Instant,
}

impl Known {
    fn has_ended(&self) -> bool {
        self.used.elapsed() > IDLE_FOR || self.begun.elapsed() > LASTS_FOR
    }
}

impl Logins {
    pub(super) fn new(tokens: Tokens) -> Self {
        Self {
            tokens,
            all: Arc::default(),
        }
    }

    /// Logs in by a token. `from` is as for [`Tokens::check`].
    ///
    /// # Errors
    ///
    /// When the token is wrong, or the caller has to wait.
    pub async fn open(&self, token: &str, from: IpAddr) -> Result<Login, TokenError> {
        let owner = self.tokens.identify(token, from).await?;
        let text = |bytes: [u8; SECRET_LEN]| BASE64URL_NOPAD.encode(&bytes);
        let (secret, csrf) = (text(random()?), text(random()?));
        let now = Instant::now();
        let known = Known {
            owner,
            csrf,
            begun: now,
            used: now,
        };
        let login = known.login(&secret);
        let mut all = self.all.lock();
        if all.len() >= MAX_LOGINS {
            all.retain(|_, known| !known.has_ended());
            let oldest = all.iter().min_by_key(|(_, known)| known.used);
            if let Some(oldest) = oldest.map(|(secret, _)| secret.clone())
                && all.len() >= MAX_LOGINS
            {
                all.remove(&oldest);
            }
        }
        all.insert(secret, known);
        Ok(login)
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
        let Some(known) = self.all.lock().get(secret).cloned() else {
            return Ok(None);
        };
        let owner = match known.has_ended() {
            true => None,
            false => self.tokens.still(&known.owner).await?,
        };
        let mut all = self.all.lock();
        let Some(owner) = owner else {
            all.remove(secret);
            return Ok(None);
        };
        // It may have been closed meanwhile.
        Ok(all.get_mut(secret).map(|known| {
            known.used = Instant::now();
            known.owner = owner;
            known.login(secret)
        }))
    }

    /// Ends a login.
    pub fn close(&self, secret: &str) {
        self.all.lock().remove(secret);
    }
}

impl Known {
    fn login(&self, secret: &str) -> Login {
        Login {
            secret: secret.to_owned(),
            csrf: self.csrf.clone(),
            access: self.owner.access,
            token_name: self.owner.name.clone(),
        }
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

    fn logins() -> (tempfile::TempDir, Logins) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, Logins::new(Tokens::new(store)))
    }

    #[tokio::test]
    async fn a_login_stands_for_its_token_as_long_as_that_is_there() {
        let (_dir, logins) = logins();
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
        logins.close(&login.secret);
        assert_eq!(logins.find(&login.secret).await.unwrap(), None);
        logins.tokens.remove("mine").await.unwrap();
        assert_eq!(logins.find(&other.secret).await.unwrap(), None);
        assert!(logins.all.lock().is_empty());
        let wrong = logins.open(&token, HERE).await;
        assert!(matches!(wrong, Err(TokenError::Wrong)));
    }

    #[tokio::test]
    async fn logins_are_bounded_and_end() {
        let (_dir, logins) = logins();
        let token = logins.tokens.add("mine", false).await.unwrap().token;
        let first = logins.open(&token, HERE).await.unwrap();
        for _ in 0..MAX_LOGINS {
            logins.open(&token, HERE).await.unwrap();
        }
        assert_eq!(logins.all.lock().len(), MAX_LOGINS);
        assert_eq!(logins.find(&first.secret).await.unwrap(), None);
        let last = logins.open(&token, HERE).await.unwrap();
        if let Some(known) = logins.all.lock().get_mut(&last.secret) {
            let long_ago = Instant::now().checked_sub(IDLE_FOR + Duration::from_secs(1));
            known.used = long_ago.unwrap_or(known.used);
            // A machine that has not been up for so long cannot tell.
            if long_ago.is_none() {
                return;
            }
        }
        assert_eq!(logins.find(&last.secret).await.unwrap(), None);
    }
}
