//! Judges the answers of a web seed.

use std::time::Duration;

use tailwater_http::{ErrorKind, HttpError, Response, StatusCode, header};

use super::source::Protocol;

/// The longest time that a server may have us wait (`Retry-After`).
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// Why a web seed did not answer with what was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The torrent needs it no more.
    LetGo,
    /// It may work later: a time that the server named, or the back-off's.
    Later {
        reason: String,
        after: Option<Duration>,
    },
    /// It does not have this file, or another one of this name.
    NoFile { file: usize, reason: String },
    /// It answers wrongly, which may be a mishap.
    Wrong(String),
    /// It will not work.
    Useless(String),
}

/// The bytes of a resource that were asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) protocol: Protocol,
    /// The file that they are of; the first one in a BEP 17 query.
    pub(crate) file: usize,
    pub(crate) file_len: u64,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl Failure {
    /// The failure of a request that was not answered, or whose answer broke off.
    pub(crate) fn of(error: &HttpError) -> Self {
        let reason = error.kind().to_string();
        match error.kind() {
            ErrorKind::InvalidUrl { .. }
            | ErrorKind::UnsupportedScheme { .. }
            | ErrorKind::AddressRefused { .. }
            | ErrorKind::AddressFiltered { .. }
            | ErrorKind::UrlRefused { .. }
            | ErrorKind::TooManyRedirects { .. }
            | ErrorKind::InsecureRedirect { .. } => Self::Useless(reason),
            ErrorKind::TooLong { .. } => Self::Wrong(reason),
            _ => Self::Later {
                reason,
                after: None,
            },
        }
    }
}

impl Asked {
    /// Judges the head of an answer: whether its body is what was asked for.
    pub(crate) fn judge(&self, response: &Response) -> Result<(), Failure> {
        let status = response.status();
        match status {
            StatusCode::PARTIAL_CONTENT | StatusCode::OK => {}
            StatusCode::NOT_FOUND
            | StatusCode::GONE
            | StatusCode::FORBIDDEN
            | StatusCode::RANGE_NOT_SATISFIABLE => return Err(self.no_file(status.to_string())),
            StatusCode::UNAUTHORIZED => return Err(Failure::Useless(status.to_string())),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                return Err(later(status, response));
            }
            _ if status.is_server_error() => return Err(later(status, response)),
            _ => return Err(Failure::Wrong(status.to_string())),
        }
        let encoding = response.header(header::CONTENT_ENCODING);
        if let Some(encoding) = encoding.filter(|it| !it.eq_ignore_ascii_case("identity")) {
            let reason = format!("it compresses its answers ({encoding:?})");
            return Err(Failure::Useless(reason));
        }
        match status {
            StatusCode::PARTIAL_CONTENT => self.judge_range(response)?,
            _ => self.judge_whole(response)?,
        }
        match response.content_length() {
            Some(len) if len != self.len => Err(Failure::Wrong(format!(
                "it answers with {len} bytes and not {}",
                self.len
            ))),
            _ => Ok(()),
        }
    }

    fn judge_range(&self, response: &Response) -> Result<(), Failure> {
        let Some(range) = response.content_range() else {
            let reason = "it does not say which range it answers with".to_owned();
            return Err(Failure::Wrong(reason));
        };
        if let Some(total) = range.total.filter(|total| *total != self.file_len)
            && self.protocol == Protocol::Files
        {
            let expected = self.file_len;
            return Err(self.no_file(format!("its file has {total} bytes and not {expected}")));
        }
        let last = self.offset + self.len - 1;
        match (range.first, range.last) == (self.offset, last) {
            true => Ok(()),
            false => Err(Failure::Wrong(format!(
                "it answers with bytes {} to {} and not {} to {last}",
                range.first, range.last, self.offset
            ))),
        }
    }

    /// An answer with 200: what a script is asked for (BEP 17), or the whole file.
    fn judge_whole(&self, response: &Response) -> Result<(), Failure> {
        let is_all = self.offset == 0 && self.len == self.file_len;
        let actual = response.content_length();
        match self.protocol {
            Protocol::Query => Ok(()),
            Protocol::Files if !is_all => {
                let reason = "its server does not support ranges".to_owned();
                Err(Failure::Useless(reason))
            }
            Protocol::Files => match actual {
                Some(len) if len != self.file_len => {
                    let expected = self.file_len;
                    Err(self.no_file(format!("its file has {len} bytes and not {expected}")))
                }
                _ => Ok(()),
            },
        }
    }

    fn no_file(&self, reason: String) -> Failure {
        match self.protocol {
            Protocol::Files => Failure::NoFile {
                file: self.file,
                reason,
            },
            Protocol::Query => Failure::Wrong(reason),
        }
    }
}

fn later(status: StatusCode, response: &Response) -> Failure {
    let seconds = response.header(header::RETRY_AFTER);
    // A date is answered by the back-off.
    let seconds = seconds.and_then(|value| value.trim().parse().ok());
    Failure::Later {
        reason: status.to_string(),
        after: seconds.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER)),
    }
}
