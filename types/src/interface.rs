//! One network interface that sockets are bound to, so that their packets take no other one: a VPN's, for example.
//!
//! On Linux and Android sockets are bound to the device (`SO_BINDTODEVICE`; without privileges since Linux 5.7): whatever
//! the routes say, their packets leave by it or not at all. Elsewhere they are bound to an address of the interface: then
//! it is the system that has to send packets from that address by that interface.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use parking_lot::RwLock;
use socket2::Socket;

use crate::address::Scope;

/// The loopback device of Linux.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LOOPBACK: &[u8] = b"lo";

/// An interface of this machine, by its name or by one of its addresses. It may come and go: [`Interface::refresh`] looks
/// whether it is there. Clones share what was seen last.
///
/// ```
/// use tailwater_types::interface::Interface;
///
/// let tunnel: Interface = "no-such-tunnel".parse()?;
/// assert!(!tunnel.refresh());
/// assert!(tunnel.found().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Interface {
    target: Target,
    found: Arc<RwLock<Option<FoundInterface>>>,
}

#[derive(Clone, PartialEq, Eq)]
enum Target {
    Name(String),
    Addr(IpAddr),
}

/// An interface that is there: it is up, and has an address that reaches further than its own link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundInterface {
    /// Its name.
    pub name: String,
    /// Its number. One that is deleted and made again has another.
    pub index: u32,
    /// Its addresses that may be used: all, or the one by which it was named.
    pub addrs: Vec<IpAddr>,
}

impl FoundInterface {
    /// Whether sockets that were bound to `self` still work: it is the same interface, and has kept an address.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.index == other.index && self.addrs.iter().any(|addr| other.addrs.contains(addr))
    }

    /// The first address of the family that sockets with this address have.
    fn addr_for(&self, addr: SocketAddr) -> Option<IpAddr> {
        let of_family = |own: &&IpAddr| own.is_ipv4() == addr.is_ipv4();
        let far = |own: &&IpAddr| Scope::of(**own) != Scope::LinkLocal;
        let mut addrs = self.addrs.iter().filter(of_family).filter(far);
        addrs.next().copied()
    }
}

impl Interface {
    /// The interface of this name. It need not be there yet.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self::new(Target::Name(name.into()))
    }

    /// The interface that has this address. It need not be there yet. Sockets are bound to this address, and use no other
    /// one of the interface.
    #[must_use]
    pub fn with_addr(addr: IpAddr) -> Self {
        Self::new(Target::Addr(addr.to_canonical()))
    }

    fn new(target: Target) -> Self {
        let found = Arc::default();
        Self { target, found }
    }

    /// Whether it was there when it was last looked for, and what it was.
    #[must_use]
    pub fn found(&self) -> Option<FoundInterface> {
        self.found.read().clone()
    }

    /// Looks whether it is there, which takes a millisecond or so: the system lists its interfaces.
    pub fn refresh(&self) -> bool {
        let found = self.look(&netdev::get_interfaces());
        let is_there = found.is_some();
        *self.found.write() = found;
        is_there
    }

    fn look(&self, interfaces: &[netdev::Interface]) -> Option<FoundInterface> {
        let there = interfaces.iter().filter(|interface| interface.is_up());
        let found = |(interface, addrs): (&netdev::Interface, Vec<IpAddr>)| FoundInterface {
            name: interface.name.clone(),
            index: interface.index,
            addrs,
        };
        let mut candidates = there.filter_map(|interface| {
            let addrs = interface.ip_addrs();
            match &self.target {
                Target::Name(name) => {
                    let has_reach = |addr: &IpAddr| Scope::of(*addr) != Scope::LinkLocal;
                    (interface.name == *name && addrs.iter().any(has_reach))
                        .then_some((interface, addrs))
                }
                Target::Addr(addr) => addrs.contains(addr).then(|| (interface, vec![*addr])),
            }
        });
        candidates.next().map(found)
    }

    /// Binds a socket to the interface, and to `addr`: an address of the interface, or an unspecified one, which means
    /// any that the interface may use. A dual-stack socket stays one where the system can bind to a device and the
    /// interface was given by name.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) if the interface is not there;
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) if `addr` is not one of its addresses, or it has none of that
    /// family; and those of the system.
    pub fn bind(&self, socket: &Socket, addr: SocketAddr) -> io::Result<()> {
        let local = self.local(addr)?;
        self.bind_device(socket)?;
        socket.bind(&local.into())
    }

    /// The address that [`Interface::bind`] binds a socket to.
    ///
    /// # Errors
    ///
    /// As [`Interface::bind`].
    pub fn local(&self, addr: SocketAddr) -> io::Result<SocketAddr> {
        let found = self.found.read();
        let found = found.as_ref().ok_or_else(|| self.missing())?;
        let binds_device = cfg!(any(target_os = "linux", target_os = "android"));
        let ip = addr.ip().to_canonical();
        if !ip.is_unspecified() {
            return match found.addrs.contains(&ip) {
                true => Ok(addr),
                false => Err(self.foreign(ip)),
            };
        }
        if binds_device && matches!(self.target, Target::Name(_)) {
            return Ok(addr);
        }
        let own = found
            .addr_for(addr)
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(SocketAddr::new(own, addr.port()))
    }

    /// The device to bind to, where the system can do that.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) if the interface is not there.
    pub fn device(&self) -> io::Result<Option<String>> {
        let found = self.found.read();
        let found = found.as_ref().ok_or_else(|| self.missing())?;
        let binds_device = cfg!(any(target_os = "linux", target_os = "android"));
        Ok(binds_device.then(|| found.name.clone()))
    }

    /// Binds a socket to the device alone, where the system can do that.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) if the interface is not there, and those of the system.
    pub fn bind_device(&self, socket: &Socket) -> io::Result<()> {
        let device = self.device()?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.bind_device(device.as_ref().map(String::as_bytes))?;
        let _ = (device, socket);
        Ok(())
    }

    /// Binds a socket to the loopback interface: that keeps a port while the interface is not there, and nothing leaves
    /// this machine.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn park(socket: &Socket, addr: SocketAddr) -> io::Result<()> {
        let binds_device = cfg!(any(target_os = "linux", target_os = "android"));
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.bind_device(Some(LOOPBACK))?;
        let ip = match addr.ip() {
            ip if binds_device && ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        socket.bind(&SocketAddr::new(ip, addr.port()).into())
    }

    fn missing(&self) -> io::Error {
        io::Error::new(io::ErrorKind::NotFound, format!("{self} is not there"))
    }

    fn foreign(&self, ip: IpAddr) -> io::Error {
        let said = format!("{ip} is not an address of {self}");
        io::Error::new(io::ErrorKind::AddrNotAvailable, said)
    }
}

impl FromStr for Interface {
    type Err = Infallible;

    /// An address of this machine, or else a name.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.parse() {
            Ok(addr) => Self::with_addr(addr),
            Err(_) => Self::named(text),
        })
    }
}

impl PartialEq for Interface {
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target
    }
}

impl Eq for Interface {}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Name(name) => write!(f, "interface {}", name.escape_debug()),
            Target::Addr(addr) => write!(f, "the interface with address {addr}"),
        }
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found();
        f.debug_tuple("Interface")
            .field(&self.to_string())
            .field(&found)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use netdev::Interface as Listed;
    use socket2::{Domain, Type};

    use super::*;

    const UP: u32 = 1;

    fn listed(index: u32, name: &str, flags: u32, v4: &[&str], v6: &[&str]) -> Listed {
        Listed {
            index,
            name: name.to_owned(),
            flags,
            ipv4: v4.iter().map(|net| net.parse().unwrap()).collect(),
            ipv6: v6.iter().map(|net| net.parse().unwrap()).collect(),
            ..Listed::dummy()
        }
    }

    #[test]
    fn it_is_there_when_it_is_up_and_has_an_address_with_reach() {
        let machine = [
            listed(2, "eth0", UP, &["192.168.0.5/24"], &["fe80::5/64"]),
            listed(
                3,
                "wg0",
                UP,
                &["10.8.0.2/24", "10.8.1.2/24"],
                &["fd00::2/64"],
            ),
            listed(4, "down0", 0, &["10.9.0.2/24"], &[]),
            listed(5, "bare0", UP, &[], &["fe80::9/64"]),
        ];
        let look = |text: &str| text.parse::<Interface>().unwrap().look(&machine);
        let tunnel = look("wg0").unwrap();
        assert_eq!((tunnel.index, tunnel.addrs.len()), (3, 3));
        let by_addr = look("10.8.1.2").unwrap();
        assert_eq!((by_addr.index, &*by_addr.name), (3, "wg0"));
        assert_eq!(by_addr.addrs, ["10.8.1.2".parse::<IpAddr>().unwrap()]);
        for absent in ["down0", "bare0", "wg", "10.8.0.3", "10.9.0.2"] {
            assert_eq!(look(absent), None, "{absent}");
        }
    }

    #[test]
    fn one_that_is_made_again_or_has_moved_is_another() {
        let found = |index, v4: &[&str]| {
            let machine = [listed(index, "wg0", UP, v4, &[])];
            Interface::named("wg0").look(&machine).unwrap()
        };
        let first = found(3, &["10.8.0.2/24"]);
        assert!(first.is_same(&found(3, &["10.8.0.9/24", "10.8.0.2/24"])));
        assert!(!first.is_same(&found(4, &["10.8.0.2/24"])));
        assert!(!first.is_same(&found(3, &["10.8.0.9/24"])));
    }

    #[test]
    fn nothing_is_bound_while_it_is_not_there_and_no_address_of_another() {
        let socket = || Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let absent = Interface::named("no-such-tunnel");
        assert!(!absent.refresh());
        let refused = absent.bind(&socket(), any).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::NotFound);
        assert_eq!(refused.to_string(), "interface no-such-tunnel is not there");

        let loopback = Interface::with_addr(Ipv4Addr::LOCALHOST.into());
        assert!(loopback.refresh());
        let bound = socket();
        loopback.bind(&bound, any).unwrap();
        let local = bound.local_addr().unwrap().as_socket().unwrap();
        assert_eq!(local.ip(), Ipv4Addr::LOCALHOST);
        let refused = loopback.bind(&socket(), ([192, 0, 2, 1], 0).into());
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrNotAvailable);
        let other_family = loopback.local((Ipv6Addr::UNSPECIFIED, 0).into());
        assert_eq!(
            other_family.unwrap_err().kind(),
            io::ErrorKind::AddrNotAvailable
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn sockets_are_bound_to_the_device_and_parked_ones_to_loopback() {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let loopback = Interface::named("lo");
        assert!(loopback.refresh());
        let bound = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        loopback.bind(&bound, any).unwrap();
        assert_eq!(bound.device().unwrap().unwrap(), LOOPBACK);
        let parked = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        Interface::park(&parked, any).unwrap();
        assert_eq!(parked.device().unwrap().unwrap(), LOOPBACK);
    }
}
