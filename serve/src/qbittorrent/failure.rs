//! Why a call did not do what it was asked for: a status and words, as the original's.

use axum::http::StatusCode;

use crate::control::ControlError;

/// A failure. Without words, those of its status are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) words: String,
}

impl Failure {
    fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self {
            status,
            words: words.into(),
        }
    }

    /// A parameter is missing.
    pub(super) fn missing() -> Self {
        Self::params("")
    }

    /// A parameter makes no sense.
    pub(super) fn params(words: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, words)
    }

    /// The caller may not do it.
    pub(super) fn forbidden(words: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, words)
    }

    /// A token is wrong.
    pub(super) fn unauthorized(words: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, words)
    }

    /// It is our fault.
    pub(super) fn internal(words: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, words)
    }

    /// There is no such torrent or call.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "")
    }

    /// It cannot be done as things are.
    pub(super) fn conflict(words: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, words)
    }

    /// What was sent is no .torrent file.
    pub(super) fn media_type(words: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, words)
    }

    /// It in words.
    pub(super) fn text(&self) -> &str {
        match self.words.as_str() {
            "" => self.status.canonical_reason().unwrap_or_default(),
            words => words,
        }
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        let words = error.to_string();
        match error {
            ControlError::NotFound(_) => Self::not_found(),
            ControlError::Store(_) | ControlError::Closed => Self::internal(words),
            _ => Self::conflict(words),
        }
    }
}
