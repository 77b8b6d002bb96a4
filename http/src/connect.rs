//! Connects, only to addresses that the policy allows.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tailwater_types::interface::Interface;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::error::ErrorKind;
use crate::policy::{AddressPolicy, UrlTrust};
use crate::proxy::{Proxy, Way, socks_address, with_port};
use crate::reuse::Answered;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The address policy, applied to one hop.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    pub(crate) policy: AddressPolicy,
    /// The addresses that redirected here.
    pub(crate) via: Arc<[IpAddr]>,
    /// How far the URL is trusted.
    pub(crate) trust: UrlTrust,
    /// The interface that connections are bound to.
    pub(crate) interface: Option<Interface>,
}

impl AddressPolicy {
    /// Resolves a host name, and leaves out the addresses that the policy forbids.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the name has no address; [`ErrorKind::AddressRefused`] or [`ErrorKind::UrlRefused`] if none of
    /// its addresses is allowed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets the answer; the system's resolver goes on until its own deadline.
    pub async fn resolve(
        &self,
        host: &str,
        port: u16,
        trust: UrlTrust,
    ) -> Result<Vec<SocketAddr>, ErrorKind> {
        let guard = Guard {
            policy: self.clone(),
            via: [].into(),
            trust,
            interface: None,
        };
        guard.resolve(host, port).await
    }
}

impl Guard {
    /// The addresses of a host that the policy allows.
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ErrorKind> {
        let resolved = tokio::net::lookup_host((host, port)).await;
        let resolved = resolved.map_err(|error| ErrorKind::io("resolve host", &error))?;
        let (resolved, beyond): (Vec<_>, Vec<_>) =
            resolved.partition(|address| self.reach(address.ip()).is_ok());
        if let ([], Some(address)) = (&*resolved, beyond.first()) {
            self.reach(address.ip())?;
        }
        let resolved = resolved.into_iter();
        let (allowed, refused): (Vec<_>, Vec<_>) =
            resolved.partition(|address| self.allows(address.ip()));
        match (allowed.is_empty(), refused.first()) {
            (true, Some(address)) => Err(self.refusal(address.ip())),
            _ => Ok(allowed),
        }
    }

    /// Whether the interface can send to an address: it has one of that family.
    fn reach(&self, address: IpAddr) -> Result<(), ErrorKind> {
        let any: IpAddr = match address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let local = (self.interface.as_ref()).map(|interface| interface.local((any, 0).into()));
        let local = local.transpose();
        local.map_err(|error| ErrorKind::io("connect", &error))?;
        Ok(())
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.policy.allows(address, &self.via, self.trust)
    }

    /// Why an address is refused: because of the URL, if another one would be allowed there.
    fn refusal(&self, address: IpAddr) -> ErrorKind {
        if self.policy.is_filtered(address) {
            return ErrorKind::AddressFiltered { address };
        }
        let is_by_url = self.policy.allows(address, &self.via, UrlTrust::Plain);
        match is_by_url && self.trust == UrlTrust::Composed {
            true => ErrorKind::UrlRefused { address },
            false => ErrorKind::AddressRefused { address },
        }
    }

    fn check_literal(&self, uri: &Uri) -> Result<(), ErrorKind> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse() {
            Ok(address) if !self.allows(address) => Err(self.refusal(address)),
            Ok(address) => self.reach(address),
            Err(_) => Ok(()),
        }
    }
}

/// Resolves names for hyper's connector.
#[derive(Clone, Debug)]
pub(crate) struct Resolver(Guard);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ErrorKind;
    type Future = BoxFuture<Result<Self::Response, ErrorKind>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ErrorKind>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guard = self.0.clone();
        // The connector puts the URL's port in.
        Box::pin(async move { Ok(guard.resolve(name.as_str(), 0).await?.into_iter()) })
    }
}

/// hyper's connector behind the policy and the proxy. Addresses written in the URL do not pass through the resolver, so
/// they are checked here.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    guard: Guard,
    proxy: Proxy,
    direct: HttpConnector<Resolver>,
    /// The connector to a proxy. The user chose the proxy: the policy has no say in its address.
    to_proxy: HttpConnector,
}

impl Connector {
    pub(crate) fn new(guard: Guard, proxy: Proxy, connect_timeout: Duration) -> Self {
        let direct = HttpConnector::new_with_resolver(Resolver(guard.clone()));
        let to_proxy = HttpConnector::new_with_resolver(GaiResolver::new());
        Self {
            guard,
            proxy,
            direct: prepared(direct, connect_timeout),
            to_proxy: prepared(to_proxy, connect_timeout),
        }
    }
}

fn prepared<R>(mut connector: HttpConnector<R>, timeout: Duration) -> HttpConnector<R> {
    // TLS comes on top of it.
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(timeout));
    connector.set_nodelay(true);
    connector
}

/// The connector, with its connections bound to the interface as it is now.
fn bound<R>(
    mut connector: HttpConnector<R>,
    interface: Option<&Interface>,
) -> Result<HttpConnector<R>, ErrorKind> {
    let Some(interface) = interface else {
        return Ok(connector);
    };
    let device = interface.device();
    let device = device.map_err(|error| ErrorKind::io("connect", &error))?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(device) = &device {
        connector.set_interface(device);
    }
    let local = |any: SocketAddr| interface.local(any).ok().map(|local| local.ip());
    let v4 = local((Ipv4Addr::UNSPECIFIED, 0).into()).filter(|ip| !ip.is_unspecified());
    let v6 = local((Ipv6Addr::UNSPECIFIED, 0).into()).filter(|ip| !ip.is_unspecified());
    match (v4, v6) {
        (Some(IpAddr::V4(v4)), Some(IpAddr::V6(v6))) => connector.set_local_addresses(v4, v6),
        (v4, v6) => connector.set_local_address(v4.or(v6)),
    }
    let _ = device;
    Ok(connector)
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = BoxFuture<Result<Stream, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.direct.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let interface = self.guard.interface.as_ref();
        let bound = self.guard.check_literal(&uri).and_then(|()| {
            let direct = bound(self.direct.clone(), interface)?;
            Ok((direct, bound(self.to_proxy.clone(), interface)?))
        });
        let (mut direct, to_proxy) = match bound {
            Ok(bound) => bound,
            Err(error) => return Box::pin(std::future::ready(Err(error.into()))),
        };
        match self.proxy.way(&uri) {
            None => {
                let connecting = direct.call(uri);
                Box::pin(async move { Ok(Stream::new(connecting.await?, Route::Direct)) })
            }
            Some(way) => Box::pin(through(way, uri, to_proxy)),
        }
    }
}

async fn through(way: Way, uri: Uri, mut to_proxy: HttpConnector) -> Result<Stream, BoxError> {
    match way {
        Way::Socks5(proxy) => {
            let mut socks = SocksV5::new(socks_address(proxy.uri()), to_proxy);
            if let Some((user, password)) = proxy.raw_auth() {
                socks = socks.with_auth(user.to_owned(), password.to_owned());
            }
            Ok(Stream::new(
                socks.call(with_port(uri)).await?,
                Route::Tunnel,
            ))
        }
        Way::Http(proxy) if proxy.uri().scheme_str() != Some("http") => {
            let scheme = proxy.uri().scheme_str().unwrap_or_default();
            Err(ErrorKind::Io {
                operation: "connect",
                kind: io::ErrorKind::Unsupported,
                message: format!("a proxy over {scheme} is not supported"),
            }
            .into())
        }
        Way::Http(proxy) if uri.scheme_str() == Some("http") => {
            let stream = to_proxy.call(proxy.uri().clone()).await?;
            Ok(Stream::new(stream, Route::Relay))
        }
        Way::Http(proxy) => {
            let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
            if let Some(value) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(value.clone());
            }
            Ok(Stream::new(tunnel.call(uri).await?, Route::Tunnel))
        }
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Direct,
    /// The host itself, through a proxy that passes bytes on.
    Tunnel,
    /// A proxy that passes requests on, and takes whole URLs.
    Relay,
}

/// Marks connections whose other end is a proxy: the address of the host is not known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThroughProxy;

/// A TCP connection to a host or to a proxy.
#[derive(Debug)]
pub(crate) struct Stream {
    io: TokioIo<TcpStream>,
    route: Route,
}

impl Stream {
    const fn new(io: TokioIo<TcpStream>, route: Route) -> Self {
        Self { io, route }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = self.io.connected().extra(Answered::default());
        match self.route {
            Route::Direct => connected,
            Route::Tunnel => connected.extra(ThroughProxy),
            Route::Relay => connected.extra(ThroughProxy).proxy(true),
        }
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buf)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, bufs)
    }
}
