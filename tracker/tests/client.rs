//! The client against this crate's server and against servers that misbehave, over loopback.

#![expect(clippy::unwrap_used, reason = "a failing helper fails its test")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "these tests are about sockets"
)]

mod stub;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tailwater_tracker::{
    AddressPolicy, AnnounceRequest, Client, ClientConfig, Event, RetryIn, ScrapeStats, Server,
    ServerConfig, TrackerError,
};
use tailwater_types::{InfoHash, PeerId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use stub::{Stub, http, read_head};

const HASH: InfoHash = InfoHash::new([0xff; 20]);
const GOOD: &[u8] = b"d8:intervali60e5:peers6:\x0a\0\0\x01\x1a\xe1e";

fn request(port: u16) -> AnnounceRequest {
    let mut request = AnnounceRequest::new(HASH, PeerId::new(*b"-TW0000-\0\x01&=+%/ ~xyz"), port);
    request.event = Some(Event::Started);
    request.key = Some(1);
    request
}

fn client() -> Client {
    Client::new(ClientConfig::default())
}

/// For trackers that never answer.
fn hasty() -> Client {
    let mut config = ClientConfig::default();
    config.http_timeout = Duration::from_millis(200);
    config.udp_timeout = Duration::from_millis(200);
    Client::new(config)
}

async fn announce(client: &Client, url: &str) -> Result<usize, TrackerError> {
    client
        .announce(url, &request(6881))
        .await
        .map(|response| response.peers.len())
}

#[track_caller]
fn assert_malformed(outcome: Result<usize, TrackerError>, part: &str) {
    match outcome {
        Err(TrackerError::Malformed { reason }) => assert!(reason.contains(part), "{reason}"),
        other => panic!("{other:?}"),
    }
}

async fn server() -> Server {
    let mut config = ServerConfig::default();
    config.http = Some(([127, 0, 0, 1], 0).into());
    config.udp = Some(([127, 0, 0, 1], 0).into());
    Server::bind(config).await.unwrap()
}

fn urls(server: &Server) -> [String; 2] {
    let (http, udp) = (server.http_addr().unwrap(), server.udp_addr().unwrap());
    [
        format!("http://{http}/announce"),
        format!("udp://{udp}/announce?x=1"),
    ]
}

#[tokio::test]
async fn http_and_udp_share_the_swarm() {
    let server = server().await;
    let client = client();
    let [http, udp] = urls(&server);
    let first = client.announce(&http, &request(1)).await.unwrap();
    assert_eq!((first.peers.len(), first.leechers), (0, Some(1)));
    assert_eq!(first.external_ip, Some([127, 0, 0, 1].into()));
    let second = client.announce(&udp, &request(2)).await.unwrap();
    assert_eq!(second.peers, ["127.0.0.1:1".parse::<SocketAddr>().unwrap()]);
    assert_eq!(second.interval, Duration::from_secs(1800));

    let mut complete = request(2);
    (complete.left, complete.event) = (0, Some(Event::Completed));
    client.announce(&udp, &complete).await.unwrap();
    let counts = ScrapeStats {
        seeders: 1,
        leechers: 1,
        completed: 1,
    };
    let unknown = InfoHash::new([1; 20]);
    for url in [&http, &udp] {
        let scraped = client.scrape(url, &[unknown, HASH]).await.unwrap();
        assert_eq!(scraped.get(&HASH), Some(counts), "{url}");
        assert_eq!(
            scraped.get(&unknown).unwrap_or_default(),
            ScrapeStats::default()
        );
    }

    let mut gone = request(1);
    gone.event = Some(Event::Stopped);
    client.announce(&http, &gone).await.unwrap();
    assert_eq!(
        client
            .announce(&http, &request(3))
            .await
            .unwrap()
            .peers
            .len(),
        1
    );
    let stats = server.stats();
    assert_eq!(
        (stats.torrents, stats.peers, stats.announces, stats.scrapes),
        (1, 2, 5, 2)
    );
    assert_eq!(stats.rejected, 0);
    server.close().await;
}

#[tokio::test]
async fn ipv6_peers_meet_over_http_and_udp() {
    let mut config = ServerConfig::default();
    config.http = Some("[::1]:0".parse().unwrap());
    config.udp = Some("[::1]:0".parse().unwrap());
    let Ok(server) = Server::bind(config).await else {
        eprintln!("this machine has no IPv6");
        return;
    };
    let client = client();
    let [http, udp] = urls(&server);
    client.announce(&http, &request(1)).await.unwrap();
    let expected = ["[::1]:1".parse::<SocketAddr>().unwrap()];
    assert_eq!(
        client.announce(&udp, &request(2)).await.unwrap().peers,
        expected
    );
    assert_eq!(
        client.announce(&http, &request(2)).await.unwrap().peers,
        expected
    );
}

#[tokio::test]
async fn the_server_closes_and_frees_its_ports() {
    let server = server().await;
    let client = client();
    let [http, udp] = urls(&server);
    announce(&client, &http).await.unwrap();
    server.close().await;
    server.close().await;
    for url in [&http, &udp] {
        match announce(&client, url).await {
            Err(TrackerError::Io {
                kind: io::ErrorKind::ConnectionRefused,
                ..
            }) => {}
            other => panic!("{url}: {other:?}"),
        }
    }
    let mut config = ServerConfig::default();
    config.udp = server.udp_addr();
    let again = Server::bind(config.clone()).await.unwrap();
    let taken = Server::bind(config).await.unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    let named = again.udp_addr().unwrap().to_string();
    assert!(taken.to_string().contains(&named), "{taken}");
    let nowhere = Server::bind(ServerConfig::default()).await.unwrap_err();
    assert_eq!(nowhere.kind(), io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn the_server_drops_who_asks_nothing_and_serves_the_next() {
    let mut config = ServerConfig::default();
    config.http = Some(([127, 0, 0, 1], 0).into());
    config.max_connections = 1;
    config.request_timeout = Duration::from_millis(100);
    let server = Server::bind(config).await.unwrap();
    let mut silent = TcpStream::connect(server.http_addr().unwrap())
        .await
        .unwrap();
    let mut slow = TcpStream::connect(server.http_addr().unwrap())
        .await
        .unwrap();
    slow.write_all(b"GET /announce?").await.unwrap();
    let url = format!("http://{}/announce", server.http_addr().unwrap());
    announce(&client(), &url).await.unwrap();
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).await.unwrap();
    let _ = slow.read_to_end(&mut rest).await;
}

/// Sockets that say nothing used to shut all others out until their time was over.
#[tokio::test]
async fn silent_sockets_shut_no_client_out() {
    let mut config = ServerConfig::default();
    config.http = Some(([127, 0, 0, 1], 0).into());
    config.max_connections = 16;
    config.connections_per_address.local = 8;
    config.request_timeout = Duration::from_secs(3600);
    let server = Server::bind(config).await.unwrap();
    let addr = server.http_addr().unwrap();
    let url = format!("http://{addr}/announce");
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(addr).await.unwrap());
        announce(&client(), &url).await.unwrap();
    }
    // All but the last few were closed.
    let mut rest = Vec::new();
    for mut stream in silent.drain(..56) {
        let ended = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut rest));
        let ended = ended.await.expect("the server closes what it displaces");
        assert!(!matches!(ended, Ok(1..)), "it says nothing");
    }
    server.close().await;
}

#[tokio::test]
async fn the_server_refuses_other_methods_and_long_heads() {
    let server = server().await;
    let ask = async |request: &[u8]| {
        let mut stream = TcpStream::connect(server.http_addr().unwrap())
            .await
            .unwrap();
        let mut answer = Vec::new();
        // The server may close before everything is written.
        let _ = stream.write_all(request).await;
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        ask(b"POST /announce HTTP/1.0\r\n\r\n").await,
        "HTTP/1.0 405 Method Not Allowed"
    );
    let long = [
        b"GET /announce?".to_vec(),
        vec![b'x'; 100_000],
        b" HTTP/1.0\r\n\r\n".to_vec(),
    ]
    .concat();
    let refused = ask(&long).await;
    assert!(
        refused.is_empty() || refused.starts_with("HTTP/1.1 4"),
        "{refused}"
    );
    assert_eq!(server.stats().announces, 0);
}

#[tokio::test]
async fn a_request_says_who_asks_and_what() {
    let (sent, received) = tokio::sync::oneshot::channel();
    let sent = Arc::new(Mutex::new(Some(sent)));
    let stub = Stub::new(move |mut stream| {
        let sent = Arc::clone(&sent);
        async move {
            let head = read_head(&mut stream).await.unwrap();
            sent.lock().unwrap().take().unwrap().send(head).unwrap();
            stream.write_all(&http("200 OK", "", GOOD)).await.unwrap();
        }
    })
    .await;
    let url = stub.url.replace("http://", "http://us%65r:p%40ss@") + "?passkey=%aB";
    // A stranger's URL on loopback may have no passkey in its query.
    let client = client().for_named_urls();
    assert_eq!(announce(&client, &url).await, Ok(1));
    let head = received.await.unwrap();
    let hash = "%FF".repeat(20);
    let start = format!(
        "GET /announce?passkey=%aB&info_hash={hash}&peer_id=-TW0000-%00%01%26%3D%2B%25%2F%20~xyz&port=6881&"
    );
    assert!(head.starts_with(&start), "{head}");
    let head = head.to_ascii_lowercase();
    let agent = format!(
        "\r\nuser-agent: tailwater/{}\r\n",
        env!("CARGO_PKG_VERSION")
    );
    assert!(head.contains(&agent), "{head}");
    assert!(head.contains("\r\naccept-encoding: gzip\r\n"), "{head}");
    assert!(
        head.contains("\r\nauthorization: basic dxnlcjpwqhnz\r\n"),
        "{head}"
    );
    assert!(!head.contains('@'), "credentials leak: {head}");
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let client = hasty();
    let silent =
        Stub::new(async |mut stream| while read_head(&mut stream).await.is_some() {}).await;
    let stalling = Stub::new(async |mut stream| {
        read_head(&mut stream).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nd8:")
            .await
            .unwrap();
        read_head(&mut stream).await;
    })
    .await;
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let udp_url = format!("udp://{}", udp.local_addr().unwrap());
    let timeout = Err(TrackerError::Timeout {
        after: Duration::from_millis(200),
    });
    for url in [&silent.url, &stalling.url, &udp_url] {
        assert_eq!(announce(&client, url).await, timeout, "{url}");
    }
}

#[tokio::test]
async fn redirects_are_followed_to_a_limit() {
    let circular = Stub::saying(http("302 Found", "location: /announce\r\n", b"")).await;
    assert_eq!(
        announce(&client(), &circular.url).await,
        Err(TrackerError::TooManyRedirects { limit: 5 })
    );
    assert_eq!(circular.connections(), 6);

    let target = Stub::saying(http("200 OK", "", GOOD)).await;
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let header = format!("location: {}\r\n", target.url);
        let stub = Stub::saying(http(status, &header, b"")).await;
        assert_eq!(announce(&client(), &stub.url).await, Ok(1), "{status}");
    }
    let elsewhere = Stub::saying(http("302 Found", "location: file:///etc/passwd\r\n", b"")).await;
    let scheme = "file".to_owned();
    assert_eq!(
        announce(&client(), &elsewhere.url).await,
        Err(TrackerError::UnsupportedScheme { scheme })
    );
    let nowhere = Stub::saying(http("302 Found", "", b"")).await;
    assert_eq!(
        announce(&client(), &nowhere.url).await,
        Err(TrackerError::HttpStatus { status: 302 })
    );
}

/// Plays the public internet at 127.0.0.1 and the private network elsewhere.
fn guarded() -> Client {
    let public = |address: std::net::IpAddr| address == std::net::IpAddr::from([127, 0, 0, 1]);
    let mut config = ClientConfig::default();
    config.address_policy = AddressPolicy::custom(move |hop| {
        public(hop.address) || !hop.via.iter().copied().any(public)
    });
    Client::new(config)
}

#[tokio::test]
async fn a_public_tracker_does_not_lead_into_the_private_network() {
    let private = Stub::on("127.0.0.2:0", async |mut stream| {
        read_head(&mut stream).await;
        let _ = stream.write_all(&http("200 OK", "", GOOD)).await;
    })
    .await;
    let client = guarded();
    // As the user's own tracker it may be asked, which leaves a connection in the pool.
    assert_eq!(announce(&client, &private.url).await, Ok(1));
    let used = private.connections();
    let public = Stub::saying(http(
        "302 Found",
        &format!("location: {}\r\n", private.url),
        b"",
    ))
    .await;
    let address = [127, 0, 0, 2].into();
    assert_eq!(
        announce(&client, &public.url).await,
        Err(TrackerError::AddressRefused { address })
    );
    assert_eq!(private.connections(), used);

    // By name, the address is known only after resolving.
    let mut config = ClientConfig::default();
    config.address_policy = AddressPolicy::custom(|hop| hop.via.is_empty());
    let client = Client::new(config);
    let url = public.url.replace("127.0.0.1", "localhost");
    let by_name = Stub::saying(http("302 Found", &format!("location: {url}\r\n"), b"")).await;
    let refused = announce(&client, &by_name.url).await;
    assert!(
        matches!(refused, Err(TrackerError::AddressRefused { .. })),
        "{refused:?}"
    );
    assert_eq!(public.connections(), 1);
}

#[tokio::test]
async fn a_strict_policy_holds_for_direct_urls_too() {
    let mut config = ClientConfig::default();
    config.address_policy = AddressPolicy::public_only();
    let client = Client::new(config);
    for url in [
        "http://127.0.0.1:1/a",
        "http://2130706433:1/a",
        "http://localhost:1/a",
        "http://[::1]:1/a",
        "udp://127.0.0.1:1",
        "udp://[::1]:1",
        "https://127.0.0.1:1/a",
    ] {
        let refused = announce(&client, url).await;
        assert!(
            matches!(refused, Err(TrackerError::AddressRefused { .. })),
            "{url}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_huge_answer_is_cut_off() {
    let too_large = Err(TrackerError::TooLarge { limit: 1024 * 1024 });
    let announced = Stub::saying("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\nd").await;
    assert_eq!(announce(&client(), &announced.url).await, too_large);
    let endless = Stub::new(async |mut stream| {
        read_head(&mut stream).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await
            .unwrap();
        let chunk = [b"10000\r\n".to_vec(), vec![b'l'; 0x10000], b"\r\n".to_vec()].concat();
        while stream.write_all(&chunk).await.is_ok() {}
    })
    .await;
    assert_eq!(announce(&client(), &endless.url).await, too_large);
    let bomb = Stub::saying(http(
        "200 OK",
        "content-encoding: gzip\r\n",
        &gzip(&vec![b'l'; 100_000_000]),
    ))
    .await;
    assert_eq!(announce(&client(), &bomb.url).await, too_large);
}

#[tokio::test]
async fn an_endless_head_is_cut_off() {
    let endless = Stub::new(async |mut stream| {
        read_head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        let line = format!("x: {}\r\n", "y".repeat(1000));
        while stream.write_all(line.as_bytes()).await.is_ok() {}
    })
    .await;
    let outcome = announce(&client(), &endless.url).await;
    assert!(
        matches!(outcome, Err(TrackerError::Io { .. })),
        "{outcome:?}"
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn gzip_is_read_and_broken_gzip_refused() {
    let zipped = gzip(GOOD);
    let good = Stub::saying(http("200 OK", "content-encoding: gzip\r\n", &zipped)).await;
    assert_eq!(announce(&client(), &good.url).await, Ok(1));
    let cut = Stub::saying(http(
        "200 OK",
        "content-encoding: gzip\r\n",
        &zipped[..zipped.len() - 9],
    ))
    .await;
    assert_malformed(announce(&client(), &cut.url).await, "gzip");
}

#[tokio::test]
async fn what_is_no_tracker_is_told_apart() {
    let page = b"<!DOCTYPE html><title>Welcome</title>";
    let html = Stub::saying(http("200 OK", "", page)).await;
    assert_malformed(announce(&client(), &html.url).await, "HTML");
    let missing = Stub::saying(http("404 Not Found", "", page)).await;
    assert_eq!(
        announce(&client(), &missing.url).await,
        Err(TrackerError::HttpStatus { status: 404 })
    );
    let explained = Stub::saying(http(
        "503 Busy",
        "",
        b"d14:failure reason4:busy8:retry ini5ee",
    ))
    .await;
    let retry_in = Some(RetryIn::After(Duration::from_secs(300)));
    let refused = TrackerError::Refused {
        reason: "busy".to_owned(),
        retry_in,
    };
    assert_eq!(announce(&client(), &explained.url).await, Err(refused));
    for garbage in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nd8:",
    ] {
        let stub = Stub::saying(garbage).await;
        let outcome = announce(&client(), &stub.url).await;
        assert!(
            matches!(outcome, Err(TrackerError::Io { .. })),
            "{garbage:?}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn urls_that_cannot_be_asked_are_refused() {
    let client = client();
    for url in ["", "announce", "http://", "udp://127.0.0.1", "udp://"] {
        let outcome = announce(&client, url).await;
        assert!(
            matches!(outcome, Err(TrackerError::InvalidUrl { .. })),
            "{url}: {outcome:?}"
        );
    }
    let scheme = "wss".to_owned();
    assert_eq!(
        announce(&client, "wss://t/announce").await,
        Err(TrackerError::UnsupportedScheme { scheme })
    );
    let scrape = client.scrape("http://127.0.0.1:1/a", &[HASH]).await;
    assert_eq!(scrape, Err(TrackerError::ScrapeUnsupported));
    // A label of more than 63 bytes: refused without asking any server.
    let nameless = format!("http://{}.invalid/announce", "x".repeat(70));
    let unresolved = announce(&client, &nameless).await;
    assert!(
        matches!(
            unresolved,
            Err(TrackerError::Io {
                operation: "resolve host",
                ..
            })
        ),
        "{unresolved:?}"
    );
}

#[tokio::test]
async fn udp_lies_are_refused() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let url = format!("udp://{}/announce", socket.local_addr().unwrap());
    let liar = tokio::spawn(async move {
        let mut packet = [0; 2048];
        let (len, from) = socket.recv_from(&mut packet).await.unwrap();
        assert_eq!(len, 16);
        // Of another transaction, then garbage, then the truth, cut short.
        socket.send_to(b"\0\0\0\x03\0\0\0\0no", from).await.unwrap();
        socket.send_to(b"garbage", from).await.unwrap();
        let answer = [b"\0\0\0\0", &packet[12..16], b"1234"].concat();
        socket.send_to(&answer, from).await.unwrap();
    });
    let outcome = announce(&client(), &url).await;
    // By accident of one in four billion, the first one fits.
    assert_malformed(outcome, "connection id");
    liar.await.unwrap();
}

#[tokio::test]
async fn a_udp_connection_id_is_used_again() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let url = format!("udp://{}/announce", socket.local_addr().unwrap());
    let tracker = tokio::spawn(async move {
        let mut packet = [0; 2048];
        let mut actions = Vec::new();
        for _ in 0..4 {
            let (_, from) = socket.recv_from(&mut packet).await.unwrap();
            let answer = match packet[11] {
                0 => [b"\0\0\0\0", &packet[12..16], b"conn-id!"].concat(),
                _ => {
                    assert_eq!(&packet[..8], b"conn-id!");
                    [
                        b"\0\0\0\x01",
                        &packet[12..16],
                        b"\0\0\0\x3c\0\0\0\0\0\0\0\0",
                    ]
                    .concat()
                }
            };
            actions.push((packet[11], from.port()));
            socket.send_to(&answer, from).await.unwrap();
        }
        actions
    });
    let client = client();
    for _ in 0..3 {
        announce(&client, &url).await.unwrap();
    }
    let actions = tracker.await.unwrap();
    assert_eq!(
        actions
            .iter()
            .map(|(action, _)| *action)
            .collect::<Vec<_>>(),
        [0, 1, 1, 1]
    );
    assert!(
        actions.iter().all(|(_, port)| *port == actions[0].1),
        "ids may be bound to ports: {actions:?}"
    );
}

#[tokio::test]
async fn connections_are_kept_and_end_with_the_client() {
    let (sent, mut ended) = tokio::sync::mpsc::channel(4);
    let stub = Stub::new(move |mut stream| {
        let sent = sent.clone();
        async move {
            while read_head(&mut stream).await.is_some() {
                stream.write_all(&http("200 OK", "", GOOD)).await.unwrap();
            }
            sent.send(()).await.unwrap();
        }
    })
    .await;
    let before = alive_tasks();
    let client = client();
    let clone = client.clone();
    for _ in 0..3 {
        announce(&client, &stub.url).await.unwrap();
        // The connection goes back to the pool in its own task.
        tokio::task::yield_now().await;
    }
    assert_eq!(stub.connections(), 1);
    drop(client);
    announce(&clone, &stub.url).await.unwrap();
    drop(clone);
    ended.recv().await.unwrap();
    settle(before).await;
}

#[tokio::test]
async fn a_dropped_request_leaves_nothing_behind() {
    let (sent, mut arrived) = tokio::sync::mpsc::channel(4);
    let stub = Stub::new(move |mut stream| {
        let sent = sent.clone();
        async move {
            read_head(&mut stream).await.unwrap();
            sent.send(()).await.unwrap();
            assert_eq!(read_head(&mut stream).await, None);
            sent.send(()).await.unwrap();
        }
    })
    .await;
    let before = alive_tasks();
    let client = client();
    tokio::select! {
        outcome = announce(&client, &stub.url) => panic!("{outcome:?}"),
        _ = arrived.recv() => {}
    }
    arrived
        .recv()
        .await
        .expect("the connection ends with the future");
    settle(before).await;
    drop(client);
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

/// Waits until no more tasks live than before; a leak hangs here until the deadline.
async fn settle(before: usize) {
    let settled = async {
        while alive_tasks() > before {
            tokio::task::yield_now().await;
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(10), settled).await;
    assert!(
        outcome.is_ok(),
        "{} tasks are left, {before} were before",
        alive_tasks()
    );
}

#[tokio::test]
async fn https_checks_certificates() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])
            .unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der())
        .unwrap();
    let tls = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/announce", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            read_head(&mut stream).await.unwrap();
            stream.write_all(&http("200 OK", "", GOOD)).await.unwrap();
        }
    });

    match announce(&client(), &url).await {
        Err(TrackerError::Io {
            operation: "connect",
            message,
            ..
        }) => {
            assert!(message.contains("certificate"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    let mut config = ClientConfig::default();
    config.add_root_certificate(cert.der()).unwrap();
    assert!(config.add_root_certificate(b"junk").is_err());
    assert_eq!(announce(&Client::new(config), &url).await, Ok(1));
    server.abort();
}
