//! Write tokens: proof that an address receives what is sent to it (BEP 5).
//!
//! A token is for one target: a torrent or an item. So each announce costs its sender a question of its own.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use sha1::{Digest, Sha1};

use super::random::derive;
use crate::{NodeId, Token};

/// How long one secret makes tokens; tokens of the one before are accepted too, so each is for 5 to 10 minutes (BEP 5).
pub const TOKEN_ROTATION: Duration = Duration::from_secs(5 * 60);
/// The length of a token in bytes: the beginning of a SHA-1.
const TOKEN_LEN: usize = 8;

/// Makes and checks tokens. Nothing is remembered of those it has made.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    key: [u8; 20],
    start: Instant,
    epoch: u64,
    current: [u8; 20],
    previous: [u8; 20],
}

impl Tokens {
    pub(super) fn new(now: Instant, seed: &[u8; 32]) -> Self {
        let key = derive(seed, b"tokens");
        Self {
            key,
            start: now,
            epoch: 0,
            current: secret(&key, 0),
            previous: secret(&key, u64::MAX),
        }
    }

    pub(super) fn make(&mut self, now: Instant, ip: IpAddr, target: &NodeId) -> Token {
        self.rotate(now);
        token(&self.current, ip, target)
    }

    pub(super) fn is_valid(
        &mut self,
        now: Instant,
        ip: IpAddr,
        target: &NodeId,
        shown: &Token,
    ) -> bool {
        self.rotate(now);
        let secrets = [&self.current, &self.previous];
        secrets
            .into_iter()
            .any(|secret| token(secret, ip, target) == *shown)
    }

    fn rotate(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.start).as_secs();
        let epoch = age / TOKEN_ROTATION.as_secs();
        if epoch > self.epoch {
            self.epoch = epoch;
            self.current = secret(&self.key, epoch);
            self.previous = secret(&self.key, epoch - 1);
        }
    }
}

fn secret(key: &[u8; 20], epoch: u64) -> [u8; 20] {
    derive(key, &epoch.to_be_bytes())
}

fn token(secret: &[u8; 20], ip: IpAddr, target: &NodeId) -> Token {
    let hash = Sha1::new().chain_update(secret);
    let hash = hash.chain_update(target.as_bytes());
    let hash = match ip {
        IpAddr::V4(ip) => hash.chain_update(ip.octets()),
        IpAddr::V6(ip) => hash.chain_update(ip.octets()),
    };
    let hash: [u8; 20] = hash.finalize().into();
    Token::from_array::<TOKEN_LEN>(hash)
}
