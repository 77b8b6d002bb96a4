//! The client of a daemon's API.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
pub(super) use hyper::Method;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tailwater_serve::tls::ClientTls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::error::{DaemonFailure, plain};

/// The longest answer that is read, in bytes: a list of all torrents.
const MAX_ANSWER_LEN: usize = 256 * 1024 * 1024;
/// How long to wait for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait for an answer: the daemon may have to fetch a URL first.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// A daemon's API.
pub(super) struct Api {
    /// Without a slash at its end.
    url: String,
    /// The host alone, which its certificate has to name.
    name: String,
    /// Host and port, for connections and the header.
    host: String,
    token: Option<HeaderValue>,
    tls: Option<ClientTls>,
}

/// The body of a request: its type and its bytes.
pub(super) type Content = (&'static str, Vec<u8>);

/// JSON as a body.
pub(super) fn json(value: &Value) -> Content {
    ("application/json", value.to_string().into_bytes())
}

impl Api {
    pub(super) fn new(
        url: &str,
        token: Option<&str>,
        authorities: Option<&Path>,
    ) -> Result<Self, DaemonFailure> {
        let wrong = || DaemonFailure::Address(url.to_owned());
        let parsed: Url = url.parse().map_err(|_| wrong())?;
        let port = parsed.port_or_known_default().ok_or_else(wrong)?;
        let host = parsed.host().ok_or_else(wrong)?;
        if !matches!(parsed.path(), "" | "/") {
            return Err(wrong());
        }
        let tls = match parsed.scheme() {
            "http" => None,
            "https" => Some(ClientTls::new(authorities)?),
            _ => return Err(wrong()),
        };
        let token = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}")));
        let mut token = token.transpose().map_err(|_| DaemonFailure::Refused {
            status: 401,
            detail: "the token is wrong".to_owned(),
        })?;
        if let Some(token) = &mut token {
            token.set_sensitive(true);
        }
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            name: host.to_string(),
            host: format!("{host}:{port}"),
            token,
            tls,
        })
    }

    /// Asks, and reads the answer; `Null` if it has none.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        content: Option<Content>,
    ) -> Result<Value, DaemonFailure> {
        let answering = async {
            let response = self.open(method, path, content).await?;
            let body = Limited::new(response.into_body(), MAX_ANSWER_LEN);
            let body = body.collect().await;
            body.map_err(|error| self.strange(error.to_string()))
        };
        let answer = timeout(ANSWER_WITHIN, answering).await;
        let answer = answer.map_err(|_| self.unreachable("it does not answer".to_owned()))??;
        let bytes = answer.to_bytes();
        match bytes.is_empty() {
            true => Ok(Value::Null),
            false => {
                serde_json::from_slice(&bytes).map_err(|error| self.strange(error.to_string()))
            }
        }
    }

    /// Asks, and returns the answer with its body still to come.
    pub(super) async fn open(
        &self,
        method: Method,
        path: &str,
        content: Option<Content>,
    ) -> Result<Response<Incoming>, DaemonFailure> {
        let connecting = timeout(CONNECT_WITHIN, self.connect()).await;
        let mut sender =
            connecting.map_err(|_| self.unreachable("it does not answer".to_owned()))??;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        let mut body = Bytes::new();
        if let Some((content_type, bytes)) = content {
            request = request.header(CONTENT_TYPE, content_type);
            body = bytes.into();
        }
        let request = request.body(Full::new(body));
        let request = request.map_err(|error| self.strange(error.to_string()))?;
        let response = sender.send_request(request).await;
        let response = response.map_err(|error| self.unreachable(error.to_string()))?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(self.refused(response).await),
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, DaemonFailure> {
        let failed = |error: io::Error| self.unreachable(plain(&error).to_string());
        let stream = TcpStream::connect(&self.host).await.map_err(failed)?;
        match &self.tls {
            None => self.converse(stream).await,
            Some(tls) => {
                let stream = tls.connect(&self.name, stream).await;
                self.converse(stream.map_err(failed)?).await
            }
        }
    }

    async fn converse(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<SendRequest<Full<Bytes>>, DaemonFailure> {
        let connected = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) =
            connected.map_err(|error| self.unreachable(error.to_string()))?;
        // It ends with the body of the answer; an error is seen there.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    /// What a problem document says.
    async fn refused(&self, response: Response<Incoming>) -> DaemonFailure {
        /// The longest problem document.
        const MAX_LEN: usize = 64 * 1024;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_LEN).collect().await;
        let bytes = body.map(http_body_util::Collected::to_bytes);
        let problem: Option<Value> = bytes
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let detail = problem.and_then(|problem| Some(problem["detail"].as_str()?.to_owned()));
        match detail {
            Some(detail) => DaemonFailure::Refused {
                status: status.as_u16(),
                detail: crate::out::Harmless(&detail).to_string(),
            },
            None => self.strange(status.to_string()),
        }
    }

    fn unreachable(&self, reason: String) -> DaemonFailure {
        let url = self.url.clone();
        DaemonFailure::Unreachable { url, reason }
    }

    pub(super) fn strange(&self, reason: String) -> DaemonFailure {
        let url = self.url.clone();
        DaemonFailure::Strange { url, reason }
    }
}

/// A text as a part of a query.
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A text as a part of a path.
pub(super) fn encoded_path(text: &str) -> String {
    encoded(text).replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_of_a_server_is_taken() {
        let host = |url: &str| Api::new(url, None, None).map(|api| api.host);
        assert_eq!(host("http://127.0.0.1:7870").unwrap(), "127.0.0.1:7870");
        assert_eq!(host("http://nas.local/").unwrap(), "nas.local:80");
        assert_eq!(host("https://nas.local").unwrap(), "nas.local:443");
        assert_eq!(host("http://[::1]:7870").unwrap(), "[::1]:7870");
        for url in ["", "nas", "ftp://a", "http://a/b", "file:///a", "7870"] {
            assert!(host(url).is_err(), "{url}");
        }
        assert!(Api::new("http://a", Some("a\nb"), None).is_err());
        assert_eq!(encoded("a b&c"), "a+b%26c");
        assert_eq!(encoded_path("a b/c+"), "a%20b%2Fc%2B");
    }
}
