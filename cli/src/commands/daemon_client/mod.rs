//! The client of a daemon's API.

pub(crate) mod events;
mod source;

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
pub(crate) use hyper::Method;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tailwater_serve::tls::ClientTls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

pub(crate) use source::{source_body, source_fields};

use crate::error::{DaemonFailure, plain};

/// The longest answer that is read, in bytes: a list of all torrents.
const MAX_ANSWER_LEN: usize = 256 * 1024 * 1024;
/// How long to wait for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait for an answer: the daemon may have to fetch a URL first.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// A daemon's API.
pub(crate) struct Api {
    /// Without a slash at its end.
    url: String,
    /// The host alone, which its certificate has to name.
    name: String,
    /// Host and port, for connections and the header.
    host: String,
    token: Option<HeaderValue>,
    tls: Option<ClientTls>,
    /// A connection that waits for the next request.
    idle: Mutex<Option<Sender>>,
}

/// A connection to a daemon.
type Sender = SendRequest<Full<Bytes>>;

/// The body of a request: its type and its bytes.
pub(crate) type Content = (&'static str, Vec<u8>);

/// JSON as a body.
pub(crate) fn json(value: &Value) -> Content {
    ("application/json", value.to_string().into_bytes())
}

impl Api {
    pub(crate) fn new(
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
            idle: Mutex::new(None),
        })
    }

    /// The address, as it was named.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The same daemon, over connections of its own: for a task that asks while another waits.
    pub(crate) fn another(&self) -> Self {
        Self {
            url: self.url.clone(),
            name: self.name.clone(),
            host: self.host.clone(),
            token: self.token.clone(),
            tls: self.tls.clone(),
            idle: Mutex::default(),
        }
    }

    /// Asks, and reads the answer; `Null` if it has none.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        content: Option<Content>,
    ) -> Result<Value, DaemonFailure> {
        let bytes = self.answer(method, path, content).await?;
        match bytes.is_empty() {
            true => Ok(Value::Null),
            false => self.read(&bytes),
        }
    }

    /// Reads something of this type.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, DaemonFailure> {
        self.read(&self.answer(Method::GET, path, None).await?)
    }

    fn read<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, DaemonFailure> {
        serde_json::from_slice(bytes).map_err(|error| self.strange(error.to_string()))
    }

    /// Asks over the connection that is idle, if there is one, and keeps the connection for the next request.
    async fn answer(
        &self,
        method: Method,
        path: &str,
        content: Option<Content>,
    ) -> Result<Bytes, DaemonFailure> {
        let answering = async {
            let (response, sender) = self.exchange(method, path, content).await?;
            let body = Limited::new(response.into_body(), MAX_ANSWER_LEN);
            let body = body.collect().await;
            let body = body.map_err(|error| self.strange(error.to_string()))?;
            *self.idle.lock() = Some(sender).filter(|sender| !sender.is_closed());
            Ok(body.to_bytes())
        };
        let answer = timeout(ANSWER_WITHIN, answering).await;
        answer.map_err(|_| self.unreachable("it does not answer".to_owned()))?
    }

    /// Asks, and returns the answer with its body still to come.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        content: Option<Content>,
    ) -> Result<Response<Incoming>, DaemonFailure> {
        let sender = self.connect_in_time().await?;
        let request = self.request(method, path, content)?;
        Ok(self.send(sender, request).await?.0)
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        content: Option<Content>,
    ) -> Result<(Response<Incoming>, Sender), DaemonFailure> {
        let request = self.request(method, path, content)?;
        let idle = self.idle.lock().take().filter(|idle| !idle.is_closed());
        let Some(mut idle) = idle else {
            return self.send(self.connect_in_time().await?, request).await;
        };
        // The server may close an idle connection at any time. A request that changes nothing is sent again then; of any
        // other only one that was not sent at all.
        let again = (request.method() == Method::GET).then(|| request.clone());
        let unsent = match idle.try_send_request(request).await {
            Ok(response) => return Ok((self.judge(response).await?, idle)),
            Err(mut failed) => match failed.take_message().or(again) {
                Some(request) => request,
                None => return Err(self.unreachable(failed.into_error().to_string())),
            },
        };
        self.send(self.connect_in_time().await?, unsent).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        content: Option<Content>,
    ) -> Result<Request<Full<Bytes>>, DaemonFailure> {
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
        request.map_err(|error| self.strange(error.to_string()))
    }

    async fn send(
        &self,
        mut sender: Sender,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Sender), DaemonFailure> {
        let response = sender.send_request(request).await;
        let response = response.map_err(|error| self.unreachable(error.to_string()))?;
        Ok((self.judge(response).await?, sender))
    }

    async fn judge(
        &self,
        response: Response<Incoming>,
    ) -> Result<Response<Incoming>, DaemonFailure> {
        match response.status().is_success() {
            true => Ok(response),
            false => Err(self.refused(response).await),
        }
    }

    async fn connect_in_time(&self) -> Result<Sender, DaemonFailure> {
        let connected = timeout(CONNECT_WITHIN, self.connect()).await;
        connected.map_err(|_| self.unreachable("it does not answer".to_owned()))?
    }

    async fn connect(&self) -> Result<Sender, DaemonFailure> {
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
    ) -> Result<Sender, DaemonFailure> {
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

    pub(crate) fn strange(&self, reason: String) -> DaemonFailure {
        let url = self.url.clone();
        DaemonFailure::Strange { url, reason }
    }
}

/// A text as a part of a query.
pub(crate) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A text as a part of a path.
pub(crate) fn encoded_path(text: &str) -> String {
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
