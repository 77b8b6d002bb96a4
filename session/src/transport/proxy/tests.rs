//! Scripted proxies on loopback: what they get, and what becomes of what they say.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tailwater_utp::driver::ReceiveBuffer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::*;
use crate::torrent::Transport;
use crate::transport::dialer::{ConnectError, Dialer};
use crate::transport::{Names, Network};

const GREETED: &[u8] = b"\x05\x00";
const DONE: &[u8] = b"\x05\x00\x00\x01\0\0\0\0\0\0";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

async fn proxy(scheme: &str) -> (TcpListener, Arc<ProxyDialer>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let proxy = format!("{scheme}{at}").parse().unwrap();
    (listener, Arc::new(ProxyDialer::new(proxy, None)))
}

async fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// Accepts one client of SOCKS5 without a password, up to its request.
async fn greet(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    assert_eq!(read(&mut stream).await, *b"\x05\x01\x00");
    stream.write_all(GREETED).await.unwrap();
    stream
}

#[tokio::test]
async fn a_peer_is_reached_through_socks5() {
    let (listener, dialer) = proxy("socks5://").await;
    let serving = async {
        let mut stream = greet(&listener).await;
        let request = b"\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x1a\xe1";
        assert_eq!(read(&mut stream).await, *request);
        // What the peer says comes at once behind the reply.
        stream.write_all(&[DONE, b"peer"].concat()).await.unwrap();
        stream
    };
    let dialer = Dialer::new(Network::default(), None).with_proxy(Some(dialer));
    assert_eq!(dialer.names(), Names::Unresolved);
    let peer = addr("[2001:db8::7]:6881");
    let (connected, _server) = tokio::join!(dialer.connect(peer, Transport::Tcp), serving);
    let mut said = bytes::BytesMut::with_capacity(16);
    connected.unwrap().read_buf(&mut said).await.unwrap();
    assert_eq!(&said[..], b"peer");
}

#[tokio::test]
async fn a_peer_is_reached_through_an_http_proxy() {
    let (listener, dialer) = proxy("http://me:secret@").await;
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let expected = b"CONNECT 192.0.2.7:6881 HTTP/1.1\r\nHost: 192.0.2.7:6881\r\n\
                         Proxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n";
        assert_eq!(read(&mut stream).await, *expected);
        stream.set_nodelay(true).unwrap();
        for part in ["HTTP/1.1 200 Fine\r\nVia: x\r", "\n\r", "\npeer"] {
            stream.write_all(part.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream
    };
    let (connected, _server) = tokio::join!(dialer.connect(addr("192.0.2.7:6881")), serving);
    assert_eq!(read(&mut connected.unwrap()).await, *b"peer");
}

#[tokio::test]
async fn the_answers_of_an_http_proxy_are_told_apart() {
    let endless = "x".repeat(20_000);
    let cases: [(&str, &str, &str); 6] = [
        ("", "HTTP/1.1 407 No\r\n\r\n", "it wants a user name"),
        (
            "u:p@",
            "HTTP/1.1 407 No\r\n\r\n",
            "it refuses the user name",
        ),
        ("", "HTTP/1.0 403 No\r\n\r\n", "HTTP status 403"),
        ("", "SSH-2.0-OpenSSH\r\n\r\n", "no answer of HTTP"),
        ("", "HTTP/1.1 200 Fine\r\n", "it closed the connection"),
        ("", &endless, "an answer without an end"),
    ];
    for (login, answer, expected) in cases {
        let (listener, dialer) = proxy(&format!("http://{login}")).await;
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            // All that is asked has to be read, or closing is a reset.
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
            stream
        };
        let (connected, _server) = tokio::join!(dialer.connect(addr("192.0.2.7:1")), serving);
        let error = connected.unwrap_err().to_string();
        assert!(error.contains(expected), "{answer:.20}: {error}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named_as_the_cause() {
    let (listener, dialer) = proxy("socks5://").await;
    drop(listener);
    let dialer = Dialer::new(Network::default(), None).with_proxy(Some(dialer));
    let refused = dialer.connect(addr("192.0.2.7:1"), Transport::Tcp).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("the proxy cannot be reached"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_says_nothing_is_given_up() {
    let (_listener, dialer) = proxy("socks5://").await;
    let dialer = Dialer::new(Network::default(), None).with_proxy(Some(dialer));
    let given_up = dialer.connect(addr("192.0.2.7:1"), Transport::Tcp).await;
    assert!(matches!(given_up, Err(ConnectError::TimedOut(_))));
}

/// Gives one client a relay, which is `relay`, by a name.
async fn associate(listener: &TcpListener, relay: &UdpSocket) -> TcpStream {
    let mut control = greet(listener).await;
    assert_eq!(read(&mut control).await, *b"\x05\x03\x00\x01\0\0\0\0\0\0");
    let port = relay.local_addr().unwrap().port().to_be_bytes();
    let reply = [&b"\x05\x00\x00\x03\x05relay"[..], &port].concat();
    control.write_all(&reply).await.unwrap();
    control
}

async fn received(relay: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut datagram = vec![0; 100];
    let (len, from) = relay.recv_from(&mut datagram).await.unwrap();
    datagram.truncate(len);
    (datagram, from)
}

#[tokio::test]
async fn datagrams_go_through_the_relay_and_through_a_new_one_when_it_ends() {
    let (listener, dialer) = proxy("socks5://").await;
    let [first, second, stranger] = [
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
    ];
    let relay = Relay::new(dialer);
    let peer = addr("192.0.2.7:258");
    let sent = |payload: &[u8]| [b"\0\0\0\x01\xc0\x00\x02\x07\x01\x02", payload].concat();
    let using = async {
        // It waits for the relay.
        relay.send(peer, b"early").await;
        let control = associate(&listener, &first).await;
        let (datagram, ours) = received(&first).await;
        assert_eq!(datagram, sent(b"early"));
        // Nonsense and datagrams of others are dropped.
        stranger.send_to(&sent(b"forged"), ours).await.unwrap();
        first.send_to(b"\0\0\0\x09nonsense", ours).await.unwrap();
        first.send_to(&sent(b"answer"), ours).await.unwrap();
        let mut buffer = ReceiveBuffer::default();
        let mut answers = Vec::new();
        while answers.is_empty() {
            relay.readable().await;
            let handle = |from, payload: &[u8]| answers.push((from, payload.to_vec()));
            relay.try_receive(&mut buffer, handle).unwrap();
        }
        assert_eq!(answers, [(peer, b"answer".to_vec())]);

        drop(control);
        let _control = associate(&listener, &second).await;
        loop {
            relay.send(peer, b"again").await;
            let arriving =
                tokio::time::timeout(std::time::Duration::from_millis(50), received(&second));
            if let Ok((datagram, _)) = arriving.await {
                assert_eq!(datagram, sent(b"again"));
                break;
            }
        }
        relay.send_named("router.example", 1, b"named");
        while received(&second).await.0 != b"\0\0\0\x03\x0erouter.example\x00\x01named" {}
        assert!(relay.may_carry());
    };
    tokio::select! {
        () = using => {}
        () = relay.run() => panic!("it gives up"),
    }
}

#[tokio::test]
async fn a_proxy_that_carries_no_datagrams_is_asked_once() {
    let (listener, dialer) = proxy("socks5://").await;
    let relay = Relay::new(dialer);
    let refusing = async {
        let mut control = greet(&listener).await;
        let _ = read::<10>(&mut control).await;
        let refused = b"\x05\x07\x00\x01\0\0\0\0\0\0";
        control.write_all(refused).await.unwrap();
    };
    assert!(relay.may_carry());
    tokio::join!(relay.run(), refusing);
    assert!(!relay.may_carry());
    // Nothing waits for a relay that will never be.
    relay.send(addr("192.0.2.7:1"), b"late").await;
}
