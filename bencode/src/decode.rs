//! The decoder: one pass over the input, one flat table of tokens, no recursion and no stack of its own.

use crate::cursor::Document;
use crate::integer;
use crate::{DecodeError, DecodeErrorKind, Options};

/// One value (or key) of the input. What it is stands in the input at `start`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// Where its first byte is: `i`, `l`, `d` or a digit.
    pub(crate) start: u32,
    /// Where its content begins: past the `i`, `l`, `d` or the colon.
    pub(crate) body: u32,
    /// Where its last byte was, plus one. While a container is open: the token of its last key, or [`NONE`].
    pub(crate) end: u32,
    /// The token after it and all that is inside it. While a container is open: the container around it, or [`NONE`].
    pub(crate) next: u32,
}

/// No token: marks the absence of one in a token number.
const NONE: u32 = u32::MAX;

/// The initial capacity of the token table is at most this: enough for a small torrent without growing, and cheap.
const FIRST_TOKENS: usize = 128;

/// Decodes one canonical value that fills `bytes`, within the default limits.
///
/// # Errors
///
/// When the bytes are not canonical bencode or exceed a limit; says where.
pub fn decode(bytes: &[u8]) -> Result<Document<'_>, DecodeError> {
    decode_with(bytes, &Options::strict())
}

/// Decodes one value as strictly as `options` say.
///
/// # Errors
///
/// When the bytes are not bencode, exceed a limit or depart from the canonical form in a way that `options` do not
/// allow; says where.
pub fn decode_with<'a>(bytes: &'a [u8], options: &Options) -> Result<Document<'a>, DecodeError> {
    let (document, consumed) = decode_prefix(bytes, options)?;
    if consumed != bytes.len() && !options.trailing_bytes {
        return Err(DecodeError {
            offset: consumed,
            kind: DecodeErrorKind::TrailingBytes,
        });
    }
    Ok(document)
}

/// Decodes the value at the beginning of `bytes`, whatever follows it, and returns how many bytes it took.
///
/// # Errors
///
/// As [`decode_with`], trailing bytes excepted.
pub fn decode_prefix<'a>(
    bytes: &'a [u8],
    options: &Options,
) -> Result<(Document<'a>, usize), DecodeError> {
    let limit = options.limits.input_len;
    let len = u32::try_from(bytes.len())
        .ok()
        .filter(|&len| len <= limit)
        .ok_or_else(|| error(0, DecodeErrorKind::InputTooLong(limit)))?;
    let decoder = Decoder {
        bytes,
        len,
        options,
        at: 0,
        tokens: Vec::with_capacity(FIRST_TOKENS.min(bytes.len() / 2)),
        open: NONE,
        depth: 0,
    };
    decoder.run()
}

struct Decoder<'a, 'o> {
    bytes: &'a [u8],
    /// The length of `bytes`; every offset in them fits 32 bits.
    len: u32,
    options: &'o Options,
    /// The next byte to read.
    at: u32,
    tokens: Vec<Token>,
    /// The token of the innermost open container, or [`NONE`].
    open: u32,
    depth: u32,
}

/// The decoder's state: what may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// A value: the outermost, or the one of a key just read.
    Value,
    /// A list's next value or its end.
    Item,
    /// A dictionary's next key or its end.
    Key,
    /// Nothing: the outermost value is complete.
    Done,
}

impl<'a> Decoder<'a, '_> {
    fn run(mut self) -> Result<(Document<'a>, usize), DecodeError> {
        let mut expect = Expect::Value;
        while expect != Expect::Done {
            let byte = self.peek()?;
            expect = match (byte, expect) {
                (b'e', Expect::Item | Expect::Key) => self.close(),
                (b'0'..=b'9', Expect::Key) => {
                    self.key(byte)?;
                    Expect::Value
                }
                (_, Expect::Key) => return Err(self.error(DecodeErrorKind::KeyNotString)),
                (b'0'..=b'9', _) => {
                    self.string(byte)?;
                    self.after_value()
                }
                (b'i', _) => {
                    self.integer()?;
                    self.after_value()
                }
                (b'l', _) => self.open(Expect::Item)?,
                (b'd', _) => self.open(Expect::Key)?,
                (b'e', _) if self.open != NONE => {
                    return Err(self.error(DecodeErrorKind::MissingValue));
                }
                (other, _) => return Err(self.error(DecodeErrorKind::UnexpectedByte(other))),
            };
        }
        Ok((Document::new(self.bytes, self.tokens), self.at as usize))
    }

    fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        error(self.at, kind)
    }

    fn peek(&self) -> Result<u8, DecodeError> {
        self.bytes
            .get(self.at as usize)
            .copied()
            .ok_or_else(|| self.error(DecodeErrorKind::UnexpectedEnd))
    }

    /// Adds a token and returns its number. The caller has checked that the value does not end past the input.
    fn push(&mut self, start: u32, body: u32, end: u32, next: u32) -> Result<u32, DecodeError> {
        let limit = self.options.limits.tokens;
        let number = u32::try_from(self.tokens.len())
            .ok()
            .filter(|&number| number < limit && number < NONE)
            .ok_or_else(|| error(start, DecodeErrorKind::TooManyTokens(limit)))?;
        self.tokens.push(Token {
            start,
            body,
            end,
            next,
        });
        Ok(number)
    }

    fn push_scalar(&mut self, start: u32, body: u32, end: u32) -> Result<u32, DecodeError> {
        let number = self.push(start, body, end, NONE)?;
        if let Some(token) = self.tokens.last_mut() {
            token.next = number + 1;
        }
        self.at = end;
        Ok(number)
    }

    fn open(&mut self, inside: Expect) -> Result<Expect, DecodeError> {
        let limit = self.options.limits.depth;
        if self.depth >= limit {
            return Err(self.error(DecodeErrorKind::TooDeep(limit)));
        }
        self.open = self.push(self.at, self.at + 1, NONE, self.open)?;
        self.depth += 1;
        self.at += 1;
        Ok(inside)
    }

    /// Ends the innermost container at its `e`.
    fn close(&mut self) -> Expect {
        self.at += 1;
        // `push` keeps the table's length below `NONE`.
        let next = u32::try_from(self.tokens.len()).unwrap_or(NONE);
        if let Some(token) = self.tokens.get_mut(self.open as usize) {
            token.end = self.at;
            self.open = std::mem::replace(&mut token.next, next);
            self.depth -= 1;
        }
        self.after_value()
    }

    fn after_value(&self) -> Expect {
        match self.tokens.get(self.open as usize) {
            None => Expect::Done,
            Some(token) if self.bytes[token.start as usize] == b'l' => Expect::Item,
            Some(_) => Expect::Key,
        }
    }

    fn key(&mut self, digit: u8) -> Result<(), DecodeError> {
        let number = self.string(digit)?;
        let container = self.open as usize;
        let previous = std::mem::replace(&mut self.tokens[container].end, number);
        if previous == NONE {
            return Ok(());
        }
        let key = self.tokens[number as usize];
        let kind = match self
            .content(self.tokens[previous as usize])
            .cmp(self.content(key))
        {
            std::cmp::Ordering::Less => return Ok(()),
            std::cmp::Ordering::Equal if self.options.duplicate_keys => return Ok(()),
            std::cmp::Ordering::Greater if self.options.unsorted_keys => return Ok(()),
            std::cmp::Ordering::Equal => DecodeErrorKind::DuplicateKey,
            std::cmp::Ordering::Greater => DecodeErrorKind::UnsortedKeys,
        };
        Err(error(key.start, kind))
    }

    fn content(&self, token: Token) -> &'a [u8] {
        &self.bytes[token.body as usize..token.end as usize]
    }

    /// Reads a string whose first digit was seen; returns the number of its token.
    fn string(&mut self, digit: u8) -> Result<u32, DecodeError> {
        let start = self.at;
        let limit = self.options.limits.string_len;
        let mut len = u32::from(digit - b'0');
        self.at += 1;
        loop {
            match self.peek()? {
                b':' => break,
                digit @ b'0'..=b'9' => {
                    if len == 0 && !self.options.leading_zeros {
                        return Err(error(start, DecodeErrorKind::LeadingZero));
                    }
                    len = len
                        .checked_mul(10)
                        .and_then(|len| len.checked_add(u32::from(digit - b'0')))
                        .ok_or_else(|| error(start, DecodeErrorKind::StringTooLong(limit)))?;
                    self.at += 1;
                }
                _ => return Err(self.error(DecodeErrorKind::InvalidLength)),
            }
        }
        if len > limit {
            return Err(error(start, DecodeErrorKind::StringTooLong(limit)));
        }
        let body = self.at + 1;
        if len > self.len - body {
            return Err(error(start, DecodeErrorKind::UnexpectedEnd));
        }
        self.push_scalar(start, body, body + len)
    }

    fn integer(&mut self) -> Result<(), DecodeError> {
        let start = self.at;
        let body = start + 1;
        let rest = &self.bytes[body as usize..];
        // An integer ends at the first `e`, or else it is cut off or malformed at the byte that is no digit.
        let text_len = rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-'))
            .unwrap_or(rest.len());
        // Inside the input, whose length fits 32 bits.
        self.at = u32::try_from(text_len).map_or(self.len, |len| body + len);
        if self.peek()? != b'e' {
            return Err(self.error(DecodeErrorKind::InvalidInteger));
        }
        integer::check(&rest[..text_len], self.options).map_err(|kind| error(start, kind))?;
        self.push_scalar(start, body, self.at + 1)?;
        Ok(())
    }
}

fn error(offset: u32, kind: DecodeErrorKind) -> DecodeError {
    DecodeError {
        offset: offset as usize,
        kind,
    }
}
