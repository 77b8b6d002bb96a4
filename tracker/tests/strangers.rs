//! The address policy over loopback: strangers' URLs must not make us send their requests to our own services.

#![expect(clippy::unwrap_used, reason = "a failing helper fails its test")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "these tests are about sockets"
)]

#[allow(dead_code, reason = "shared with other tests")]
mod stub;

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use tailwater_tracker::{
    AddressPolicy, AnnounceRequest, Client, ClientConfig, Server, ServerConfig, TrackerError,
};
use tailwater_types::{InfoHash, PeerId};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use stub::{Stub, http, read_head};

const HASH: InfoHash = InfoHash::new([0xff; 20]);
const GOOD: &[u8] = b"d8:intervali60e5:peers6:\x0a\0\0\x01\x1a\xe1e";
const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn client() -> Client {
    Client::new(ClientConfig::default())
}

async fn announce(client: &Client, url: &str) -> Result<usize, TrackerError> {
    let request = AnnounceRequest::new(HASH, PeerId::new([1; 20]), 6881);
    let response = client.announce(url, &request).await?;
    Ok(response.peers.len())
}

/// An HTTP service that keeps its connections, and the first lines of what it was asked.
async fn service() -> (Stub, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heads = Arc::clone(&asked);
    let stub = Stub::new(move |mut stream| {
        let heads = Arc::clone(&heads);
        async move {
            while let Some(head) = read_head(&mut stream).await {
                let line = head.lines().next().unwrap().to_owned();
                heads.lock().unwrap().push(line);
                if stream.write_all(&http("200 OK", "", GOOD)).await.is_err() {
                    break;
                }
            }
        }
    })
    .await;
    (stub, asked)
}

/// The service's URL with another path.
fn at(stub: &Stub, path: &str) -> String {
    stub.url.replace("/announce", path)
}

#[tokio::test]
async fn an_internal_service_is_asked_only_what_trackers_are_asked() {
    let (service, asked) = service().await;
    let client = client();
    // Trackers on this host work, and leave a connection behind.
    for path in ["/announce", "/announce.php", "/abc123/announce"] {
        assert_eq!(
            announce(&client, &at(&service, path)).await,
            Ok(1),
            "{path}"
        );
    }
    let legitimate = asked.lock().unwrap().len();
    let refused = TrackerError::UrlRefused { address: LOOPBACK };
    for path in [
        "/internal/admin?do=delete",
        "/announce?do=delete",
        "/internal/admin",
        "/announce/../internal/admin",
        "/announce/..%2finternal",
        "/",
    ] {
        let url = at(&service, path);
        assert_eq!(announce(&client, &url).await, Err(refused.clone()), "{url}");
        let by_name = url.replace("127.0.0.1", "localhost");
        let outcome = announce(&client, &by_name).await;
        assert!(
            matches!(outcome, Err(TrackerError::UrlRefused { .. })),
            "{by_name}: {outcome:?}"
        );
    }
    let url = at(&service, "/announce?do=delete");
    assert_eq!(client.scrape(&url, &[HASH]).await, Err(refused));
    assert_eq!(asked.lock().unwrap().len(), legitimate, "asked no more");
    assert_eq!(service.connections(), 1, "not even connected to");

    // What the user named by hand is asked.
    let url = at(&service, "/internal/admin?do=delete");
    assert_eq!(announce(&client.for_named_urls(), &url).await, Ok(1));
    // That connection is not there for strangers.
    assert!(announce(&client, &url).await.is_err());
    assert_eq!(asked.lock().unwrap().len(), legitimate + 1);
}

#[tokio::test]
async fn a_redirect_is_held_to_the_same() {
    let (service, asked) = service().await;
    let redirect = async |location: String| {
        let header = format!("location: {location}\r\n");
        Stub::saying(http("302 Found", &header, b"")).await
    };
    let to_admin = redirect(at(&service, "/internal/admin?do=delete")).await;
    let refused = Err(TrackerError::UrlRefused { address: LOOPBACK });
    assert_eq!(announce(&client(), &to_admin.url).await, refused);
    // The user named the first URL, not where it leads.
    let named = client().for_named_urls();
    assert_eq!(announce(&named, &to_admin.url).await, refused);
    assert_eq!(service.connections(), 0);

    let to_tracker = redirect(service.url.clone()).await;
    assert_eq!(announce(&client(), &to_tracker.url).await, Ok(1));
    // A redirect that repeats our own query, as most do.
    let target = service.url.clone();
    let repeating = Stub::new(move |mut stream| {
        let target = target.clone();
        async move {
            let head = read_head(&mut stream).await.unwrap();
            let path = head.split(' ').nth(1).unwrap().to_owned();
            let location = format!("location: {}\r\n", target.replace("/announce", &path));
            let _ = stream.write_all(&http("302 Found", &location, b"")).await;
        }
    })
    .await;
    assert_eq!(announce(&client(), &repeating.url).await, Ok(1));
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].contains("/announce?info_hash=%FF"), "{}", asked[1]);
}

/// The policy's own tests have the other addresses of the kind: should it ever be broken, nothing leaves this host here.
#[tokio::test]
async fn reserved_addresses_are_never_asked() {
    for url in ["http://0.0.0.0:6969/announce", "udp://0.0.0.0:9"] {
        let address = "0.0.0.0".parse().unwrap();
        let refused = TrackerError::AddressRefused { address };
        assert_eq!(announce(&client(), url).await, Err(refused), "{url}");
    }
}

#[tokio::test]
async fn an_answer_says_where_the_tracker_is() {
    let mut config = ServerConfig::default();
    config.http = Some((LOOPBACK, 0).into());
    config.udp = Some((LOOPBACK, 0).into());
    let server = Server::bind(config).await.unwrap();
    let request = AnnounceRequest::new(HASH, PeerId::new([1; 20]), 6881);
    for url in [
        format!("http://{}/announce", server.http_addr().unwrap()),
        format!("udp://{}", server.udp_addr().unwrap()),
    ] {
        let response = client().announce(&url, &request).await.unwrap();
        assert_eq!(response.tracker_ip, Some(LOOPBACK), "{url}");
    }
    // The one that answered, not the one that redirected.
    let target = Stub::on("127.0.0.2:0", async |mut stream| {
        read_head(&mut stream).await;
        let _ = stream.write_all(&http("200 OK", "", GOOD)).await;
    })
    .await;
    let location = format!("location: {}\r\n", target.url);
    let stub = Stub::saying(http("302 Found", &location, b"")).await;
    let response = client().announce(&stub.url, &request).await.unwrap();
    assert_eq!(response.tracker_ip, Some([127, 0, 0, 2].into()));
    server.close().await;
}

/// A tracker over HTTPS that answers the same to everything; its URL, and a client that trusts it.
async fn https(answer: Vec<u8>) -> (String, Client, tokio::task::JoinHandle<()>) {
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
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let url = format!("https://{}/announce", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            read_head(&mut stream).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    let mut config = ClientConfig::default();
    config.address_policy = AddressPolicy::any();
    config.add_root_certificate(cert.der()).unwrap();
    (url, Client::new(config), task)
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_refused() {
    let (plain, asked) = service().await;
    let location = format!("location: {}\r\n", plain.url);
    let (url, client, task) = https(http("302 Found", &location, b"")).await;
    let host = "127.0.0.1".to_owned();
    let refused = Err(TrackerError::InsecureRedirect { host });
    let url = format!("{url}?passkey=secret");
    assert_eq!(announce(&client, &url).await, refused);
    assert_eq!(announce(&client.for_named_urls(), &url).await, refused);
    assert!(asked.lock().unwrap().is_empty(), "nothing went in clear");
    task.abort();
}
