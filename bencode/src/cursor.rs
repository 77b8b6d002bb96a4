//! A cursor over a decoded document.

use crate::decode::Token;
use crate::integer;
use std::fmt;
use std::ops::Range;

/// A decoded value and all that is in it, as a table of spans over the input.
///
/// It takes 16 bytes for each value and copies nothing.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    bytes: &'a [u8],
    /// Never empty: the decoder ends only after a complete value.
    tokens: Vec<Token>,
}

/// The kind of a [`Value`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `i…e`
    Int,
    /// `3:abc`
    Bytes,
    /// `l…e`
    List,
    /// `d…e`
    Dict,
}

/// A value in a [`Document`]: as cheap to copy as two pointers.
///
/// `'doc` is the document's borrow; slices live as long as the input, `'a`.
#[derive(Clone, Copy)]
pub struct Value<'doc, 'a> {
    document: &'doc Document<'a>,
    token: u32,
}

/// A [`Value`] that is a dictionary.
#[derive(Clone, Copy, Debug)]
pub struct Dict<'doc, 'a>(Value<'doc, 'a>);

/// A [`Value`] that is a list.
#[derive(Clone, Copy, Debug)]
pub struct List<'doc, 'a>(Value<'doc, 'a>);

impl<'a> Document<'a> {
    pub(crate) const fn new(bytes: &'a [u8], tokens: Vec<Token>) -> Self {
        Self { bytes, tokens }
    }

    /// The outermost value.
    #[must_use]
    pub const fn root(&self) -> Value<'_, 'a> {
        Value {
            document: self,
            token: 0,
        }
    }

    /// How many values there are, dictionary keys included: what [`Limits::tokens`](crate::Limits::tokens) bounds.
    #[must_use]
    pub const fn token_count(&self) -> usize {
        self.tokens.len()
    }
}

impl<'doc, 'a> Value<'doc, 'a> {
    fn token(self) -> Token {
        self.document.tokens[self.token as usize]
    }

    /// Which of the four kinds it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.document.bytes[self.token().start as usize] {
            b'i' => Kind::Int,
            b'l' => Kind::List,
            b'd' => Kind::Dict,
            _ => Kind::Bytes,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_int(self) -> Option<i64> {
        if self.kind() != Kind::Int {
            return None;
        }
        let token = self.token();
        // Past the digits stands the `e`. The decoder has checked the digits, so this is always a number.
        integer::parse(&self.document.bytes[token.body as usize..token.end as usize - 1]).ok()
    }

    /// The content, if it is a string.
    #[must_use]
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        (self.kind() == Kind::Bytes).then(|| self.content())
    }

    /// The content, if it is a string of valid UTF-8.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The dictionary, if it is one.
    #[must_use]
    pub fn as_dict(self) -> Option<Dict<'doc, 'a>> {
        (self.kind() == Kind::Dict).then_some(Dict(self))
    }

    /// The list, if it is one.
    #[must_use]
    pub fn as_list(self) -> Option<List<'doc, 'a>> {
        (self.kind() == Kind::List).then_some(List(self))
    }

    /// Its range in the input, from its first byte to past its last.
    #[must_use]
    pub fn span(self) -> Range<usize> {
        let token = self.token();
        token.start as usize..token.end as usize
    }

    /// Its bytes as received, from its first to its last.
    #[must_use]
    pub fn raw(self) -> &'a [u8] {
        &self.document.bytes[self.span()]
    }

    fn content(self) -> &'a [u8] {
        let token = self.token();
        &self.document.bytes[token.body as usize..token.end as usize]
    }

    /// The tokens directly inside a container.
    fn children(self) -> Children<'doc, 'a> {
        Children {
            document: self.document,
            next: self.token + 1,
            end: self.token().next,
        }
    }
}

impl fmt::Debug for Value<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?}", self.kind(), self.span())
    }
}

impl<'doc, 'a> Dict<'doc, 'a> {
    /// The value of `key`, or the first of several in a document decoded leniently.
    ///
    /// Takes time proportional to the number of entries, however large they are.
    #[must_use]
    pub fn get(self, key: impl AsRef<[u8]>) -> Option<Value<'doc, 'a>> {
        let key = key.as_ref();
        self.iter()
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The number under `key`; `None` also where something else is.
    #[must_use]
    pub fn get_int(self, key: impl AsRef<[u8]>) -> Option<i64> {
        self.get(key)?.as_int()
    }

    /// The string under `key`; `None` also where something else is.
    #[must_use]
    pub fn get_bytes(self, key: impl AsRef<[u8]>) -> Option<&'a [u8]> {
        self.get(key)?.as_bytes()
    }

    /// The UTF-8 string under `key`; `None` also where something else is.
    #[must_use]
    pub fn get_str(self, key: impl AsRef<[u8]>) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// The dictionary under `key`; `None` also where something else is.
    #[must_use]
    pub fn get_dict(self, key: impl AsRef<[u8]>) -> Option<Self> {
        self.get(key)?.as_dict()
    }

    /// The list under `key`; `None` also where something else is.
    #[must_use]
    pub fn get_list(self, key: impl AsRef<[u8]>) -> Option<List<'doc, 'a>> {
        self.get(key)?.as_list()
    }

    /// Keys and values, in the order of the input.
    #[must_use]
    pub fn iter(self) -> DictIter<'doc, 'a> {
        DictIter(self.0.children())
    }

    /// How many entries there are. Takes time proportional to that.
    #[must_use]
    pub fn len(self) -> usize {
        self.iter().count()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }

    /// The dictionary as a value again.
    #[must_use]
    pub const fn as_value(self) -> Value<'doc, 'a> {
        self.0
    }
}

impl<'doc, 'a> List<'doc, 'a> {
    /// The values, in order.
    #[must_use]
    pub fn iter(self) -> ListIter<'doc, 'a> {
        ListIter(self.0.children())
    }

    /// How many values there are. Takes time proportional to that.
    #[must_use]
    pub fn len(self) -> usize {
        self.iter().count()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }

    /// The list as a value again.
    #[must_use]
    pub const fn as_value(self) -> Value<'doc, 'a> {
        self.0
    }
}

impl<'doc, 'a> IntoIterator for Dict<'doc, 'a> {
    type Item = (&'a [u8], Value<'doc, 'a>);
    type IntoIter = DictIter<'doc, 'a>;

    fn into_iter(self) -> DictIter<'doc, 'a> {
        self.iter()
    }
}

impl<'doc, 'a> IntoIterator for List<'doc, 'a> {
    type Item = Value<'doc, 'a>;
    type IntoIter = ListIter<'doc, 'a>;

    fn into_iter(self) -> ListIter<'doc, 'a> {
        self.iter()
    }
}

/// Steps over whole values: each costs the same, however much is in it.
#[derive(Clone, Debug)]
struct Children<'doc, 'a> {
    document: &'doc Document<'a>,
    next: u32,
    end: u32,
}

impl<'doc, 'a> Iterator for Children<'doc, 'a> {
    type Item = Value<'doc, 'a>;

    fn next(&mut self) -> Option<Value<'doc, 'a>> {
        if self.next >= self.end {
            return None;
        }
        let value = Value {
            document: self.document,
            token: self.next,
        };
        self.next = value.token().next;
        Some(value)
    }
}

/// The entries of a [`Dict`].
#[derive(Clone, Debug)]
pub struct DictIter<'doc, 'a>(Children<'doc, 'a>);

impl<'doc, 'a> Iterator for DictIter<'doc, 'a> {
    type Item = (&'a [u8], Value<'doc, 'a>);

    fn next(&mut self) -> Option<(&'a [u8], Value<'doc, 'a>)> {
        let key = self.0.next()?;
        Some((key.content(), self.0.next()?))
    }
}

/// The values of a [`List`].
#[derive(Clone, Debug)]
pub struct ListIter<'doc, 'a>(Children<'doc, 'a>);

impl<'doc, 'a> Iterator for ListIter<'doc, 'a> {
    type Item = Value<'doc, 'a>;

    fn next(&mut self) -> Option<Value<'doc, 'a>> {
        self.0.next()
    }
}
