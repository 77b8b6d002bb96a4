//! Why a request is not done: a status, and words for people, where TorrServer sends the status alone.

use axum::http::StatusCode;

use crate::compat::Asker;
use crate::control::ControlError;

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) reason: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
        }
    }

    /// What the client sent cannot be used.
    pub(super) fn bad(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }
}

/// Refuses what a password may not do that may only read.
pub(super) fn may_change(asker: &Asker) -> Result<(), Refused> {
    let refused = || Refused::new(StatusCode::FORBIDDEN, "this password may only read");
    asker.may_change().then_some(()).ok_or_else(refused)
}

impl From<ControlError> for Refused {
    fn from(error: ControlError) -> Self {
        let status = match &error {
            ControlError::NotFound(_) => StatusCode::NOT_FOUND,
            ControlError::Invalid(_) | ControlError::Fetch { .. } | ControlError::Folder(_) => {
                StatusCode::BAD_REQUEST
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}
