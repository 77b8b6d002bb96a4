//! Tokens: secrets by which programs are let in. Only their hashes are kept.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::service::now;
use super::store::{Store, StoreError, TokenRow};

/// What all tokens begin with, so that one is known where it should not be.
pub(crate) const TOKEN_PREFIX: &str = "tw_";
/// Bytes of a secret: not to be guessed, whatever the hash costs.
const SECRET_LEN: usize = 32;
/// Bytes of the salt of a hash.
const SALT_LEN: usize = 16;
/// Bytes of a hash.
const HASH_LEN: usize = 32;
/// The cost of a hash: what OWASP recommends for Argon2id (19 MiB, 2 passes, 1 lane).
const COST: (u32, u32, u32) = (19 * 1_024, 2, 1);
/// The longest text that is looked at.
const MAX_TOKEN_LEN: usize = 128;
/// The longest name of a token, in bytes.
const MAX_NAME_LEN: usize = 100;
/// The most tokens.
const MAX_TOKENS: usize = 1_000;
/// Hashes that are computed at once: each takes 19 MiB.
const HASHES_AT_ONCE: usize = 2;
/// A token that was right needs no hash again for so long; the database is asked whether it is still there after that.
const KEPT_FOR: Duration = Duration::from_secs(1);
/// The most tokens that are remembered as right.
const MAX_KEPT: usize = 1_000;
/// Failures of one address group before it has to wait.
const FAILURES: f64 = 10.0;
/// How long it takes to be forgiven a failure.
const FORGIVEN_AFTER: Duration = Duration::from_secs(6);
/// The most address groups whose failures are remembered; at the limit, all are forgiven but those at theirs.
const MAX_GROUPS: usize = 10_000;

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Look.
    Read,
    /// Everything.
    Full,
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is none of ours.
    #[error("the token is wrong")]
    Wrong,
    /// The caller was wrong too often.
    #[error("too many wrong tokens; try again in {} s", .0.as_secs().max(1))]
    TooMany(Duration),
    /// The name is taken.
    #[error("there is a token named {0:?} already")]
    NameTaken(String),
    /// The name cannot be used.
    #[error("the name of a token has 1 to {MAX_NAME_LEN} bytes without control characters")]
    Name,
    /// There are as many as there may be.
    #[error("there are {MAX_TOKENS} tokens, and no more are allowed")]
    Full,
    /// The system gives no random bytes, or the hash cannot be computed.
    #[error("{0}")]
    System(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A new token. This is the only time that its secret is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NewToken {
    /// What the user calls it.
    pub name: String,
    /// The secret.
    pub token: String,
    /// It may not change anything.
    pub is_read_only: bool,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokenInfo {
    /// What the user calls it.
    pub name: String,
    /// It may not change anything.
    pub is_read_only: bool,
    /// When it was made, as a Unix time.
    pub created: u64,
}

/// The tokens of a daemon. Clones share them.
#[derive(Clone, Debug)]
pub struct Tokens {
    store: Store,
    hashing: Arc<Semaphore>,
    known: Arc<Mutex<HashMap<String, Owner>>>,
    failures: Arc<Mutex<HashMap<IpAddr, Failures>>>,
    /// How many were deleted by this process.
    deleted: Arc<AtomicU64>,
}

/// Whose token was right, and when that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) id: i64,
    hash: String,
    pub(super) name: String,
    pub(super) access: Access,
    checked: Instant,
    /// How many tokens had been deleted by then.
    deleted: u64,
}

/// How often an address group was wrong.
#[derive(Clone, Copy, Debug)]
struct Failures {
    count: f64,
    at: Instant,
}

impl Tokens {
    /// Those in a database.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            hashing: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            known: Arc::default(),
            failures: Arc::default(),
            deleted: Arc::default(),
        }
    }

    /// Makes a token.
    ///
    /// # Errors
    ///
    /// When the name is taken or cannot be used, there are too many, or it cannot be saved.
    pub async fn add(&self, name: &str, is_read_only: bool) -> Result<NewToken, TokenError> {
        let name = name.trim();
        if name.is_empty() || name.len() > MAX_NAME_LEN || name.contains(char::is_control) {
            return Err(TokenError::Name);
        }
        if self.store.tokens().await?.len() >= MAX_TOKENS {
            return Err(TokenError::Full);
        }
        let (secret, salt) = (random::<SECRET_LEN>()?, random::<SALT_LEN>()?);
        let hash = self.hash(secret.to_vec(), salt.to_vec(), COST).await?;
        let hash = format(COST, &salt, &hash);
        let added = self
            .store
            .add_token(name.to_owned(), hash, is_read_only, now());
        let id = added.await?;
        let id = id.ok_or_else(|| TokenError::NameTaken(name.to_owned()))?;
        let secret = BASE64URL_NOPAD.encode(&secret);
        Ok(NewToken {
            name: name.to_owned(),
            token: format!("{TOKEN_PREFIX}{id}_{secret}"),
            is_read_only,
        })
    }

    /// All tokens.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn list(&self) -> Result<Vec<TokenInfo>, TokenError> {
        let rows = self.store.tokens().await?;
        let info = |row: TokenRow| TokenInfo {
            name: row.name,
            is_read_only: row.is_read_only,
            created: row.created,
        };
        Ok(rows.into_iter().map(info).collect())
    }

    /// Deletes a token; whether there was one. A daemon of another process lets it in for a second more.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn remove(&self, name: &str) -> Result<bool, TokenError> {
        let removed = self.store.remove_token(name.to_owned()).await?;
        self.deleted.fetch_add(1, Ordering::Relaxed);
        self.known.lock().clear();
        Ok(removed)
    }

    /// What the owner of a token may do. `from` is an address for its whole group: who is wrong too often has to wait.
    ///
    /// # Errors
    ///
    /// When it is wrong, or the caller has to wait.
    pub async fn check(&self, token: &str, from: IpAddr) -> Result<Access, TokenError> {
        Ok(self.identify(token, from).await?.access)
    }

    /// What the owner of a token may do; `None` if it is none of ours. For those who need none: nobody has to wait for it.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub(crate) async fn find(&self, token: &str) -> Result<Option<Access>, TokenError> {
        let known = self.known.lock().get(token).cloned();
        let owner = match known {
            Some(known) => self.still(&known).await?,
            None => self.verify(token).await?,
        };
        let mut all = self.known.lock();
        match &owner {
            Some(owner) if all.len() < MAX_KEPT => {
                all.insert(token.to_owned(), owner.clone());
            }
            Some(_) => {}
            None => drop(all.remove(token)),
        }
        Ok(owner.map(|owner| owner.access))
    }

    /// As [`Tokens::check`], with the token's name.
    pub(super) async fn identify(&self, token: &str, from: IpAddr) -> Result<Owner, TokenError> {
        let known = self.known.lock().get(token).cloned();
        // One that was right before costs no hash, and its owner does not wait for another behind the same address, such as
        // that of a reverse proxy.
        let owner = match known {
            Some(known) => self.still(&known).await?,
            None => {
                self.may_try(from)?;
                self.verify(token).await?
            }
        };
        let mut all = self.known.lock();
        let Some(owner) = owner else {
            all.remove(token);
            drop(all);
            self.fail(from);
            return Err(TokenError::Wrong);
        };
        if all.len() >= MAX_KEPT {
            all.clear();
        }
        all.insert(token.to_owned(), owner.clone());
        Ok(owner)
    }

    /// The owner as it is now; `None` when the token has been deleted.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub(super) async fn still(&self, known: &Owner) -> Result<Option<Owner>, TokenError> {
        if known.checked.elapsed() < KEPT_FOR && known.deleted == self.deleted() {
            return Ok(Some(known.clone()));
        }
        let deleted = self.deleted();
        let row = self.store.token(known.id).await?;
        let row = row.filter(|row| row.hash == known.hash);
        Ok(row.map(|row| Owner::of(known.id, row, deleted)))
    }

    /// The owner of a token by its number; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub(super) async fn owner(&self, id: i64) -> Result<Option<Owner>, TokenError> {
        let deleted = self.deleted();
        let row = self.store.token(id).await?;
        Ok(row.map(|row| Owner::of(id, row, deleted)))
    }

    fn deleted(&self) -> u64 {
        self.deleted.load(Ordering::Relaxed)
    }

    /// Whose token this is; `None` if it is none of ours.
    async fn verify(&self, token: &str) -> Result<Option<Owner>, TokenError> {
        let deleted = self.deleted();
        let Some((id, secret)) = parse(token) else {
            return Ok(None);
        };
        let Some(row) = self.store.token(id).await? else {
            return Ok(None);
        };
        let (cost, salt, expected) = read(&row.hash).ok_or_else(|| {
            TokenError::System(format!("the hash of token {:?} cannot be read", row.name))
        })?;
        let hash = self.hash(secret, salt, cost).await?;
        Ok(is_same(&hash, &expected).then(|| Owner::of(id, row, deleted)))
    }

    /// Hashes on a thread that may block, a few at a time.
    async fn hash(
        &self,
        secret: Vec<u8>,
        salt: Vec<u8>,
        cost: (u32, u32, u32),
    ) -> Result<Vec<u8>, TokenError> {
        let system = |error: &dyn std::fmt::Display| TokenError::System(error.to_string());
        // It is never closed.
        let permit = Arc::clone(&self.hashing).acquire_owned().await;
        let permit = permit.map_err(|error| system(&error))?;
        let hashing = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let (memory, passes, lanes) = cost;
            let params = Params::new(memory, passes, lanes, Some(HASH_LEN))?;
            let mut hash = vec![0; HASH_LEN];
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into(&secret, &salt, &mut hash)?;
            Ok::<_, argon2::Error>(hash)
        });
        let hash = hashing.await.map_err(|error| system(&error))?;
        hash.map_err(|error| system(&error))
    }

    fn may_try(&self, from: IpAddr) -> Result<(), TokenError> {
        let failures = self.failures.lock();
        let count = failures.get(&from).map_or(0.0, Failures::count);
        match count < FAILURES {
            true => Ok(()),
            false => {
                let wait = FORGIVEN_AFTER.mul_f64((count - FAILURES).max(0.0) + 1.0);
                Err(TokenError::TooMany(wait))
            }
        }
    }

    fn fail(&self, from: IpAddr) {
        let mut failures = self.failures.lock();
        if failures.len() >= MAX_GROUPS && !failures.contains_key(&from) {
            failures.retain(|_, known| known.count() >= FAILURES);
        }
        let count = failures.get(&from).map_or(0.0, Failures::count) + 1.0;
        let at = Instant::now();
        failures.insert(from, Failures { count, at });
    }
}

impl Owner {
    fn of(id: i64, row: TokenRow, deleted: u64) -> Self {
        Self {
            id,
            hash: row.hash,
            name: row.name,
            access: match row.is_read_only {
                true => Access::Read,
                false => Access::Full,
            },
            checked: Instant::now(),
            deleted,
        }
    }
}

impl Failures {
    /// Those that are not forgiven yet.
    fn count(&self) -> f64 {
        let forgiven = self.at.elapsed().as_secs_f64() / FORGIVEN_AFTER.as_secs_f64();
        (self.count - forgiven).max(0.0)
    }
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], TokenError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| TokenError::System(error.to_string()))?;
    Ok(bytes)
}

/// The number and the secret of a token.
fn parse(token: &str) -> Option<(i64, Vec<u8>)> {
    if token.len() > MAX_TOKEN_LEN {
        return None;
    }
    let (id, secret) = token.strip_prefix(TOKEN_PREFIX)?.split_once('_')?;
    let secret = BASE64URL_NOPAD.decode(secret.as_bytes()).ok()?;
    let is_number = id.bytes().all(|byte| byte.is_ascii_digit());
    let id = is_number.then(|| id.parse().ok())??;
    (secret.len() == SECRET_LEN).then_some((id, secret))
}

/// A hash with what is needed to compute it again.
fn format((memory, passes, lanes): (u32, u32, u32), salt: &[u8], hash: &[u8]) -> String {
    let (salt, hash) = (HEXLOWER.encode(salt), HEXLOWER.encode(hash));
    format!("argon2id$m={memory},t={passes},p={lanes}${salt}${hash}")
}

/// Cost, salt and hash.
type Hash = ((u32, u32, u32), Vec<u8>, Vec<u8>);

fn read(text: &str) -> Option<Hash> {
    let mut parts = text.strip_prefix("argon2id$")?.split('$');
    let mut cost = parts.next()?.split(',');
    let mut number = |name: &str| cost.next()?.strip_prefix(name)?.parse().ok();
    let cost = (number("m=")?, number("t=")?, number("p=")?);
    let salt = HEXLOWER.decode(parts.next()?.as_bytes()).ok()?;
    let hash = HEXLOWER.decode(parts.next()?.as_bytes()).ok()?;
    Some((cost, salt, hash))
}

/// Compares in a time that does not depend on what is the same.
pub(super) fn is_same(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn tokens() -> (tempfile::TempDir, Tokens) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, Tokens::new(store))
    }

    #[tokio::test]
    async fn a_token_opens_and_nothing_else_does() {
        let (_dir, tokens) = tokens();
        let full = tokens.add("mine", false).await.unwrap();
        let read = tokens.add("screen", true).await.unwrap();
        assert_eq!(tokens.check(&full.token, HERE).await.unwrap(), Access::Full);
        assert_eq!(tokens.check(&full.token, HERE).await.unwrap(), Access::Full);
        assert_eq!(tokens.check(&read.token, HERE).await.unwrap(), Access::Read);
        let other = full.token.replacen("tw_1_", "tw_2_", 1);
        for wrong in ["", "tw_", "tw_1_", "tw_1_AAAA", "tw_-1_x", &other, "mine"] {
            let refused = tokens.check(wrong, HERE).await;
            assert!(matches!(refused, Err(TokenError::Wrong)), "{wrong}");
        }
        assert!(matches!(
            tokens.add("mine", true).await,
            Err(TokenError::NameTaken(_))
        ));
        assert!(tokens.remove("mine").await.unwrap());
        assert!(!tokens.remove("mine").await.unwrap());
        assert!(tokens.check(&full.token, HERE).await.is_err());
        assert_eq!(tokens.list().await.unwrap().len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(tw_[0-9]{0,20}_)?.{0,60}", hash in "(argon2id[$]m=)?[0-9a-f$,=mtp]{0,40}") {
            let _ = (parse(&text), read(&hash));
        }
    }

    #[tokio::test]
    async fn the_secret_is_not_in_the_database() {
        let (dir, tokens) = tokens();
        let token = tokens.add("mine", false).await.unwrap().token;
        let secret = token.rsplit('_').next().unwrap().to_owned();
        tokens.store.flush().await.unwrap();
        for file in std::fs::read_dir(dir.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(&secret) && !text.contains(&token));
        }
    }

    #[tokio::test]
    async fn who_is_wrong_too_often_has_to_wait_and_others_do_not() {
        let (_dir, tokens) = tokens();
        let token = tokens.add("mine", false).await.unwrap().token;
        let attacker = IpAddr::from([192, 0, 2, 1]);
        let mut tries = 0;
        while !matches!(
            tokens.check("tw_1_wrong", attacker).await,
            Err(TokenError::TooMany(_))
        ) {
            tries += 1;
        }
        assert!((10..=11).contains(&tries), "{tries}");
        assert!(matches!(
            tokens.check(&token, attacker).await,
            Err(TokenError::TooMany(_))
        ));
        assert!(tokens.check(&token, HERE).await.is_ok());
        // The database is asked again, and no hash is computed.
        let long_ago = Instant::now().checked_sub(2 * KEPT_FOR).unwrap();
        for known in tokens.known.lock().values_mut() {
            known.checked = long_ago;
        }
        assert!(tokens.check(&token, attacker).await.is_ok());
        assert!(tokens.remove("mine").await.unwrap());
        assert!(tokens.check(&token, HERE).await.is_err());
    }

    #[test]
    fn the_memory_for_failures_is_bounded() {
        let failures = Failures {
            count: 1.0,
            at: Instant::now(),
        };
        assert!(failures.count() <= 1.0);
        let hash = format(COST, &[1; 16], &[2; 32]);
        assert_eq!(read(&hash).unwrap(), (COST, vec![1; 16], vec![2; 32]));
        assert!(read("argon2id$m=1,t=1$00$00").is_none());
    }
}
