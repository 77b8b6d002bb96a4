//! Connections, only to addresses that the policy allows.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use super::policy::{AddressPolicy, UrlTrust};
use crate::error::TrackerError;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The policy, in the situation of one hop.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) policy: AddressPolicy,
    /// Who redirected here.
    pub(super) via: Arc<[IpAddr]>,
    /// How far the URL is trusted.
    pub(super) trust: UrlTrust,
}

impl Guard {
    /// The addresses of a host that are allowed.
    pub(super) async fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, TrackerError> {
        let resolved = tokio::net::lookup_host((host, port)).await;
        let resolved = resolved.map_err(|error| TrackerError::io("resolve host", &error))?;
        let (allowed, refused): (Vec<_>, Vec<_>) =
            resolved.partition(|address| self.allows(address.ip()));
        match (allowed.is_empty(), refused.first()) {
            (true, Some(address)) => Err(self.refusal(address.ip())),
            _ => Ok(allowed),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.policy.allows(address, &self.via, self.trust)
    }

    /// Why an address is refused: because of the URL, if another one would be allowed there.
    fn refusal(&self, address: IpAddr) -> TrackerError {
        let is_by_url = self.policy.allows(address, &self.via, UrlTrust::Plain);
        match is_by_url && self.trust == UrlTrust::Composed {
            true => TrackerError::UrlRefused { address },
            false => TrackerError::AddressRefused { address },
        }
    }

    fn check_literal(&self, uri: &Uri) -> Result<(), TrackerError> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse() {
            Ok(address) if !self.allows(address) => Err(self.refusal(address)),
            _ => Ok(()),
        }
    }
}

/// Resolves names for hyper's connector.
#[derive(Clone, Debug)]
pub(super) struct Resolver(Guard);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = TrackerError;
    type Future = BoxFuture<Result<Self::Response, TrackerError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TrackerError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guard = self.0.clone();
        // The connector puts the URL's port in.
        Box::pin(async move { Ok(guard.resolve(name.as_str(), 0).await?.into_iter()) })
    }
}

/// hyper's connector behind the policy. Addresses written in the URL do not pass through the
/// resolver, so they are checked here.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    guard: Guard,
    http: HttpConnector<Resolver>,
}

impl Connector {
    pub(super) fn new(guard: Guard, connect_timeout: Duration) -> Self {
        let mut http = HttpConnector::new_with_resolver(Resolver(guard.clone()));
        // TLS comes on top of it.
        http.enforce_http(false);
        http.set_connect_timeout(Some(connect_timeout));
        http.set_nodelay(true);
        Self { guard, http }
    }
}

impl Service<Uri> for Connector {
    type Response = <HttpConnector<Resolver> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = BoxFuture<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.http.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if let Err(error) = self.guard.check_literal(&uri) {
            return Box::pin(std::future::ready(Err(error.into())));
        }
        let connecting = self.http.call(uri);
        Box::pin(async move { Ok(connecting.await?) })
    }
}
