//! What follows the handshake: plaintext or RC4.

use std::ops::BitOr;

use super::MseError;

/// How the connection goes on after the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Plaintext: only the handshake was hidden (bit 0x01).
    Plaintext,
    /// RC4 to the end (bit 0x02).
    Rc4,
}

/// A set of methods that is not empty: what an initiator offers or a responder accepts.
///
/// ```
/// use tailwater_wire::mse::{Method, Methods};
///
/// let methods = Methods::PLAINTEXT | Methods::RC4;
/// assert_eq!(methods, Methods::BOTH);
/// assert!(methods.contains(Method::Rc4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Methods(u32);

impl Methods {
    /// Plaintext alone.
    pub const PLAINTEXT: Self = Self(0x01);
    /// RC4 alone.
    pub const RC4: Self = Self(0x02);
    /// Plaintext or RC4.
    pub const BOTH: Self = Self(0x03);

    /// Whether `method` is one of them.
    #[must_use]
    pub const fn contains(self, method: Method) -> bool {
        self.0 & method.bit() != 0
    }

    /// The field `crypto_provide`.
    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    /// The methods of `provided` (a field `crypto_provide`) that are accepted, of those `preferred` or the other.
    pub(super) const fn select(self, provided: u32, preferred: Method) -> Result<Method, MseError> {
        let common = Self(self.0 & provided);
        match preferred {
            _ if common.0 == 0 => Err(MseError::NoCommonMethod { provided }),
            _ if common.contains(preferred) => Ok(preferred),
            Method::Plaintext => Ok(Method::Rc4),
            Method::Rc4 => Ok(Method::Plaintext),
        }
    }

    /// The method that a responder `selected` (a field `crypto_select`), if it was offered.
    pub(super) const fn selected(self, selected: u32) -> Result<Method, MseError> {
        match selected {
            0x01 if self.contains(Method::Plaintext) => Ok(Method::Plaintext),
            0x02 if self.contains(Method::Rc4) => Ok(Method::Rc4),
            _ => Err(MseError::NotOffered { selected }),
        }
    }
}

/// The union.
impl BitOr for Methods {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl From<Method> for Methods {
    fn from(method: Method) -> Self {
        Self(method.bit())
    }
}

impl Method {
    /// The bit in `crypto_provide` and `crypto_select`.
    pub(super) const fn bit(self) -> u32 {
        match self {
            Self::Plaintext => 0x01,
            Self::Rc4 => 0x02,
        }
    }
}
