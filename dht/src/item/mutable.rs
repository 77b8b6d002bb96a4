//! Mutable items, which their owner can replace, with the keys and signatures that prove the owner (BEP 44).

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use tailwater_types::{InfoHashV2, ParseHexError};

use super::ItemValue;
use crate::Salt;

/// The length of an ed25519 public key in bytes.
const KEY_LEN: usize = 32;
/// The length of an ed25519 signature in bytes.
const SIGNATURE_LEN: usize = 64;

/// An ed25519 public key: the owner of a mutable item.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; KEY_LEN]);

/// An ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; SIGNATURE_LEN]);

/// An ed25519 secret key, with which an owner signs items.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

/// An item that its owner can replace (BEP 44).
///
/// One that came from the network is not verified: [`is_valid`](Self::is_valid) checks the signature. Those that
/// [`Event::Item`](crate::Event::Item) brings are valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutableItem {
    key: PublicKey,
    salt: Salt,
    seq: i64,
    value: ItemValue,
    signature: Signature,
}

/// A signature that does not belong to the key and the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not belong to the item")]
pub struct InvalidSignatureError;

impl MutableItem {
    /// Signs a value. `seq` has to be higher than that of the item it replaces, and not negative.
    #[must_use]
    pub fn sign(secret: &SecretKey, salt: Salt, seq: i64, value: ItemValue) -> Self {
        let seq = seq.max(0);
        let message = signed_bytes(&salt, seq, &value);
        Self {
            key: secret.public_key(),
            salt,
            seq,
            value,
            signature: Signature(secret.0.sign(&message).to_bytes()),
        }
    }

    /// An item that was signed elsewhere, such as one to publish again.
    ///
    /// # Errors
    ///
    /// When the signature is wrong.
    pub fn from_parts(
        key: PublicKey,
        salt: Salt,
        seq: i64,
        value: ItemValue,
        signature: Signature,
    ) -> Result<Self, InvalidSignatureError> {
        let item = Self::unverified(key, salt, seq, value, signature);
        item.is_valid().then_some(item).ok_or(InvalidSignatureError)
    }

    pub(crate) const fn unverified(
        key: PublicKey,
        salt: Salt,
        seq: i64,
        value: ItemValue,
        signature: Signature,
    ) -> Self {
        Self {
            key,
            salt,
            seq,
            value,
            signature,
        }
    }

    /// Whether the owner of the key has signed this value with this salt and sequence number, which is not negative.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(&self.key.0) else {
            return false;
        };
        let signature = ed25519_dalek::Signature::from_bytes(&self.signature.0);
        let message = signed_bytes(&self.salt, self.seq, &self.value);
        self.seq >= 0 && key.verify_strict(&message, &signature).is_ok()
    }

    /// The owner's public key.
    #[must_use]
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// Tells several items of one owner apart.
    #[must_use]
    pub const fn salt(&self) -> Salt {
        self.salt
    }

    /// The higher, the newer.
    #[must_use]
    pub const fn seq(&self) -> i64 {
        self.seq
    }

    /// The item's value.
    #[must_use]
    pub const fn value(&self) -> &ItemValue {
        &self.value
    }

    /// Its owner's signature.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }
}

/// The bytes that are signed are put together from the parts, so that no quirk of a parser can move a border between
/// them (BEP 44).
fn signed_bytes(salt: &Salt, seq: i64, value: &ItemValue) -> Vec<u8> {
    let mut out = Vec::new();
    let salt = salt.as_bytes();
    if !salt.is_empty() {
        out.extend_from_slice(format!("4:salt{}:", salt.len()).as_bytes());
        out.extend_from_slice(salt);
    }
    out.extend_from_slice(format!("3:seqi{seq}e1:v").as_bytes());
    out.extend_from_slice(value.as_bytes());
    out
}

impl PublicKey {
    /// Wraps the raw bytes. Not all are a key; an item of one that is none is never valid.
    #[must_use]
    pub const fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl Signature {
    /// Wraps the raw bytes.
    #[must_use]
    pub const fn new(bytes: [u8; SIGNATURE_LEN]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; SIGNATURE_LEN] {
        &self.0
    }
}

impl SecretKey {
    /// Makes the key from an ed25519 seed. Anyone who knows the seed can sign as the owner.
    #[must_use]
    pub fn from_seed(seed: &[u8; KEY_LEN]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The matching public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }
}

/// Hexadecimal in either case.
impl FromStr for PublicKey {
    type Err = ParseHexError;

    fn from_str(text: &str) -> Result<Self, ParseHexError> {
        // A SHA-256 has the same length.
        let bytes = text.parse::<InfoHashV2>()?;
        Ok(Self(*bytes.as_bytes()))
    }
}

/// Lower-case hexadecimal.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HEXLOWER.encode_display(&self.0).fmt(f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        HEXLOWER.encode_display(&self.0).fmt(f)?;
        f.write_str(")")
    }
}

/// The key stays out of logs.
impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public_key())
    }
}
