//! Torrents by URL, from correct and from faulty servers.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use support::{Place, noise};

/// A web server that answers every request with `answer`; its address.
fn server(answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = BufReader::new(stream.try_clone().unwrap());
            let head = request
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty());
            assert!(head.count() > 0);
            // A client may go away in the middle of an answer.
            let _ = answer(&mut stream);
        }
    });
    addr.to_string()
}

#[test]
fn a_torrent_is_fetched_through_a_redirect() {
    let place = Place::new();
    place.write("one", &noise(9, 100_000));
    place.ok(&["create", "one"]);
    let bytes = std::fs::read(place.path("one.torrent")).unwrap();
    let origin = server(move |stream| {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            bytes.len()
        )?;
        stream.write_all(&bytes)
    });
    let front = server(move |stream| {
        write!(
            stream,
            "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: http://{origin}/x\r\nContent-Length: 0\r\n\r\n"
        )
    });
    let out = place.ok(&["inspect", &format!("http://{front}/a.torrent")]);
    assert!(out.starts_with("name:          one\n"), "{out}");
}

#[test]
fn servers_that_do_not_give_a_torrent_are_named_with_the_reason() {
    let place = Place::new();
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let missing = server(|stream| {
        write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
    });
    let html = server(|stream| {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 15\r\n\r\n<!DOCTYPE html>"
        )
    });
    let endless = server(|stream| {
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[b'd'; 65_536])?;
        }
    });
    let circle = server(|stream| {
        write!(
            stream,
            "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"
        )
    });
    let cases = [
        (nobody, "refused"),
        (missing, "404 Not Found"),
        (html, "not a torrent file"),
        (endless, "longer than the 10000000 bytes"),
        (circle, "redirect"),
    ];
    for (addr, told) in cases {
        let url = format!("http://{addr}/a.torrent");
        let finished = place.run(&["download", &url, "-o", "there"]);
        assert_eq!(finished.code, Some(1), "{told}: {finished:?}");
        assert!(finished.err.contains(&url), "{told}: {}", finished.err);
        assert!(
            finished.err.to_lowercase().contains(&told.to_lowercase()),
            "{told}: {}",
            finished.err
        );
        assert!(place.everything().is_empty(), "{told}");
    }
}
