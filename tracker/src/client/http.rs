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
use super::policy::UrlTrust;
use super::tasks::Tasks;
use crate::error::TrackerError;

/// Connections kept open for each tracker. Torrents that share one announce in turns.
const IDLE_PER_HOST: usize = 2;
/// How long they are kept: long enough for the torrents of one start-up.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// What an answer's head may take, in bytes.
const MAX_HEAD_LEN: usize = 64 * 1024;

type Transport = HyperClient<HttpsConnector<Connector>, Empty<Bytes>>;

/// What is asked.
pub(super) struct Question<'a> {
    /// The URL, with all parameters.
    pub(super) url: &'a str,
    pub(super) trust: UrlTrust,
    /// Whether a path is one that requests of this kind have.
    pub(super) is_expected: fn(&str) -> bool,
}

/// An answer with a status other than a redirect's.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Whose it is.
    pub(super) from: Option<IpAddr>,
    pub(super) body: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Http {
    config: Arc<ClientConfig>,
    tls: rustls::ClientConfig,
    tasks: Tasks,
    /// For first URLs, not for redirects. Each trust has connections of its own, as those of another were judged
    /// otherwise; redirects leave none behind.
    direct: [Transport; 3],
}

impl Http {
    pub(super) fn new(config: Arc<ClientConfig>, tasks: Tasks) -> Self {
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring's suites serve TLS 1.2 and 1.3, which are the default versions")
            .with_root_certificates(config.roots().clone())
            .with_no_client_auth();
        let direct = [UrlTrust::Named, UrlTrust::Plain, UrlTrust::Composed]
            .map(|trust| transport(&config, &tls, &tasks, (&[], trust)));
        Self {
            config,
            tls,
            tasks,
            direct,
        }
    }

    /// Asks within the configured time, size and number of redirects.
    pub(super) async fn get(&self, question: &Question<'_>) -> Result<Answer, TrackerError> {
        let after = self.config.http_timeout;
        let following = self.follow(question);
        tokio::time::timeout(after, following)
            .await
            .unwrap_or(Err(TrackerError::Timeout { after }))
    }

    async fn follow(&self, question: &Question<'_>) -> Result<Answer, TrackerError> {
        let invalid = |error: url::ParseError| TrackerError::InvalidUrl {
            reason: error.to_string(),
        };
        let first = Url::parse(question.url).map_err(invalid)?;
        let (mut url, mut trust) = (first.clone(), question.trust);
        let mut via = Vec::new();
        loop {
            let response = self.send(&url, &via, trust).await?;
            let Some(location) = redirect(&response) else {
                let limit = self.config.max_response_len;
                let (status, from) = (response.status(), remote(&response));
                let body = body::read(response.into_body(), limit).await?;
                return Ok(Answer {
                    status,
                    from,
                    body: body::decompress(body, limit)?,
                });
            };
            let limit = self.config.max_redirects;
            if via.len() >= limit {
                return Err(TrackerError::TooManyRedirects { limit });
            }
            url = next_url(&url, location)?;
            trust = trust_in_redirect(&url, &first, question.is_expected);
            // Without its address the policy could not be asked, so the redirect is not followed.
            let unknown = || TrackerError::malformed("a redirect by an unknown address");
            via.push(remote(&response).ok_or_else(unknown)?);
        }
    }

    async fn send(
        &self,
        url: &Url,
        via: &[IpAddr],
        trust: UrlTrust,
    ) -> Result<Response<Incoming>, TrackerError> {
        let request = self.request(url)?;
        let sent = match via {
            [] => {
                let [named, plain, composed] = &self.direct;
                let direct = match trust {
                    UrlTrust::Named => named,
                    UrlTrust::Plain => plain,
                    UrlTrust::Composed => composed,
                };
                direct.request(request).await
            }
            _ => {
                transport(&self.config, &self.tls, &self.tasks, (via, trust))
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
    (via, trust): (&[IpAddr], UrlTrust),
) -> Transport {
    let guard = Guard {
        policy: config.address_policy.clone(),
        via: via.into(),
        trust,
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

/// Where a redirect from `url` leads, if it may.
fn next_url(url: &Url, location: &str) -> Result<Url, TrackerError> {
    let next = url
        .join(location)
        .map_err(|error| TrackerError::InvalidUrl {
            reason: error.to_string(),
        })?;
    match (url.scheme(), next.scheme()) {
        // Passkeys, and which torrents a user has, would travel in clear.
        ("https", "http") => Err(TrackerError::InsecureRedirect {
            host: next.host_str().unwrap_or_default().to_owned(),
        }),
        (_, "http" | "https") => Ok(next),
        (_, other) => Err(TrackerError::UnsupportedScheme {
            scheme: other.to_owned(),
        }),
    }
}

/// A redirect's URL is a stranger's, also where the user named the first one. It may repeat the query that we sent.
fn trust_in_redirect(url: &Url, first: &Url, is_expected: fn(&str) -> bool) -> UrlTrust {
    let mut own = url.clone();
    if own.query() == first.query() {
        own.set_query(None);
    }
    UrlTrust::of_stranger(&own, is_expected)
}

/// The address that an answer came from, canonical.
fn remote(response: &Response<Incoming>) -> Option<IpAddr> {
    let info = response.extensions().get::<HttpInfo>();
    Some(info?.remote_addr().ip().to_canonical())
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
        // What stands above it only repeats that a request failed.
        message = error.to_string();
        if let Some(error) = error.downcast_ref::<io::Error>() {
            kind = error.kind();
            message = tailwater_types::system::message(error);
        }
        cause = error.source();
    }
    TrackerError::Io {
        operation,
        kind,
        message,
    }
}
