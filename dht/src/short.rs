//! Strings with a small limit, kept in place.

use std::fmt;

use crate::{
    MAX_CLIENT_VERSION_LEN, MAX_METHOD_NAME_LEN, MAX_SALT_LEN, MAX_TOKEN_LEN,
    MAX_TRANSACTION_ID_LEN,
};

/// More bytes than the type takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes where at most {max} are allowed")]
pub struct TooLongError {
    /// How many there are.
    pub len: usize,
    /// How many there may be.
    pub max: usize,
}

/// Bytes past `len` stay zero, so that the derived comparisons are those of the content.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Short<const MAX: usize> {
    bytes: [u8; MAX],
    len: u8,
}

impl<const MAX: usize> Short<MAX> {
    fn new(content: &[u8]) -> Result<Self, TooLongError> {
        let error = TooLongError {
            len: content.len(),
            max: MAX,
        };
        let mut bytes = [0; MAX];
        let place = bytes.get_mut(..content.len()).ok_or(error)?;
        place.copy_from_slice(content);
        let len = u8::try_from(content.len()).map_err(|_| error)?;
        Ok(Self { bytes, len })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

macro_rules! short {
    ($(#[$doc:meta])* $name:ident, $max:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(Short<$max>);

        impl $name {
            #[doc = concat!("Copies `bytes`, at most [`", stringify!($max), "`](crate::", stringify!($max), ").")]
            ///
            /// # Errors
            ///
            /// When there are more.
            pub fn new(bytes: &[u8]) -> Result<Self, TooLongError> {
                Short::new(bytes).map(Self)
            }

            /// The bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = TooLongError;

            fn try_from(bytes: &[u8]) -> Result<Self, TooLongError> {
                Self::new(bytes)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "(\"{}\")"), self.as_bytes().escape_ascii())
            }
        }
    };
}

short! {
    /// What the asking node calls its query; the answer echoes it (BEP 5).
    TransactionId, MAX_TRANSACTION_ID_LEN
}
short! {
    /// What a node gives out with `get_peers` and wants back with `announce_peer`, to know that the announced address is
    /// the sender's own (BEP 5).
    Token, MAX_TOKEN_LEN
}
short! {
    /// The software that sent a message: two letters of BEP 20, two bytes of version (BEP 5).
    ClientVersion, MAX_CLIENT_VERSION_LEN
}
short! {
    /// What sets several items of one key apart; empty is as good as none (BEP 44).
    Salt, MAX_SALT_LEN
}
short! {
    /// The name of a query that this crate does not know.
    MethodName, MAX_METHOD_NAME_LEN
}

impl Token {
    /// The first `LEN` bytes, of which there are as many.
    pub(crate) fn from_array<const LEN: usize>(bytes: [u8; 20]) -> Self {
        const { assert!(LEN <= 20, "a hash has 20 bytes") };
        let mut token = [0; MAX_TOKEN_LEN];
        token[..LEN].copy_from_slice(&bytes[..LEN]);
        let len = u8::try_from(LEN).unwrap_or_default();
        Self(Short { bytes: token, len })
    }
}

impl Default for Salt {
    fn default() -> Self {
        Self(Short {
            bytes: [0; MAX_SALT_LEN],
            len: 0,
        })
    }
}

impl From<u16> for TransactionId {
    fn from(number: u16) -> Self {
        let mut bytes = [0; MAX_TRANSACTION_ID_LEN];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        Self(Short { bytes, len: 2 })
    }
}
