//! Web seeds (BEP 19) that do their worst: each costs the torrent little, and peers or other web seeds finish it.

#![expect(clippy::unwrap_used, reason = "what cannot go wrong in a test ends it")]

mod support;

use support::web_download::Download;
use support::web_server::{Answer, WebServer, head};
use support::{Share, seed, session, within};
use tailwater_session::WebSeedState;

const LEN: usize = 300_000;

fn share(seed: u64) -> Share {
    Share::new(seed, &[("a", LEN)], 65_536)
}

/// The head of a right answer to this request, with these headers more.
fn partial(range: &std::ops::Range<usize>, headers: &str) -> Vec<u8> {
    let (first, last) = (range.start, range.end - 1);
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {first}-{last}/{LEN}\r\n{headers}\r\n"
    );
    head.into_bytes()
}

/// A good web seed beside it finishes the download.
async fn finish(share: &Share, hostile: &WebServer) {
    let good = WebServer::new(share.dir.path()).await;
    let download = Download::from(share, &[hostile, &good]).await;
    download.complete(share).await;
    // Nothing was taken twice or beyond the end.
    let from = download.torrent.web_seeds();
    let total = share.metainfo.info().geometry().total();
    let taken: u64 = from.iter().map(|seed| seed.downloaded).sum();
    let wasted = download.torrent.stats().wasted;
    assert!(
        taken <= total + wasted,
        "{taken} of {total}, {wasted} wasted"
    );
    within(download.session.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_without_an_end_is_cut_off() {
    let share = share(1);
    for line in ["x: y\r\n".repeat(1_000), "x".repeat(10_000)] {
        let endless = WebServer::scripted(share.dir.path(), move |_| {
            let first = b"HTTP/1.1 206 Partial Content\r\n".to_vec();
            Answer::Endless(first, line.clone().into_bytes())
        })
        .await;
        let download = Download::from(&share, &[&endless]).await;
        let error = download.error().await;
        assert!(error.starts_with("cannot ask the server: "), "{error}");
        assert_eq!(download.torrent.stats().downloaded, 0);
        finish(&share, &endless).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interim_answers_without_an_end_do_not_stop_the_others() {
    let share = share(2);
    let endless = WebServer::scripted(share.dir.path(), |_| {
        let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n";
        Answer::Endless(Vec::new(), interim.repeat(100))
    })
    .await;
    finish(&share, &endless).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirects_in_a_circle_end_a_web_seed() {
    let share = share(3);
    let circle = WebServer::scripted(share.dir.path(), |asked| {
        let next = format!("location: {}x\r\n", asked.path);
        head("302 Found", &next)
    })
    .await;
    let download = Download::from(&share, &[&circle]).await;
    download.until(0, WebSeedState::Failed).await;
    assert_eq!(download.error().await, "more than 5 redirects");
    assert_eq!(circle.asked().len(), 6);
    finish(&share, &circle).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_does_not_lead_to_another_protocol_or_to_a_reserved_address() {
    let share = share(4);
    for (to, expected) in [
        ("file:///etc/passwd", "unsupported scheme \"file\""),
        (
            "http://169.254.169.254/share/a",
            "the address policy does not allow 169.254.169.254",
        ),
        (
            "http://127.0.0.1:1/share/a?delete=all",
            "the address policy does not allow this URL at 127.0.0.1",
        ),
    ] {
        let redirecting = WebServer::scripted(share.dir.path(), move |_| {
            head("302 Found", &format!("location: {to}\r\n"))
        })
        .await;
        let download = Download::from(&share, &[&redirecting]).await;
        download.until(0, WebSeedState::Failed).await;
        assert_eq!(download.error().await, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_bytes_than_were_asked_for_are_not_taken() {
    let share = share(5);
    // Announced: the body is not even read.
    let announced = WebServer::scripted(share.dir.path(), |asked| {
        let headers = format!("content-length: {}\r\n", 10 * LEN);
        Answer::Endless(
            partial(&asked.range.clone().unwrap(), &headers),
            vec![1; 10_000],
        )
    })
    .await;
    let download = Download::from(&share, &[&announced]).await;
    let error = download.error().await;
    assert!(
        error.starts_with("it answers with 3000000 bytes and not"),
        "{error}"
    );
    assert_eq!(download.torrent.web_seeds()[0].downloaded, 0);
    finish(&share, &announced).await;

    // Not announced: the right bytes, and then more.
    let content = std::fs::read(share.dir.path().join("share/a")).unwrap();
    let chatty = WebServer::scripted(share.dir.path(), move |asked| {
        let range = asked.range.clone().unwrap();
        let right = [
            partial(&range, "connection: close\r\n"),
            content[range].to_vec(),
        ]
        .concat();
        Answer::Endless(right, vec![1; 10_000])
    })
    .await;
    finish(&share, &chatty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_byte_by_byte_is_fetched_from_a_peer() {
    let share = share(6);
    let content = std::fs::read(share.dir.path().join("share/a")).unwrap();
    let dripping = WebServer::scripted(share.dir.path(), move |asked| {
        let range = asked.range.clone().unwrap();
        let headers = format!("content-length: {}\r\n", range.len());
        Answer::Drip([partial(&range, &headers), content[range].to_vec()].concat())
    })
    .await;
    let download = Download::from(&share, &[&dripping]).await;
    download.until(0, WebSeedState::Downloading).await;
    let origin = session();
    seed(&origin, &share).await;
    let peers = origin.listen_addr().into_iter().collect();
    download.torrent.add_peers(peers).await.unwrap();
    download.complete(&share).await;
}
