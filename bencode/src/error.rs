//! Errors of decoding untrusted bytes.
//!
//! Written by hand: an error derive would be most of what this crate's users have to build.

use std::error::Error;
use std::fmt;

/// Bytes that are not bencode, or not as strict or as small as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Where in the input, in bytes from its beginning. For a value that is too deep, too long or out of order it is
    /// where that value (or key) begins.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// The kinds of [`DecodeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends inside a value. The offset is the input's length, or the beginning of a string that promises
    /// more bytes than there are.
    UnexpectedEnd,
    /// No value begins with this byte.
    UnexpectedByte(u8),
    /// A dictionary's key is not a string.
    KeyNotString,
    /// A dictionary ends after a key.
    MissingValue,
    /// Between `i` and `e` stands something other than digits with an optional minus sign.
    InvalidInteger,
    /// The integer does not fit an [`i64`].
    IntegerOutOfRange,
    /// An integer or a string's length has a superfluous zero in front.
    LeadingZero,
    /// The integer is `-0`.
    NegativeZero,
    /// Between a string's length and its bytes stands something other than a colon.
    InvalidLength,
    /// A key is smaller than the one before it.
    UnsortedKeys,
    /// A key is equal to the one before it.
    DuplicateKey,
    /// The value is complete, but the input is not at its end.
    TrailingBytes,
    /// [`Limits::depth`](crate::Limits::depth) is exceeded.
    TooDeep(u32),
    /// [`Limits::tokens`](crate::Limits::tokens) is exceeded.
    TooManyTokens(u32),
    /// [`Limits::string_len`](crate::Limits::string_len) is exceeded.
    StringTooLong(u32),
    /// [`Limits::input_len`](crate::Limits::input_len) is exceeded.
    InputTooLong(u32),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}

impl Error for DecodeError {}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnexpectedEnd => f.write_str("unexpected end of input"),
            Self::UnexpectedByte(byte) => write!(f, "unexpected byte 0x{byte:02x}"),
            Self::KeyNotString => f.write_str("a dictionary key that is not a string"),
            Self::MissingValue => f.write_str("a dictionary key without a value"),
            Self::InvalidInteger => f.write_str("a malformed integer"),
            Self::IntegerOutOfRange => f.write_str("an integer out of range"),
            Self::LeadingZero => f.write_str("a leading zero"),
            Self::NegativeZero => f.write_str("a negative zero"),
            Self::InvalidLength => f.write_str("a malformed string length"),
            Self::UnsortedKeys => f.write_str("dictionary keys out of order"),
            Self::DuplicateKey => f.write_str("a duplicate dictionary key"),
            Self::TrailingBytes => f.write_str("trailing bytes"),
            Self::TooDeep(max) => write!(f, "more than {max} nested lists and dictionaries"),
            Self::TooManyTokens(max) => write!(f, "more than {max} values"),
            Self::StringTooLong(max) => write!(f, "a string of more than {max} bytes"),
            Self::InputTooLong(max) => write!(f, "an input of more than {max} bytes"),
        }
    }
}

impl Error for DecodeErrorKind {}
