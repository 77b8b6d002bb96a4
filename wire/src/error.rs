//! Protocol violations at the level of frames.

use crate::message::frame_name;

/// A frame that no conforming peer sends. The stream cannot be resynchronised: drop the connection.
///
/// All of these are the peer's fault, and all are detected from a frame's first five bytes or fewer, before memory is
/// allocated for it. Lengths count what the length prefix counts: the id and the payload, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A message of fixed size has another one.
    #[error("{} frame of {len} bytes where {expected} are due", frame_name(*.id))]
    FrameLength {
        /// Message id.
        id: u8,
        /// Length that the frame claims.
        len: u32,
        /// The only length of this message.
        expected: u32,
    },
    /// A message is too short for its fixed fields.
    #[error("{} frame of {len} bytes where at least {min} are due", frame_name(*.id))]
    FrameTooShort {
        /// Message id.
        id: u8,
        /// Length that the frame claims.
        len: u32,
        /// Length of this message with an empty payload.
        min: u32,
    },
    /// A message is longer than its limit.
    #[error("{} frame of {len} bytes where at most {max} are allowed", frame_name(*.id))]
    FrameTooLong {
        /// Message id.
        id: u8,
        /// Length that the frame claims.
        len: u32,
        /// The limit, see [`Limits`](crate::Limits).
        max: u32,
    },
    /// A length prefix beyond every limit; the id need not have come.
    #[error("a frame of {len} bytes where no message may have more than {max}")]
    PrefixTooLong {
        /// Length that the frame claims.
        len: u32,
        /// The longest of all limits.
        max: u32,
    },
    /// The list of a `hashes` message is not made of whole hashes (BEP 52).
    #[error("hashes frame of {len} bytes, which is no whole number of hashes")]
    PartialHash {
        /// Length that the frame claims.
        len: u32,
    },
}
