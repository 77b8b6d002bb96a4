//! Requests over HTTP and HTTPS.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpInfo;
use hyper_util::rt::TokioTimer;
use rustls::crypto::ring;
use url::Url;

use super::body;
use super::config::ClientConfig;
use super::connect::{Connector, Guard};
use super::tasks::Tasks;
use crate::error::TrackerError;

/// Connections kept open for each tracker. Torrents that share one announce in turns.
const IDLE_PER_HOST: usize = 2;
/// How long they are kept: long enough for the torrents of one start-up.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// What an answer's head may take, in bytes.
const MAX_HEAD_LEN: usize = 64 * 1024;

type Transport = HyperClient<HttpsConnector<Connector>, Empty<Bytes>>;

/// An answer with a status other than a redirect's.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Http {
    config: Arc<ClientConfig>,
    tls: rustls::ClientConfig,
    tasks: Tasks,
    /// For URLs as the user wrote them. Redirects never use its connections: those were checked
    /// without regard to who redirected.
    direct: Transport,
}

impl Http {
    pub(super) fn new(config: Arc<ClientConfig>, tasks: Tasks) -> Self {
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring's suites serve TLS 1.2 and 1.3, which are the default versions")
            .with_root_certificates(config.roots().clone())
            .with_no_client_auth();
        let direct = transport(&config, &tls, &tasks, &[]);
        Self {
            config,
            tls,
            tasks,
            direct,
        }
    }

    /// Gets `url` within the configured time, size and number of redirects.
    pub(super) async fn get(&self, url: &str) -> Result<Answer, TrackerError> {
        let after = self.config.http_timeout;
        let following = self.follow(url);
        tokio::time::timeout(after, following)
            .await
            .unwrap_or(Err(TrackerError::Timeout { after }))
    }

    async fn follow(&self, url: &str) -> Result<Answer, TrackerError> {
        let invalid = |error: url::ParseError| TrackerError::InvalidUrl {
            reason: error.to_string(),
        };
        let mut url = Url::parse(url).map_err(invalid)?;
        let mut via = Vec::new();
        loop {
            let response = self.send(&url, &via).await?;
            let Some(location) = redirect(&response) else {
                let limit = self.config.max_response_len;
                let status = response.status();
                let body = body::read(response.into_body(), limit).await?;
                return Ok(Answer {
                    status,
                    body: body::decompress(body, limit)?,
                });
            };
            let limit = self.config.max_redirects;
            if via.len() >= limit {
                return Err(TrackerError::TooManyRedirects { limit });
            }
            url = url.join(location).map_err(invalid)?;
            if !matches!(url.scheme(), "http" | "https") {
                return Err(TrackerError::UnsupportedScheme {
                    scheme: url.scheme().to_owned(),
                });
            }
            via.push(remote(&response)?);
        }
    }

    async fn send(&self, url: &Url, via: &[IpAddr]) -> Result<Response<Incoming>, TrackerError> {
        let request = self.request(url)?;
        let sent = match via {
            [] => self.direct.request(request).await,
            _ => {
                transport(&self.config, &self.tls, &self.tasks, via)
                    .request(request)
                    .await
            }
        };
        sent.map_err(|error| {
            let operation = if error.is_connect() {
                "connect"
            } else {
                "ask the tracker"
            };
            http_error(operation, &error)
        })
    }

    fn request(&self, url: &Url) -> Result<Request<Empty<Bytes>>, TrackerError> {
        let invalid = |reason: String| TrackerError::InvalidUrl { reason };
        let mut bare = url.clone();
        // Credentials go into a header. Neither call fails for a URL with a host.
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        bare.set_fragment(None);
        let uri: Uri = bare
            .as_str()
            .parse()
            .map_err(|error| invalid(format!("{error}")))?;
        let mut request = Request::get(uri)
            .header(header::USER_AGENT, &self.config.user_agent)
            .header(header::ACCEPT_ENCODING, "gzip");
        if let Some(value) = authorization(url) {
            request = request.header(header::AUTHORIZATION, value);
        }
        request
            .body(Empty::new())
            .map_err(|error| invalid(error.to_string()))
    }
}

fn transport(
    config: &ClientConfig,
    tls: &rustls::ClientConfig,
    tasks: &Tasks,
    via: &[IpAddr],
) -> Transport {
    let guard = Guard {
        policy: config.address_policy.clone(),
        via: via.into(),
    };
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls.clone())
        .https_or_http()
        .enable_http1()
        // Half the time, so that an address which swallows packets leaves some for the next.
        .wrap_connector(Connector::new(guard, config.http_timeout / 2));
    HyperClient::builder(tasks.clone())
        .pool_max_idle_per_host(if via.is_empty() { IDLE_PER_HOST } else { 0 })
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_timer(TokioTimer::new())
        .http1_max_buf_size(MAX_HEAD_LEN)
        .build(connector)
}

/// Where a response redirects to.
fn redirect(response: &Response<Incoming>) -> Option<&str> {
    match response.status() {
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => response.headers().get(header::LOCATION)?.to_str().ok(),
        _ => None,
    }
}

fn remote(response: &Response<Incoming>) -> Result<IpAddr, TrackerError> {
    let info = response.extensions().get::<HttpInfo>();
    // Without it the policy could not be asked, so the redirect is not followed.
    let unknown = || TrackerError::malformed("a redirect by an unknown address");
    Ok(info.ok_or_else(unknown)?.remote_addr().ip())
}

fn authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| crate::http::percent_decode(text);
    let mut credentials = decoded(url.username());
    credentials.push(b':');
    credentials.extend(decoded(url.password().unwrap_or_default()));
    let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
    let mut value = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The error of ours or of the system that is at the bottom of one of hyper's.
pub(super) fn http_error(operation: &'static str, error: &(dyn Error + 'static)) -> TrackerError {
    let mut kind = io::ErrorKind::Other;
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(ours) = error.downcast_ref::<TrackerError>() {
            return ours.clone();
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            kind = error.kind();
        }
        // What stands above it only repeats that a request failed.
        message = error.to_string();
        cause = error.source();
    }
    TrackerError::Io {
        operation,
        kind,
        message,
    }
}
