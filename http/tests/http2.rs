//! HTTP/2: one connection for all requests to a host, and what a host can do with it.

#![expect(clippy::unwrap_used, reason = "a failing helper fails its test")]
#![expect(
    clippy::disallowed_methods,
    reason = "the servers' tasks end with their tests"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use h2::server::{Connection, SendResponse};
use hyper::Response as Head;
use tailwater_http::{Client, ClientConfig, ErrorKind, HttpError, RootCertificates, UrlTrust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

type Tls = TlsStream<TcpStream>;

/// A server over TLS that hands each connection to a function.
struct Server {
    url: String,
    roots: RootCertificates,
    connections: Arc<AtomicUsize>,
    /// Of those, how many have ended.
    ended: Arc<AtomicUsize>,
}

impl Server {
    /// One that knows these protocols.
    async fn new<F, R>(protocols: &[&str], handle: F) -> Self
    where
        F: Fn(Tls) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        tls.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().into())
            .collect();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/a", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let ended = Arc::new(AtomicUsize::new(0));
        let (count, ends) = (Arc::clone(&connections), Arc::clone(&ended));
        drop(tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let Ok(stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let (handling, ends) = (handle(stream), Arc::clone(&ends));
                drop(tokio::spawn(async move {
                    handling.await;
                    ends.fetch_add(1, Ordering::SeqCst);
                }));
            }
        }));
        Self {
            url,
            roots: RootCertificates::from_der(cert.der()).unwrap(),
            connections,
            ended,
        }
    }

    /// One that answers each request over HTTP/2 in a task of its own.
    async fn answering<F, R>(answer: F) -> Self
    where
        F: Fn(String, SendResponse<Bytes>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self::new(&["h2", "http/1.1"], move |stream| {
            let answer = answer.clone();
            async move {
                let mut requests: Connection<_, Bytes> =
                    h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, respond))) = requests.accept().await {
                    let path = request.uri().path().to_owned();
                    drop(tokio::spawn(answer(path, respond)));
                }
            }
        })
        .await
    }

    /// One that sends these bytes after the handshake of HTTP/2 and the first request, again and again.
    async fn flooding(once: Vec<u8>, again: Vec<u8>) -> Self {
        Self::new(&["h2"], move |mut stream| {
            let (once, again) = (once.clone(), again.repeat(1 + 16_384 / again.len()));
            async move {
                let mut request = [0; 4_096];
                let _ = stream.write_all(&frame(SETTINGS, 0, 0, b"")).await;
                // The preface and the first frames; the request is among them or comes next.
                let _ = stream.read(&mut request).await;
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&once).await;
                let (mut reading, mut writing) = tokio::io::split(stream);
                let drained =
                    async { while reading.read(&mut request).await.is_ok_and(|n| n > 0) {} };
                let flooding = async { while writing.write_all(&again).await.is_ok() {} };
                tokio::select! { () = drained => {}, () = flooding => {} }
            }
        })
        .await
    }

    fn config(&self) -> ClientConfig {
        ClientConfig::default()
            .http2(true)
            .root_certificates(&self.roots)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until a connection has ended.
    async fn ended(&self) {
        let ended = async {
            while self.ended.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        };
        within(ended).await;
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
/// The flag that ends a head.
const END_HEADERS: u8 = 4;

/// A frame (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A request that gives up late, so that whatever ends it is something else.
async fn get(server: &Server) -> Result<Vec<u8>, HttpError> {
    let config = server.config().read_timeout(Duration::from_secs(3_600));
    let client = Client::new(config);
    let request = client.get(&server.url).trust(UrlTrust::Named);
    request.send().await?.bytes().await
}

async fn within<T>(waiting: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    waited.expect("it hangs")
}

/// Sends a body as the windows allow.
async fn send_body(mut stream: SendStream<Bytes>, mut left: usize) {
    while left > 0 {
        stream.reserve_capacity(left.min(16_384));
        let Some(Ok(room)) = std::future::poll_fn(|context| stream.poll_capacity(context)).await
        else {
            return;
        };
        left -= room;
        if stream.send_data(vec![7; room].into(), left == 0).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn requests_at_the_same_time_share_one_connection() {
    let server = Server::answering(|path, mut respond| async move {
        let head = Head::builder().status(206).body(()).unwrap();
        let body = respond.send_response(head, false).unwrap();
        send_body(body, path.len() * 100_000).await;
    })
    .await;
    let client = Client::new(server.config());
    let mut answers = Vec::new();
    for _ in 0..8 {
        let request = client.get(&server.url).trust(UrlTrust::Named).range(0..=9);
        answers.push(within(request.send()).await.unwrap());
    }
    for answer in answers {
        assert_eq!(answer.status(), 206);
        assert!(answer.is_http2());
        assert_eq!(within(answer.bytes()).await.unwrap(), [7; 200_000]);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_host_without_http2_is_asked_over_http1() {
    for protocols in [&["http/1.1"][..], &[]] {
        let server = Server::new(protocols, async |mut stream| {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            assert!(head.starts_with(b"GET /a HTTP/1.1\r\n"));
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold";
            stream.write_all(answer).await.unwrap();
        })
        .await;
        assert_eq!(within(get(&server)).await.unwrap(), b"old");
    }
}

#[tokio::test]
async fn http2_is_offered_only_if_asked_for() {
    let server = Server::new(&["h2"], async |_| {}).await;
    let client = Client::new(ClientConfig::default().root_certificates(&server.roots));
    let refused = within(client.get(&server.url).trust(UrlTrust::Named).send()).await;
    // It offers nothing in the handshake: servers go on with what they like, which is not what this one speaks.
    assert!(matches!(refused.unwrap_err().kind(), ErrorKind::Io { .. }));
}

#[tokio::test]
async fn an_answer_that_is_not_read_takes_its_window_and_holds_no_other_up() {
    let (sent, mut sizes) = mpsc::unbounded_channel();
    let server = Server::answering(move |path, mut respond| {
        let sent = sent.clone();
        async move {
            let mut body = respond.send_response(Head::new(()), false).unwrap();
            if path == "/small" {
                body.send_data(Bytes::from_static(b"small"), true).unwrap();
                return;
            }
            // All that the client's windows take.
            let mut total = 0;
            body.reserve_capacity(usize::try_from(u32::MAX >> 1).unwrap());
            while let Some(Ok(room)) = std::future::poll_fn(|it| body.poll_capacity(it)).await {
                body.send_data(vec![0; room].into(), false).unwrap();
                total += room;
                sent.send(total).unwrap();
            }
        }
    })
    .await;
    let client = Client::new(server.config());
    let stuck = client.get(&server.url).trust(UrlTrust::Named);
    let stuck = within(stuck.max_body_len(usize::MAX).send()).await.unwrap();
    let mut total = 0;
    while total < 1024 * 1024 {
        total = within(sizes.recv()).await.unwrap();
    }
    let small = client.get(&server.url.replace("/a", "/small"));
    let small = within(small.trust(UrlTrust::Named).send()).await.unwrap();
    assert_eq!(within(small.bytes()).await.unwrap(), b"small");
    assert_eq!(server.connections(), 1);
    // Nothing more was let through meanwhile.
    assert!(sizes.try_recv().is_err());
    assert_eq!(total, 1024 * 1024);
    drop(stuck);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_dead_ends() {
    let server = Server::new(&["h2"], async |mut stream| {
        let _ = stream.write_all(&frame(SETTINGS, 0, 0, b"")).await;
        // It takes what comes, and answers nothing.
        let mut taken = [0; 4_096];
        while stream.read(&mut taken).await.is_ok_and(|count| count > 0) {}
    })
    .await;
    let before = tokio::time::Instant::now();
    let refused = get(&server).await.unwrap_err();
    // Probed after 10 s, and given up 10 s later: long before the timeout of this request.
    assert!(matches!(refused.kind(), ErrorKind::Io { .. }), "{refused}");
    assert!(before.elapsed() < Duration::from_secs(60));
}

/// The head of an answer, without its end: `:status: 200` in the static table.
const STATUS_200: u8 = 0x88;

#[tokio::test]
async fn an_endless_head_ends_its_connection() {
    // A header of 9 bytes without indexing, `x-x: 1234` and so on.
    let line = [&[0, 3][..], b"x-x", &[100], &[b'y'; 100]].concat();
    let server = Server::flooding(
        frame(HEADERS, 0, 1, &[STATUS_200]),
        frame(CONTINUATION, 0, 1, &line),
    )
    .await;
    let refused = within(get(&server)).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Io { .. }), "{refused}");
}

#[tokio::test]
async fn a_body_of_tiny_frames_ends_its_connection() {
    let server = Server::flooding(
        frame(HEADERS, END_HEADERS, 1, &[STATUS_200]),
        frame(DATA, 0, 1, b"x"),
    )
    .await;
    let client = Client::new(server.config());
    let request = client.get(&server.url).trust(UrlTrust::Named);
    let answer = within(request.send()).await.unwrap();
    // Nothing is read of it: its frames would pile up, each larger in memory than on its way.
    server.ended().await;
    let refused = within(answer.bytes()).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Io { .. }), "{refused}");
}

#[tokio::test]
async fn frames_that_bring_no_answer_put_nothing_off() {
    for (once, again) in [
        (Vec::new(), frame(PING, 0, 0, &[0; 8])),
        (Vec::new(), frame(SETTINGS, 0, 0, b"")),
        (
            frame(HEADERS, END_HEADERS, 1, &[STATUS_200]),
            frame(DATA, 0, 1, b""),
        ),
    ] {
        let server = Server::flooding(once, again).await;
        let after = Duration::from_millis(200);
        let config = server.config().connect_timeout(after).read_timeout(after);
        let client = Client::new(config);
        let request = client.get(&server.url).trust(UrlTrust::Named).send();
        let asked = async { request.await?.bytes().await };
        // h2 ends a connection for empty frames by itself.
        let refused = within(asked).await.unwrap_err();
        let is_ended = matches!(
            refused.kind(),
            ErrorKind::Timeout { .. } | ErrorKind::Io { .. }
        );
        assert!(is_ended, "{refused}");
    }
}
