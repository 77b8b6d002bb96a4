//! What can be wrong with a stranger's bytes.

/// Bytes that are not bencode, or not as strict or as small as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct DecodeError {
    /// Where in the input, in bytes from its beginning. For a value that is too deep, too long or out of order it is
    /// where that value (or key) begins.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// The kinds of [`DecodeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends inside a value. The offset is the input's length, or the beginning of a string that promises
    /// more bytes than there are.
    #[error("unexpected end of input")]
    UnexpectedEnd,
    /// No value begins with this byte.
    #[error("unexpected byte 0x{0:02x}")]
    UnexpectedByte(u8),
    /// A dictionary's key is not a string.
    #[error("a dictionary key that is not a string")]
    KeyNotString,
    /// A dictionary ends after a key.
    #[error("a dictionary key without a value")]
    MissingValue,
    /// Between `i` and `e` stands something other than digits with an optional minus sign.
    #[error("a malformed integer")]
    InvalidInteger,
    /// The integer does not fit an [`i64`].
    #[error("an integer out of range")]
    IntegerOutOfRange,
    /// An integer or a string's length has a superfluous zero in front.
    #[error("a leading zero")]
    LeadingZero,
    /// The integer is `-0`.
    #[error("a negative zero")]
    NegativeZero,
    /// Between a string's length and its bytes stands something other than a colon.
    #[error("a malformed string length")]
    InvalidLength,
    /// A key is smaller than the one before it.
    #[error("dictionary keys out of order")]
    UnsortedKeys,
    /// A key is equal to the one before it.
    #[error("a duplicate dictionary key")]
    DuplicateKey,
    /// The value is complete, but the input is not at its end.
    #[error("trailing bytes")]
    TrailingBytes,
    /// [`Limits::depth`](crate::Limits::depth) is exceeded.
    #[error("more than {0} nested lists and dictionaries")]
    TooDeep(u32),
    /// [`Limits::tokens`](crate::Limits::tokens) is exceeded.
    #[error("more than {0} values")]
    TooManyTokens(u32),
    /// [`Limits::string_len`](crate::Limits::string_len) is exceeded.
    #[error("a string of more than {0} bytes")]
    StringTooLong(u32),
    /// [`Limits::input_len`](crate::Limits::input_len) is exceeded.
    #[error("an input of more than {0} bytes")]
    InputTooLong(u32),
}
