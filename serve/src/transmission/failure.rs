//! Why a method did not do what it was asked for.

use serde_json::{Map, Value};

use crate::control::ControlError;

/// What kind of failure it is: the codes of JSON-RPC 2.0, and those of Transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Parse,
    Request,
    Method,
    Params,
    Internal,
    AnnounceList,
    TrackerList,
    RelativePath,
    UnrecognizedInfo,
    System,
    FileIndex,
    Http,
    CorruptTorrent,
}

impl Kind {
    pub(super) const fn code(self) -> i32 {
        match self {
            Self::Parse => -32_700,
            Self::Request => -32_600,
            Self::Method => -32_601,
            Self::Params => -32_602,
            Self::Internal => -32_603,
            Self::AnnounceList => 1,
            Self::TrackerList => 2,
            Self::RelativePath => 3,
            Self::UnrecognizedInfo => 4,
            Self::System => 5,
            Self::FileIndex => 6,
            Self::Http => 8,
            Self::CorruptTorrent => 9,
        }
    }

    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::Parse => "Parse error",
            Self::Request => "Invalid Request",
            Self::Method => "Method not found",
            Self::Params => "Invalid params",
            Self::Internal => "Internal error",
            Self::AnnounceList => "error setting announce list",
            Self::TrackerList => "Invalid tracker list",
            Self::RelativePath => "path is not absolute",
            Self::UnrecognizedInfo => "unrecognized info",
            Self::System => "system error",
            Self::FileIndex => "file index out of range",
            Self::Http => "HTTP error from backend service",
            Self::CorruptTorrent => "invalid or corrupt torrent file",
        }
    }
}

/// A failure, with what is said of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    /// More than the kind says; may be empty.
    pub(super) detail: String,
    /// What is answered all the same.
    pub(super) result: Map<String, Value>,
}

impl Failure {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            result: Map::new(),
        }
    }

    pub(super) fn params(detail: impl Into<String>) -> Self {
        Self::new(Kind::Params, detail)
    }

    pub(super) fn with(mut self, result: Map<String, Value>) -> Self {
        self.result = result;
        self
    }

    /// It in words: those of legacy answers.
    pub(super) fn words(&self) -> &str {
        match self.detail.as_str() {
            "" => self.kind.message(),
            detail => detail,
        }
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        let kind = match &error {
            ControlError::Invalid(_) => Kind::Params,
            ControlError::Fetch { .. } => Kind::Http,
            ControlError::Folder(_) | ControlError::Store(_) | ControlError::Torrent(_) => {
                Kind::System
            }
            _ => Kind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}
