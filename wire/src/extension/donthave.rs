//! `lt_donthave` (BEP 54).

use super::ExtensionError;

/// The sender no longer has a piece that it had announced. The number is as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Not `#[non_exhaustive]`: the layout is fixed by BEP 54.
pub struct DontHave {
    /// Piece.
    pub index: u32,
}

impl DontHave {
    /// The payload to send.
    #[must_use]
    pub const fn encode(self) -> [u8; 4] {
        self.index.to_be_bytes()
    }

    /// Reads a payload.
    ///
    /// # Errors
    ///
    /// When it is not four bytes long.
    pub fn decode(payload: &[u8]) -> Result<Self, ExtensionError> {
        let bytes = <[u8; 4]>::try_from(payload).map_err(|_| ExtensionError::Length {
            message: "lt_donthave",
            len: payload.len(),
        })?;
        Ok(Self {
            index: u32::from_be_bytes(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_four_bytes_and_nothing_else() {
        let gone = DontHave { index: 0x0102_0304 };
        assert_eq!(gone.encode(), [1, 2, 3, 4]);
        assert_eq!(DontHave::decode(&[1, 2, 3, 4]), Ok(gone));
        for len in [0, 3, 5] {
            let error = ExtensionError::Length {
                message: "lt_donthave",
                len,
            };
            assert_eq!(DontHave::decode(&[0; 5][..len]), Err(error));
        }
    }
}
