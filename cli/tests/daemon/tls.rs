//! A daemon that encrypts its connections, and `tailwater ctl` that knows it by its certificate.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::{LOCAL, Place, Running, noise};

/// Writes a new certificate and its key over those that are there.
fn sign(place: &Place) {
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let signed = rcgen::generate_simple_self_signed(names).unwrap();
    place.write("cert.pem", signed.cert.pem().as_bytes());
    place.write("key.pem", signed.signing_key.serialize_pem().as_bytes());
}

fn start(place: &Place) -> (Running, String) {
    let own = [
        "daemon",
        "--http",
        "127.0.0.1:0",
        "--data",
        "data",
        "--state",
        "daemon",
    ];
    let tls = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let process = place.start(&[&own, &LOCAL[..], &tls].concat());
    let line = process.line("daemon:");
    let url = line.split_whitespace().nth(1).unwrap();
    let url = url.strip_suffix("/api/v1").unwrap().to_owned();
    assert!(url.starts_with("https://"), "{url}");
    (process, url)
}

/// Asks over TLS; the whole answer.
fn get(place: &Place, url: &str, request: &str) -> String {
    let addr = url.strip_prefix("https://").unwrap();
    let certificate = CertificateDer::from_pem_file(place.path("cert.pem")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(addr).unwrap());
    let head = format!("Host: {addr}\r\nConnection: close\r\n");
    let request = request.replacen("\r\n", &format!("\r\n{head}"), 1);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // The end may come without a farewell.
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn ctl_drives_a_daemon_over_tls_and_a_renewed_certificate_is_taken_over() {
    let place = Place::new();
    sign(&place);
    place.write("here/film.mp4", &noise(1, 40_000));
    let torrent = place.create("here/film.mp4", &[]);
    let (process, url) = start(&place);
    let ctl = |args: &[&str]| place.run(&[&["ctl", "--daemon", &url], args].concat());
    let trusting = ["--ca-cert", "cert.pem"];
    let added = ctl(&[&trusting[..], &["add", &torrent, "--paused"]].concat());
    assert_eq!(added.code, Some(0), "{added:?}");
    // One that signed its own certificate is known to no one else.
    let unknown = ctl(&["list"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.err.contains("--ca-cert"), "{unknown:?}");
    // Without TLS there is no answer.
    let plain = url.replace("https://", "http://");
    let plain = place.run(&["ctl", "--daemon", &plain, "list"]);
    assert_eq!(plain.code, Some(1), "{plain:?}");

    // Links of the daemon's own are encrypted too, and its cookies are for TLS alone.
    let list = get(
        &place,
        &url,
        "GET /api/v1/torrents?fields=id HTTP/1.1\r\n\r\n",
    );
    let id = list
        .split("\"id\":\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let playlist = get(
        &place,
        &url,
        &format!("GET /stream/{id}/playlist.m3u HTTP/1.1\r\n\r\n"),
    );
    assert!(
        playlist.contains(&format!("{url}/stream/{id}/0/film.mp4")),
        "{playlist}"
    );
    let out = get(&place, &url, "POST /api/v1/logout HTTP/1.1\r\n\r\n");
    assert!(out.contains("; Secure"), "{out}");

    // A client that says nothing does not hold a place for ever, and keeps no one out.
    let silent: Vec<_> = (0..50)
        .map(|_| TcpStream::connect(url.strip_prefix("https://").unwrap()).unwrap())
        .collect();
    place.write("old.pem", &std::fs::read(place.path("cert.pem")).unwrap());
    sign(&place);
    process.signal("HUP");
    process.error_line("the configuration was read again");
    let renewed = ctl(&[&trusting[..], &["stats"]].concat());
    assert_eq!(renewed.code, Some(0), "{renewed:?}");
    let old = ctl(&["--ca-cert", "old.pem", "stats"]);
    assert_eq!(old.code, Some(1), "{old:?}");
    drop(silent);
    // One that cannot be read is not taken over.
    place.write("key.pem", b"nothing");
    process.signal("HUP");
    let told = process.error_line("was not taken over");
    assert!(told.contains("key.pem"), "{told}");
    let still = ctl(&[&trusting[..], &["stats"]].concat());
    assert_eq!(still.code, Some(0), "{still:?}");
    process.signal("TERM");
    assert_eq!(process.finish().code, Some(0));
}

#[test]
fn a_certificate_that_cannot_be_used_is_said_at_the_start() {
    let place = Place::new();
    sign(&place);
    let key = std::fs::read(place.path("key.pem")).unwrap();
    sign(&place);
    place.write("other.pem", &key);
    place.write("empty.pem", b"");
    for (certificate, key) in [
        ("cert.pem", "other.pem"),
        ("cert.pem", "empty.pem"),
        ("empty.pem", "key.pem"),
        ("missing.pem", "key.pem"),
    ] {
        let refused = place.run(&[
            "daemon",
            "--http",
            "127.0.0.1:0",
            "--data",
            "data",
            "--state",
            "daemon",
            "--tls-cert",
            certificate,
            "--tls-key",
            key,
        ]);
        assert_eq!(refused.code, Some(1), "{certificate} {key}: {refused:?}");
        assert!(refused.err.contains(".pem"), "{refused:?}");
    }
    let alone = place.run(&["daemon", "--tls-cert", "cert.pem"]);
    assert_eq!(alone.code, Some(2), "{alone:?}");
}
