//! The HTTP client: its connections, and the loop that follows redirects.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request as HyperRequest, Response as HyperResponse, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpInfo;
use hyper_util::rt::TokioTimer;
use parking_lot::RwLock;
use percent_encoding::percent_decode_str;
use rustls::crypto::ring;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::config::ClientConfig;
use crate::connect::{Connector, Guard, ThroughProxy};
use crate::error::{ErrorKind, HttpError};
use crate::http2;
use crate::policy::UrlTrust;
use crate::redirect;
use crate::request::Request;
use crate::response::{Deadline, Response};
use crate::reuse::{Answered, was_closed_meanwhile};
use crate::tasks::Tasks;

/// Idle connections that are kept open for each host and trust.
const IDLE_PER_HOST: usize = 2;
/// How long idle connections are kept: long enough for the torrents of one start-up, which announce in turns.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest head of an answer, in bytes. Over HTTP/1.1 it may have 100 headers, hyper's own limit.
const MAX_HEAD_LEN: u32 = 64 * 1024;
/// The address that stands for a host behind a proxy, whose own is unknown here. As a redirector it sees only the
/// public internet.
const UNKNOWN_HOST: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

type Transport = HyperClient<HttpsConnector<Connector>, Empty<Bytes>>;

/// An HTTP/1.1 client over TCP and TLS, and over HTTP/2 if [asked to](ClientConfig::http2).
///
/// Clones share connections; cloning costs a reference count. With the last clone, request and response, idle connections
/// are closed and their tasks end. It must be used within a tokio runtime with I/O and time.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: ClientConfig,
    tls: rustls::ClientConfig,
    /// Replaced when all connections are to end.
    connections: RwLock<Connections>,
}

/// The connections of a client, and the tasks that run them.
#[derive(Debug)]
struct Connections {
    tasks: Tasks,
    /// For first URLs, not for redirects. Each trust has connections of its own, as those of another were judged
    /// otherwise; redirects leave none behind.
    direct: [Transport; 3],
    _ends_tasks: DropGuard,
}

impl Client {
    /// A client. It opens nothing before it is used.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring's suites serve TLS 1.2 and 1.3, which are the default versions")
            .with_root_certificates(config.roots.clone())
            .with_no_client_auth();
        let connections = RwLock::new(Connections::new(&config, &tls));
        let shared = Shared {
            config,
            tls,
            connections,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Ends all connections: requests under way fail, and those that come later have new connections. For a network that has
    /// changed, on which the old ones lead nowhere.
    pub fn disconnect(&self) {
        let Shared { config, tls, .. } = &*self.shared;
        let new = Connections::new(config, tls);
        drop(std::mem::replace(
            &mut *self.shared.connections.write(),
            new,
        ));
    }

    /// A GET request for `url`, to be [sent](Request::send).
    pub fn get(&self, url: &str) -> Request {
        Request::new(self.clone(), url, self.shared.config.max_body_len)
    }

    /// Sends a request, and follows redirects.
    pub(crate) async fn execute(&self, request: Request) -> Result<Response, HttpError> {
        let config = &self.shared.config;
        let deadline = Deadline::after(config.timeout);
        let first =
            Url::parse(&request.url).map_err(|error| HttpError::unparsed(&request.url, error))?;
        let (mut url, mut trust) = (first.clone(), request.trust);
        if !matches!(url.scheme(), "http" | "https") {
            let scheme = url.scheme().to_owned();
            return Err(HttpError::new(
                &url,
                ErrorKind::UnsupportedScheme { scheme },
            ));
        }
        let mut via = Vec::new();
        loop {
            let failed = |kind| HttpError::new(&url, kind);
            // A host may take the connect timeout to connect, and then the read timeout to answer.
            let step = config.connect_timeout.saturating_add(config.read_timeout);
            let sending = self.send(&url, &request.headers, (&via, trust));
            let response = deadline.limit(step, sending).await;
            let response = response.and_then(|sent| sent).map_err(failed)?;
            let remote_ip = remote_ip(&response);
            let Some(location) = redirect::location(&response) else {
                let shared = Arc::clone(&self.shared);
                let limit = request.max_body_len;
                let from = (url, remote_ip);
                return Ok(Response::new(response, from, limit, deadline, shared));
            };
            let limit = config.max_redirects;
            if via.len() >= limit {
                return Err(failed(ErrorKind::TooManyRedirects { limit }));
            }
            let next = redirect::next_url(&url, location, config.allow_downgrade);
            url = next.map_err(failed)?;
            trust = redirect::trust(&url, &first, request.is_expected);
            via.push(remote_ip.unwrap_or(UNKNOWN_HOST));
        }
    }

    /// Sends one request to one host.
    async fn send(
        &self,
        url: &Url,
        headers: &HeaderMap,
        (via, trust): (&[IpAddr], UrlTrust),
    ) -> Result<HyperResponse<Incoming>, ErrorKind> {
        let Shared { config, tls, .. } = &*self.shared;
        let transport = {
            let connections = self.shared.connections.read();
            match via {
                [] => connections.direct(trust).clone(),
                _ => transport(config, tls, &connections.tasks, (via, trust)),
            }
        };
        loop {
            match transport.request(self.request(url, headers)?).await {
                Ok(response) => {
                    Answered::note(&response);
                    return Ok(response);
                }
                Err(error) if was_closed_meanwhile(&error) => {}
                Err(error) => {
                    let operation = match error.is_connect() {
                        true => "connect",
                        false => "ask the server",
                    };
                    return Err(ErrorKind::innermost(operation, &error));
                }
            }
        }
    }

    fn request(
        &self,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<HyperRequest<Empty<Bytes>>, ErrorKind> {
        let invalid = |reason: String| ErrorKind::InvalidUrl { reason };
        let mut bare = url.clone();
        // Credentials go into a header. Neither call fails for a URL with a host.
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        bare.set_fragment(None);
        let uri: Uri = bare
            .as_str()
            .parse()
            .map_err(|error| invalid(format!("{error}")))?;
        let config = &self.shared.config;
        let for_proxy = config.proxy.authorization(&uri);
        let mut request = HyperRequest::get(uri)
            .body(Empty::new())
            .map_err(|error| invalid(error.to_string()))?;
        let sent = request.headers_mut();
        sent.insert(header::USER_AGENT, config.user_agent.clone());
        sent.extend(headers.clone());
        if let Some(value) = authorization(url) {
            sent.insert(header::AUTHORIZATION, value);
        }
        if let Some(value) = for_proxy {
            sent.insert(header::PROXY_AUTHORIZATION, value);
        }
        Ok(request)
    }
}

impl Connections {
    fn new(config: &ClientConfig, tls: &rustls::ClientConfig) -> Self {
        let token = CancellationToken::new();
        let tasks = Tasks::new(token.clone());
        let direct = [UrlTrust::Named, UrlTrust::Plain, UrlTrust::Composed]
            .map(|trust| transport(config, tls, &tasks, (&[], trust)));
        let _ends_tasks = token.drop_guard();
        Self {
            tasks,
            direct,
            _ends_tasks,
        }
    }

    const fn direct(&self, trust: UrlTrust) -> &Transport {
        let [named, plain, composed] = &self.direct;
        match trust {
            UrlTrust::Named => named,
            UrlTrust::Plain => plain,
            UrlTrust::Composed => composed,
        }
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
        interface: config.interface.clone(),
    };
    let tcp = Connector::new(guard, config.proxy.clone(), config.connect_timeout);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls.clone())
        .https_or_http();
    // Connections of redirects carry one request each, for which HTTP/1.1 does.
    let is_kept = via.is_empty();
    let connector = match config.http2 && is_kept {
        true => connector.enable_all_versions().wrap_connector(tcp),
        false => connector.enable_http1().wrap_connector(tcp),
    };
    let mut builder = HyperClient::builder(tasks.clone());
    http2::limit(&mut builder, MAX_HEAD_LEN);
    builder
        .pool_max_idle_per_host(if is_kept { IDLE_PER_HOST } else { 0 })
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_timer(TokioTimer::new())
        .http1_max_buf_size(MAX_HEAD_LEN as usize)
        .build(connector)
}

/// The canonical address of the host that answered; unknown behind a proxy, whose own it is not.
fn remote_ip(response: &HyperResponse<Incoming>) -> Option<IpAddr> {
    let extensions = response.extensions();
    if extensions.get::<ThroughProxy>().is_some() {
        return None;
    }
    let info = extensions.get::<HttpInfo>();
    Some(info?.remote_addr().ip().to_canonical())
}

fn authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut credentials: Vec<u8> = percent_decode_str(url.username()).collect();
    credentials.push(b':');
    credentials.extend(percent_decode_str(url.password().unwrap_or_default()));
    let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
    let mut value = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}
