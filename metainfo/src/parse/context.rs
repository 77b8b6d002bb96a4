//! Shared state of the parser: limits, warnings, and errors that name their field.

use crate::{FieldProblem, Limits, MetainfoError, Warning};
use tailwater_bencode::{Dict, Document, Options, Value, decode_with};

pub(super) struct Context<'l> {
    pub(super) limits: &'l Limits,
    warnings: Vec<Warning>,
    omitted: usize,
    path_bytes: usize,
}

impl<'l> Context<'l> {
    pub(super) const fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            warnings: Vec::new(),
            omitted: 0,
            path_bytes: 0,
        }
    }

    /// Reads canonical bencode, or else, with a warning, bencode with one plausible meaning.
    pub(super) fn decode<'a>(&mut self, bytes: &'a [u8]) -> Result<Document<'a>, MetainfoError> {
        if bytes.len() > self.limits.len {
            return Err(MetainfoError::TooLarge {
                len: bytes.len(),
                max: self.limits.len,
            });
        }
        let mut limits = tailwater_bencode::Limits::default();
        limits.tokens = self.limits.tokens;
        // A v2 file tree nests one dictionary a directory, inside three and around one.
        limits.depth = u32::try_from(self.limits.directory_depth)
            .unwrap_or(u32::MAX)
            .saturating_add(8);
        let strict = match decode_with(bytes, &Options::strict().with_limits(limits)) {
            Ok(document) => return Ok(document),
            Err(error) => error,
        };
        let document = decode_with(bytes, &Options::lenient().with_limits(limits))?;
        self.warn(Warning::NotCanonical(strict));
        Ok(document)
    }

    pub(super) fn warn(&mut self, warning: Warning) {
        if self.warnings.len() < self.limits.warnings {
            self.warnings.push(warning);
        } else {
            self.omitted += 1;
        }
    }

    /// The warnings up to now, for the info dictionary alone.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let more = (self.omitted > 0).then_some(Warning::More(self.omitted));
        self.warnings.iter().cloned().chain(more).collect()
    }

    pub(super) fn into_warnings(mut self) -> Vec<Warning> {
        if self.omitted > 0 {
            self.warnings.push(Warning::More(self.omitted));
        }
        self.warnings
    }

    /// Counts the bytes of a path that is kept.
    pub(super) fn charge_path(&mut self, len: usize) -> Result<(), FieldProblem> {
        self.path_bytes = self.path_bytes.saturating_add(len);
        if self.path_bytes > self.limits.path_bytes {
            return Err(FieldProblem::PathBytes(self.limits.path_bytes));
        }
        Ok(())
    }

    /// An optional field; where `read` finds it unusable, there is a warning and the field counts as absent.
    pub(super) fn optional<'d, 'a, T>(
        &mut self,
        at: &Node<'d, 'a, '_>,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(Value<'d, 'a>) -> Option<T>,
    ) -> Option<T> {
        let value = at.dict.get(key)?;
        let result = read(value);
        if result.is_none() {
            self.ignored(at.field(key), value, expected);
        }
        result
    }

    pub(super) fn ignored(&mut self, field: String, value: Value<'_, '_>, expected: &'static str) {
        self.warn(Warning::Ignored {
            field,
            offset: value.span().start,
            expected,
        });
    }
}

/// A dictionary and its path, for messages.
#[derive(Clone, Copy)]
pub(super) struct Node<'d, 'a, 'p> {
    pub(super) dict: Dict<'d, 'a>,
    pub(super) path: &'p str,
}

impl<'d, 'a> Node<'d, 'a, '_> {
    pub(super) fn field(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(super) fn missing(&self, key: &str) -> MetainfoError {
        MetainfoError::Missing {
            field: self.field(key),
        }
    }

    /// An error about the value of `key`, or about the dictionary where the key is absent.
    pub(super) fn error(&self, key: &str, problem: FieldProblem) -> MetainfoError {
        let value = self.dict.get(key).unwrap_or(self.dict.as_value());
        error_at(self.field(key), value, problem)
    }

    pub(super) fn required<T>(
        &self,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(Value<'d, 'a>) -> Option<T>,
    ) -> Result<T, MetainfoError> {
        let value = self.dict.get(key).ok_or_else(|| self.missing(key))?;
        read(value).ok_or_else(|| self.error(key, FieldProblem::NotA(expected)))
    }

    /// A required number that is not below 0.
    pub(super) fn required_u64(&self, key: &str) -> Result<u64, MetainfoError> {
        let number = self.required(key, "a number", Value::as_int)?;
        u64::try_from(number).map_err(|_| self.error(key, FieldProblem::Negative(number)))
    }
}

pub(super) fn error_at(
    field: String,
    value: Value<'_, '_>,
    problem: FieldProblem,
) -> MetainfoError {
    MetainfoError::Field {
        field,
        offset: value.span().start,
        problem,
    }
}
