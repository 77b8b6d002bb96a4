//! `upload_only`: what BEP 21 has in the handshake, as a message for peers that know it.

use super::ExtensionError;

/// Whether the sender wants nothing (BEP 21). libtorrent sends it when a download ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Not `#[non_exhaustive]`: the layout is one byte.
pub struct UploadOnly(pub bool);

impl UploadOnly {
    /// The payload to send.
    #[must_use]
    pub const fn encode(self) -> [u8; 1] {
        [self.0 as u8]
    }

    /// Reads a payload; any byte but 0 means yes.
    ///
    /// # Errors
    ///
    /// When it is not one byte long.
    pub const fn decode(payload: &[u8]) -> Result<Self, ExtensionError> {
        match payload {
            [byte] => Ok(Self(*byte != 0)),
            _ => Err(ExtensionError::Length {
                message: "upload_only",
                len: payload.len(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_byte_and_nothing_else() {
        for (payload, wants_nothing) in [(&[0][..], false), (&[1], true), (&[255], true)] {
            assert_eq!(UploadOnly::decode(payload), Ok(UploadOnly(wants_nothing)));
        }
        assert_eq!(UploadOnly(true).encode(), [1]);
        assert_eq!(UploadOnly(false).encode(), [0]);
        for len in [0, 2] {
            let error = ExtensionError::Length {
                message: "upload_only",
                len,
            };
            assert_eq!(UploadOnly::decode(&[0; 2][..len]), Err(error));
        }
    }
}
