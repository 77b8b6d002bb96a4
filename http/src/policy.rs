//! The address policy: which hosts a request may go to, when its URL came from a stranger.
//!
//! It applies to every HTTP request that the engine makes for a stranger's URL, and to the hosts of UDP trackers. It is
//! the defence against server-side request forgery (SSRF).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use tailwater_types::address::{Scope, can_see, is_public, is_unicast};
use url::Url;

type Filter = dyn Fn(IpAddr) -> bool + Send + Sync;
type Rule = dyn Fn(&Hop<'_>) -> bool + Send + Sync;

/// How far a URL is trusted with hosts that only we can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Not `#[non_exhaustive]`: a rule decides for each.
pub enum UrlTrust {
    /// The user named it by hand.
    Named,
    /// A stranger's URL, of the form that requests of its kind have: whatever service listens there, it gets no request
    /// that the stranger composed.
    Plain,
    /// A stranger's URL, with a path or a query of the stranger's own. To an internal service it may mean anything,
    /// `delete` for example.
    Composed,
}

impl UrlTrust {
    /// The trust in a stranger's URL: [`Plain`](Self::Plain) if it has no query and `is_expected` knows its path.
    #[must_use]
    pub fn of_stranger(url: &Url, is_expected: impl Fn(&str) -> bool) -> Self {
        let has_query = url.query().is_some_and(|query| !query.is_empty());
        match !has_query && is_expected(url.path()) {
            true => Self::Plain,
            false => Self::Composed,
        }
    }
}

/// One step of a request: an address that it is about to connect to.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Hop<'a> {
    /// The address, canonical: no IPv4 address comes as an IPv6 one.
    pub address: IpAddr,
    /// The addresses that redirected here, oldest first; none for the first URL.
    pub via: &'a [IpAddr],
    /// How far the URL of this step is trusted.
    pub trust: UrlTrust,
}

/// The address policy: which addresses may be asked. Consulted for every address after its name was resolved, and again
/// at each redirect: the connection goes to exactly the address that was judged.
///
/// A tracker's URL comes from a torrent, that is from a stranger, and so does the target of its redirect: without a rule,
/// either could make us send requests to services that only the local network reaches (server-side request forgery). The
/// default is [`guarded`](Self::guarded).
#[derive(Clone)]
pub struct AddressPolicy {
    rule: Arc<Rule>,
    filter: Option<Arc<Filter>>,
}

impl AddressPolicy {
    /// The default policy. A URL that the user named by hand may lead anywhere. A stranger's URL leads
    ///
    /// - to public addresses;
    /// - to addresses that are not public only if it is [`Plain`](UrlTrust::Plain): private networks and this host have
    ///   trackers, too;
    /// - never to link-local addresses, where clouds keep secrets (169.254.169.254), nor to reserved, multicast and
    ///   unspecified ones.
    ///
    /// A redirect counts as a stranger's URL, and leads nowhere that its sender cannot see: from a public address to public
    /// ones, from a private network not to this host.
    #[must_use]
    pub fn guarded() -> Self {
        Self::custom(|hop| {
            can_be_seen(hop)
                && match hop.trust {
                    UrlTrust::Named => true,
                    UrlTrust::Plain => {
                        is_unicast(hop.address) && Scope::of(hop.address) != Scope::LinkLocal
                    }
                    UrlTrust::Composed => is_public(hop.address),
                }
        })
    }

    /// Public addresses only.
    #[must_use]
    pub fn public_only() -> Self {
        Self::custom(|hop| is_public(hop.address))
    }

    /// Every address, except that a redirect leads nowhere that its sender cannot see, as in [`guarded`](Self::guarded):
    /// for URLs that the user named.
    #[must_use]
    pub fn outward_redirects() -> Self {
        Self::custom(can_be_seen)
    }

    /// No restriction.
    #[must_use]
    pub fn any() -> Self {
        Self::custom(|_| true)
    }

    /// A rule of the caller's: whether a request may take this step.
    #[must_use]
    pub fn custom(rule: impl Fn(&Hop<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self {
            rule: Arc::new(rule),
            filter: None,
        }
    }

    /// The same without the addresses that are filtered, whatever URL leads there. The filter gets canonical addresses.
    #[must_use]
    pub fn without(mut self, is_filtered: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(is_filtered));
        self
    }

    pub(crate) fn is_filtered(&self, address: IpAddr) -> bool {
        let filter = self.filter.as_ref();
        filter.is_some_and(|is_filtered| is_filtered(address.to_canonical()))
    }

    /// Whether a request may take this step.
    #[must_use]
    pub fn allows(&self, address: IpAddr, via: &[IpAddr], trust: UrlTrust) -> bool {
        let address = address.to_canonical();
        let hop = Hop {
            address,
            via,
            trust,
        };
        !self.is_filtered(address) && (self.rule)(&hop)
    }
}

/// Whether each host that redirected here can see where it leads.
fn can_be_seen(hop: &Hop<'_>) -> bool {
    let is_public_hop = is_public(hop.address);
    hop.via
        .iter()
        .all(|&by| can_see(by, hop.address) && (is_public_hop || !is_public(by)))
}

impl Default for AddressPolicy {
    fn default() -> Self {
        Self::guarded()
    }
}

impl fmt::Debug for AddressPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressPolicy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_strangers_url_reaches_internal_hosts_only_if_it_is_plain() {
        let policy = AddressPolicy::default();
        for (address, plain, composed) in [
            ("1.1.1.1", true, true),
            ("2606:4700::1111", true, true),
            ("127.0.0.1", true, false),
            ("::1", true, false),
            ("10.0.0.1", true, false),
            ("100.64.0.1", true, false),
            ("fd00::1", true, false),
            ("::ffff:192.168.0.1", true, false),
            ("64:ff9b::a00:1", true, false),
            ("203.0.113.1", true, false),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("fe80::1", false, false),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("224.0.0.1", false, false),
            ("240.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("::", false, false),
            ("ff02::1", false, false),
        ] {
            let allows = |trust| policy.allows(ip(address), &[], trust);
            assert!(allows(UrlTrust::Named), "{address}, by hand");
            assert_eq!(allows(UrlTrust::Plain), plain, "{address}, plain");
            assert_eq!(allows(UrlTrust::Composed), composed, "{address}, composed");
        }
    }

    #[test]
    fn a_redirect_leads_nowhere_that_its_sender_cannot_see() {
        let policy = AddressPolicy::default();
        let [public, private, loopback] = ["1.1.1.1", "192.168.0.1", "127.0.0.1"].map(ip);
        let allows = |address, via: &[_]| policy.allows(address, via, UrlTrust::Plain);
        assert!(allows(private, &[private]));
        assert!(allows(private, &[loopback]));
        assert!(allows(loopback, &[loopback]));
        assert!(allows(public, &[private]));
        assert!(!allows(loopback, &[private]));
        assert!(!allows(loopback, &[public]));
        assert!(!allows(private, &[loopback, public, private]));
        assert!(!policy.allows(private, &[loopback], UrlTrust::Composed));
        assert!(!AddressPolicy::public_only().allows(private, &[], UrlTrust::Named));
        assert!(AddressPolicy::any().allows(private, &[public], UrlTrust::Composed));
    }

    #[test]
    fn a_filtered_address_is_refused_to_every_url() {
        let filtered = ip("203.0.113.7");
        let policy = AddressPolicy::any().without(move |address| address == filtered);
        assert!(!policy.allows(filtered, &[], UrlTrust::Named));
        assert!(!policy.allows(ip("::ffff:203.0.113.7"), &[], UrlTrust::Plain));
        assert!(policy.allows(ip("203.0.113.8"), &[], UrlTrust::Named));
    }

    #[test]
    fn a_query_or_an_odd_path_is_composed() {
        let trust = |url: &str| {
            let url = Url::parse(url).unwrap();
            UrlTrust::of_stranger(&url, |path| path == "/announce")
        };
        assert_eq!(trust("http://t/announce"), UrlTrust::Plain);
        assert_eq!(trust("http://t/announce?#x"), UrlTrust::Plain);
        assert_eq!(trust("http://t/announce?x"), UrlTrust::Composed);
        assert_eq!(trust("http://t/admin/../announce"), UrlTrust::Plain);
        assert_eq!(trust("http://t/announce/../admin"), UrlTrust::Composed);
        assert_eq!(trust("http://t/announce/%2e%2e/admin"), UrlTrust::Composed);
        assert_eq!(trust("http://t/"), UrlTrust::Composed);
    }
}
