//! The client against servers that behave and servers that do not, over loopback.

#![expect(clippy::unwrap_used, reason = "a failing helper fails its test")]
#![expect(
    clippy::disallowed_methods,
    reason = "the servers' tasks end with their tests"
)]

mod stub;

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tailwater_http::header::{self, HeaderValue};
use tailwater_http::{
    AddressPolicy, Client, ClientConfig, ErrorKind, HttpError, Proxy, Response, UrlTrust,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use stub::{Stub, http, read_head};

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

async fn get(config: ClientConfig, url: &str) -> Result<Vec<u8>, HttpError> {
    let request = Client::new(config).get(url).trust(UrlTrust::Named);
    request.send().await?.bytes().await
}

fn kind<T: std::fmt::Debug>(outcome: Result<T, HttpError>) -> ErrorKind {
    outcome.unwrap_err().into_kind()
}

async fn redirect(to: &str) -> Stub {
    Stub::saying(http("302 Found", &format!("location: {to}\r\n"), b"")).await
}

#[tokio::test]
async fn a_request_carries_what_it_was_given() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let stub = Stub::new(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            let head = read_head(&mut stream).await.unwrap();
            seen.lock().unwrap().push(head.to_ascii_lowercase());
            let answer = http("206 Partial", "content-range: bytes 5-8/100\r\n", b"part");
            stream.write_all(&answer).await.unwrap();
        }
    })
    .await;
    let url = stub.url.replace("http://", "http://us%65r:p%40ss@") + "?q=1#here";
    let agent = HeaderValue::from_static("tester/1");
    let client = Client::new(ClientConfig::default().user_agent(agent));
    let request = client.get(&url).trust(UrlTrust::Named).range(5..=8);
    let accept = HeaderValue::from_static("*/*");
    let response = request.header(header::ACCEPT, accept).send().await.unwrap();
    assert_eq!(response.status(), 206);
    assert_eq!(
        (response.content_length(), response.remote_ip()),
        (Some(4), Some(LOOPBACK))
    );
    let range = response.content_range().unwrap();
    assert_eq!((range.first, range.last, range.total), (5, 8, Some(100)));
    assert_eq!(response.bytes().await.unwrap(), b"part");
    let head = heads.lock().unwrap().remove(0);
    assert!(head.starts_with("get /a?q=1 http/1.1\r\n"), "{head}");
    for line in [
        "range: bytes=5-8",
        "accept: */*",
        "user-agent: tester/1",
        "authorization: basic dxnlcjpwqhnz",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
    }
    assert!(!head.contains('@'), "credentials leak: {head}");
}

#[tokio::test]
async fn an_error_names_the_url_without_its_password() {
    let refused = get(
        ClientConfig::default(),
        "http://user:secret@127.0.0.1:1/a?b",
    )
    .await;
    let error = refused.unwrap_err();
    assert_eq!(error.url(), "http://127.0.0.1:1/a?b");
    assert_eq!(
        error.to_string(),
        "http://127.0.0.1:1/a?b: cannot connect: connection refused"
    );

    // The one that could not be asked, not the one that redirected there.
    let front = redirect("http://127.0.0.1:1/behind").await;
    let policy = AddressPolicy::any();
    let refused = get(ClientConfig::default().address_policy(policy), &front.url).await;
    assert_eq!(refused.unwrap_err().url(), "http://127.0.0.1:1/behind");
}

#[tokio::test]
async fn urls_that_cannot_be_asked_are_refused() {
    for url in ["", "a", "http://", "//host/"] {
        let refused = kind(get(ClientConfig::default(), url).await);
        assert!(
            matches!(refused, ErrorKind::InvalidUrl { .. }),
            "{url}: {refused:?}"
        );
    }
    for (url, scheme) in [("file:///etc/passwd", "file"), ("ftp://host/", "ftp")] {
        let scheme = scheme.to_owned();
        let refused = kind(get(ClientConfig::default(), url).await);
        assert_eq!(refused, ErrorKind::UnsupportedScheme { scheme });
    }
}

#[tokio::test]
async fn connections_are_used_again_for_range_after_range() {
    let stub = Stub::new(async |mut stream| {
        while read_head(&mut stream).await.is_some() {
            stream
                .write_all(&http("206 Partial", "", b"x"))
                .await
                .unwrap();
        }
    })
    .await;
    let client = Client::new(ClientConfig::default());
    for first in 0..4 {
        let request = client.get(&stub.url).trust(UrlTrust::Named);
        let response = request.range(first..=first).send().await.unwrap();
        assert_eq!(response.bytes().await.unwrap(), b"x");
        // The connection goes back to the pool in its own task.
        tokio::task::yield_now().await;
    }
    assert_eq!(stub.connections(), 1);
}

/// As tinyproxy does: it closes after each answer and does not say so.
#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced_by_another() {
    let stub = Stub::new(async |mut stream| {
        if read_head(&mut stream).await.is_some() {
            stream.write_all(&http("200 OK", "", b"x")).await.unwrap();
            // The next request has been sent when the connection ends.
            read_head(&mut stream).await;
        }
    })
    .await;
    let client = Client::new(ClientConfig::default());
    for _ in 0..4 {
        let request = client.get(&stub.url).trust(UrlTrust::Named);
        let response = request.send().await.unwrap();
        assert_eq!(response.bytes().await.unwrap(), b"x");
        tokio::task::yield_now().await;
    }
    assert_eq!(stub.connections(), 4);
}

#[tokio::test]
async fn a_new_connection_that_closes_without_an_answer_is_an_error() {
    let stub = Stub::new(async |mut stream| drop(read_head(&mut stream).await)).await;
    let failure = kind(get(ClientConfig::default(), &stub.url).await);
    assert!(
        matches!(
            &failure,
            ErrorKind::Io {
                operation: "ask the server",
                ..
            }
        ),
        "{failure:?}"
    );
    assert_eq!(stub.connections(), 1);
}

#[tokio::test]
async fn an_answer_outlives_its_client() {
    let stub = Stub::saying(http("200 OK", "", &[7; 100_000])).await;
    let client = Client::new(ClientConfig::default());
    let sending = client.get(&stub.url).trust(UrlTrust::Named).send();
    let response = sending.await.unwrap();
    drop(client);
    assert_eq!(response.bytes().await.unwrap(), [7; 100_000]);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_cut_off() {
    let config = || ClientConfig::default().max_body_len(1000);
    let fits = Stub::saying(http("200 OK", "", &[1; 1000])).await;
    assert_eq!(get(config(), &fits.url).await.unwrap().len(), 1000);
    let too_long = ErrorKind::TooLong { limit: 1000 };
    // Announced: nothing of it is waited for.
    let announced = Stub::new(async |mut stream| {
        read_head(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n";
        stream.write_all(head).await.unwrap();
        read_head(&mut stream).await;
    })
    .await;
    assert_eq!(kind(get(config(), &announced.url).await), too_long);
    let endless = Stub::new(async |mut stream| {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[1; 0x10000]).await.is_ok() {}
    })
    .await;
    assert_eq!(kind(get(config(), &endless.url).await), too_long);
    // A request may have a limit of its own.
    let request = Client::new(config())
        .get(&announced.url)
        .trust(UrlTrust::Named);
    let response = request.max_body_len(9).send().await.unwrap();
    assert_eq!(
        kind(response.bytes().await),
        ErrorKind::TooLong { limit: 9 }
    );
}

#[tokio::test]
async fn a_head_that_is_too_long_is_cut_off() {
    let endless = Stub::new(async |mut stream| {
        read_head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        let line = format!("x: {}\r\n", "y".repeat(1000));
        while stream.write_all(line.as_bytes()).await.is_ok() {}
    })
    .await;
    let refused = kind(get(ClientConfig::default(), &endless.url).await);
    assert!(matches!(refused, ErrorKind::Io { .. }), "{refused:?}");
}

/// Sends a byte of a long body each second of simulated time.
async fn drip() -> Stub {
    Stub::new(async |mut stream| {
        read_head(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
        let _ = stream.write_all(head).await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_slow_drip_ends_at_the_deadline() {
    let drip = drip().await;
    let after = Duration::from_secs(30);
    let config = ClientConfig::default().timeout(after);
    let before = tokio::time::Instant::now();
    let refused = kind(get(config, &drip.url).await);
    assert_eq!(refused, ErrorKind::Timeout { after });
    assert!(before.elapsed() >= after);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_before_the_deadline() {
    let after = Duration::from_millis(500);
    let config = ClientConfig::default().read_timeout(after);
    let refused = kind(get(config, &drip().await.url).await);
    assert_eq!(refused, ErrorKind::Timeout { after });

    let silent = Stub::new(async |mut stream| while read_head(&mut stream).await.is_some() {});
    let config = ClientConfig::default()
        .connect_timeout(Duration::from_secs(2))
        .read_timeout(Duration::from_secs(3));
    let after = Duration::from_secs(5);
    let refused = kind(get(config, &silent.await.url).await);
    assert_eq!(refused, ErrorKind::Timeout { after });
}

#[tokio::test]
async fn redirects_are_followed_to_a_limit() {
    let circular = redirect("/a").await;
    let config = || ClientConfig::default().address_policy(AddressPolicy::any());
    let refused = kind(get(config().max_redirects(3), &circular.url).await);
    assert_eq!(refused, ErrorKind::TooManyRedirects { limit: 3 });
    assert_eq!(circular.connections(), 4);
    let target = Stub::saying(http("200 OK", "", b"here")).await;
    let front = redirect(&target.url).await;
    assert_eq!(get(config(), &front.url).await.unwrap(), b"here");
    let sending = Client::new(config()).get(&front.url).send();
    assert_eq!(sending.await.unwrap().url().as_str(), target.url);
    // A redirect without a target is an answer.
    let nowhere = Stub::saying(http("302 Found", "", b"no")).await;
    assert_eq!(get(config(), &nowhere.url).await.unwrap(), b"no");
}

/// A private service at 127.0.0.2, and the public internet, played by 127.0.0.1.
async fn private_service() -> Stub {
    Stub::on("127.0.0.2:0", async |mut stream| {
        read_head(&mut stream).await;
        let _ = stream.write_all(&http("200 OK", "", b"secret")).await;
    })
    .await
}

#[tokio::test]
async fn a_redirect_does_not_lead_into_a_private_network() {
    let policy = AddressPolicy::custom(|hop| hop.via.is_empty() || hop.address == LOOPBACK);
    let config = || ClientConfig::default().address_policy(policy.clone());
    let service = private_service().await;
    let front = redirect(&service.url).await;
    let address = [127, 0, 0, 2].into();
    let refused = kind(get(config(), &front.url).await);
    assert_eq!(refused, ErrorKind::AddressRefused { address });
    // By way of a public host.
    let before = redirect(&front.url).await;
    let refused = kind(get(config(), &before.url).await);
    assert_eq!(refused, ErrorKind::AddressRefused { address });
    assert_eq!(service.connections(), 0);
    // Typed by the user, it is asked.
    assert_eq!(get(config(), &service.url).await.unwrap(), b"secret");
}

#[tokio::test]
async fn a_stranger_s_url_does_not_lead_to_this_host() {
    let service = Stub::saying(http("200 OK", "", b"secret")).await;
    let client = Client::new(ClientConfig::default());
    let by_name = service.url.replace("127.0.0.1", "localhost");
    for url in [&service.url, &by_name] {
        let refused = kind(client.get(url).send().await);
        assert!(
            matches!(refused, ErrorKind::UrlRefused { .. }),
            "{url}: {refused:?}"
        );
    }
    let strict = ClientConfig::default().address_policy(AddressPolicy::public_only());
    let refused = kind(get(strict, &by_name).await);
    assert!(
        matches!(refused, ErrorKind::AddressRefused { .. }),
        "{refused:?}"
    );
    assert_eq!(service.connections(), 0);
    // A form that requests of this kind have.
    let request = client.get(&service.url).trust(UrlTrust::Plain);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

/// A server over TLS whose certificate only its own `ClientConfig` trusts.
async fn tls_server(answer: Vec<u8>) -> (String, ClientConfig) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der());
    let tls = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/a", listener.local_addr().unwrap());
    drop(tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                read_head(&mut stream).await;
                let _ = stream.write_all(&answer).await;
            }
        }
    }));
    let config = ClientConfig::default().address_policy(AddressPolicy::any());
    (url, config.root_certificate(cert.der()).unwrap())
}

#[tokio::test]
async fn a_certificate_of_no_known_authority_is_refused() {
    let (url, trusting) = tls_server(http("200 OK", "", b"private")).await;
    let refused = kind(get(ClientConfig::default(), &url).await);
    let ErrorKind::Tls { reason } = &refused else {
        panic!("{refused:?}");
    };
    assert!(reason.contains("certificate"), "{reason}");
    assert_eq!(get(trusting, &url).await.unwrap(), b"private");
    assert!(ClientConfig::default().root_certificate(b"junk").is_err());
    // What speaks no TLS at all.
    let plain = Stub::new(async |mut stream| {
        let _ = stream.write_all(&http("400 Bad", "", b"")).await;
    })
    .await;
    let refused = kind(
        get(
            ClientConfig::default(),
            &plain.url.replace("http:", "https:"),
        )
        .await,
    );
    assert!(matches!(refused, ErrorKind::Tls { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_redirect_does_not_give_up_tls() {
    let plain = Stub::saying(http("200 OK", "", b"in clear")).await;
    let location = format!("location: {}\r\n", plain.url);
    let (url, trusting) = tls_server(http("302 Found", &location, b"")).await;
    let host = "127.0.0.1".to_owned();
    let refused = kind(get(trusting.clone(), &url).await);
    assert_eq!(refused, ErrorKind::InsecureRedirect { host });
    assert_eq!(plain.connections(), 0);
    let allowed = get(trusting.allow_downgrade(true), &url).await;
    assert_eq!(allowed.unwrap(), b"in clear");
}

async fn pass_on(mut stream: TcpStream, to: &str) {
    let mut target = TcpStream::connect(to).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut target).await;
}

/// A SOCKS5 proxy (RFC 1928) without authentication that takes every name for this host.
async fn socks() -> Stub {
    Stub::new(async |mut stream| {
        let mut greeting = [0; 3];
        stream.read_exact(&mut greeting).await.unwrap();
        assert_eq!(greeting, [5, 1, 0]);
        stream.write_all(&[5, 0]).await.unwrap();
        let mut head = [0; 5];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(head[..4], [5, 1, 0, 3], "a name, not an address");
        let mut rest = vec![0; usize::from(head[4]) + 2];
        stream.read_exact(&mut rest).await.unwrap();
        let port = rest.split_off(rest.len() - 2);
        assert_eq!(rest, b"seed.invalid");
        stream
            .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        let port = u16::from_be_bytes([port[0], port[1]]);
        pass_on(stream, &format!("127.0.0.1:{port}")).await;
    })
    .await
}

async fn through(proxy: &str, url: &str) -> Result<Response, HttpError> {
    let config = ClientConfig::default().proxy(Proxy::all(proxy).unwrap());
    Client::new(config).get(url).send().await
}

#[tokio::test]
async fn a_socks_proxy_resolves_the_name() {
    let target = Stub::saying(http("200 OK", "", b"far away")).await;
    let url = target.url.replace("127.0.0.1", "seed.invalid");
    let proxy = socks().await;
    let at = proxy.url.replace("http://", "socks5://");
    let at = at.trim_end_matches("/a");
    let response = through(at, &url).await.unwrap();
    assert_eq!(response.remote_ip(), None);
    assert_eq!(response.bytes().await.unwrap(), b"far away");
    // An address in the URL is judged here.
    let refused = kind(through(at, &target.url).await);
    assert_eq!(refused, ErrorKind::UrlRefused { address: LOOPBACK });
}

#[tokio::test]
async fn an_http_proxy_takes_whole_urls_and_credentials() {
    let proxy = Stub::new(async |mut stream| {
        let head = read_head(&mut stream).await.unwrap();
        let is_whole = head.starts_with("GET http://seed.invalid/x HTTP/1.1\r\n");
        let is_known = head
            .to_ascii_lowercase()
            .contains("proxy-authorization: basic dtpw");
        let status = if is_whole && is_known {
            "200 OK"
        } else {
            "400 Bad"
        };
        let location = match head.contains("/x ") {
            true => http(status, "", head.as_bytes()),
            false => http("302 Found", "location: http://127.0.0.1/\r\n", b""),
        };
        stream.write_all(&location).await.unwrap();
    })
    .await;
    let at = proxy.url.replace("http://", "http://u:p@");
    let response = through(&at, "http://seed.invalid/x").await.unwrap();
    assert_eq!(response.status(), 200);
    // A redirector behind a proxy sees no private address.
    let config = ClientConfig::default()
        .proxy(Proxy::all(&at).unwrap())
        .address_policy(AddressPolicy::outward_redirects());
    let refused = kind(get(config, "http://seed.invalid/y").await);
    assert_eq!(refused, ErrorKind::AddressRefused { address: LOOPBACK });
}

#[tokio::test]
async fn an_http_proxy_tunnels_tls() {
    let (url, trusting) = tls_server(http("200 OK", "", b"private")).await;
    let target = url
        .trim_start_matches("https://")
        .trim_end_matches("/a")
        .to_owned();
    let expected = format!("CONNECT {target} HTTP/1.1\r\n");
    let proxy = Stub::new(move |mut stream| {
        let (target, expected) = (target.clone(), expected.clone());
        async move {
            let head = read_head(&mut stream).await.unwrap();
            assert!(head.starts_with(&expected), "{head}");
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            pass_on(stream, &target).await;
        }
    })
    .await;
    let config = trusting.proxy(Proxy::all(&proxy.url).unwrap());
    assert_eq!(get(config, &url).await.unwrap(), b"private");
    assert_eq!(proxy.connections(), 1);
}
