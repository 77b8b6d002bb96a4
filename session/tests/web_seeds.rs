//! Web seeds (BEP 19, BEP 17): a session and HTTP servers that answer well, badly, or not at all.

#![expect(clippy::unwrap_used, reason = "what cannot go wrong in a test ends it")]

mod support;

use sha1::{Digest, Sha1};
use support::web_download::Download;
use support::web_server::{Answer, WebServer, head};
use support::{Share, seed, session, within};
use tailwater_session::metainfo::{FileEntry, Metainfo};
use tailwater_session::{AddOptions, Event, Origin, Session, StorageKind, WebSeedState};
use tempfile::TempDir;

fn files() -> Vec<(&'static str, usize)> {
    vec![
        ("a/one.bin", 1_000_000),
        ("a/two words.bin", 70_001),
        ("empty", 0),
        ("z", 1),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torrent_is_downloaded_from_a_web_seed_alone() {
    let share = Share::new(1, &files(), 65_536);
    let server = WebServer::new(share.dir.path()).await;
    let download = Download::from(&share, &[&server]).await;
    download.complete(&share).await;
    let seeds = download.torrent.web_seeds();
    let total = share.metainfo.info().geometry().total();
    assert_eq!(seeds.len(), 1);
    assert_eq!(seeds[0].url, server.url);
    assert_eq!(seeds[0].downloaded, total);
    assert_eq!(seeds[0].last_error, None);
    assert_eq!(download.torrent.stats().downloaded, total);
    assert_eq!(download.torrent.stats().peers, 0);
    // Connections are kept, and blocks that follow each other are one request.
    let blocks = usize::try_from(total / 16_384).unwrap();
    let requests = server.asked().len();
    assert!(requests < blocks / 2, "{requests} for {blocks} blocks");
    let connections = server.connections();
    assert!(connections < requests, "{connections} for {requests}");
    within(download.session.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_web_seeds_of_a_torrent_and_of_its_record_are_used() {
    let share = Share::new(2, &files(), 65_536);
    let server = WebServer::new(share.dir.path()).await;
    let metainfo = Metainfo::from_info(
        share.metainfo.info().clone(),
        Vec::new(),
        vec![server.url.clone()],
    );
    let download = Download::new(&metainfo, |options| options).await;
    download.complete(&share).await;
    let record = Download::from(&share, &[&server]).await.torrent.record();
    assert_eq!(record.web_seeds, std::slice::from_ref(&server.url));
    let target = TempDir::new().unwrap();
    let mut record = record;
    record.storage = tailwater_session::StorageRecord::Folder(target.path().into());
    let session = session();
    let again = session.add_record(&record).await.unwrap();
    within(again.wait_complete()).await.unwrap();
    share.assert_same(target.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_file_is_fetched_from_its_url_or_below_a_folder() {
    let dir = TempDir::new().unwrap();
    let content = vec![7; 200_000];
    std::fs::write(dir.path().join("one film.bin"), &content).unwrap();
    let created = tailwater_session::metainfo::Creator::new()
        .piece_length(32_768)
        .create(&dir.path().join("one film.bin"), |_| {
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    let server = WebServer::new(dir.path()).await;
    for url in [server.url.clone(), format!("{}one%20film.bin", server.url)] {
        let download = Download::new(&created.metainfo, |options| options.web_seeds([url])).await;
        within(download.torrent.wait_complete()).await.unwrap();
        let found = std::fs::read(download.target.path().join("one film.bin")).unwrap();
        assert!(found == content);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pad_files_are_not_fetched() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("share");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("a"), vec![1; 50_000]).unwrap();
    std::fs::write(root.join("b"), vec![2; 50_000]).unwrap();
    let content = [vec![1; 50_000], vec![0; 15_536], vec![2; 50_000]].concat();
    let hashes: Vec<u8> = content
        .chunks(32_768)
        .flat_map(|piece| Sha1::digest(piece).to_vec())
        .collect();
    let mut file = b"d4:infod5:filesld6:lengthi50000e4:pathl1:aee\
        d4:attr1:p6:lengthi15536e4:pathl4:.pad5:15536eed6:lengthi50000e4:pathl1:beee\
        4:name5:share12:piece lengthi32768e6:pieces80:"
        .to_vec();
    file.extend(hashes);
    file.extend(b"ee");
    let share = Share {
        dir,
        metainfo: Metainfo::from_bytes(&file).unwrap(),
    };
    let files = share.metainfo.info().files();
    assert!(files.iter().any(FileEntry::is_pad));
    let server = WebServer::new(share.dir.path()).await;
    let download = Download::from(&share, &[&server]).await;
    within(download.torrent.wait_complete()).await.unwrap();
    for name in ["a", "b"] {
        let found = std::fs::read(download.target.path().join("share").join(name)).unwrap();
        let expected = std::fs::read(share.dir.path().join("share").join(name)).unwrap();
        assert!(found == expected);
    }
    let asked = server.asked();
    assert!(
        asked
            .iter()
            .all(|asked| asked.path.len() == "/share/a".len())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_ranges_is_given_up_and_files_that_are_asked_for_whole_are_taken() {
    let share = Share::new(3, &files(), 65_536);
    let bare = WebServer::scripted(share.dir.path(), |_| Answer::Whole).await;
    let download = Download::from(&share, &[&bare]).await;
    download.until(0, WebSeedState::Failed).await;
    let error = download.torrent.web_seeds()[0].last_error.clone();
    assert_eq!(error.unwrap(), "its server does not support ranges");
    // Peers finish what it could not.
    let origin = session();
    seed(&origin, &share).await;
    let peers = origin.listen_addr().into_iter().collect();
    download.torrent.add_peers(peers).await.unwrap();
    download.complete(&share).await;

    let small = Share::new(4, &[("a", 10_000), ("b", 6_000)], 16_384);
    let bare = WebServer::scripted(small.dir.path(), |_| Answer::Whole).await;
    let download = Download::from(&small, &[&bare]).await;
    download.complete(&small).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_a_server_lacks_is_fetched_elsewhere() {
    let share = Share::new(5, &files(), 65_536);
    let lacks = |status: &'static str| {
        WebServer::scripted(share.dir.path(), move |asked| {
            match asked.path.contains("one.bin") {
                true => head(status, ""),
                false => Answer::File,
            }
        })
    };
    let lacking = lacks("404 Not Found").await;
    let all = WebServer::new(share.dir.path()).await;
    let download = Download::from(&share, &[&lacking, &all]).await;
    download.complete(&share).await;
    let asked = lacking.asked();
    let refused = asked.iter().filter(|asked| asked.path.contains("one.bin"));
    assert!(refused.count() <= 1, "it is not asked for it again");

    // A server that has nothing of it.
    let empty = TempDir::new().unwrap();
    let empty = WebServer::new(empty.path()).await;
    let download = Download::from(&share, &[&empty]).await;
    download.until(0, WebSeedState::Failed).await;
    let error = download.torrent.web_seeds()[0].last_error.clone();
    assert_eq!(error.unwrap(), "404 Not Found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_server_is_asked_again_when_it_says_so() {
    let share = Share::new(6, &files(), 65_536);
    let busy = WebServer::scripted(share.dir.path(), |asked| match asked.number {
        0 => head("503 Service Unavailable", "retry-after: 1\r\n"),
        _ => Answer::File,
    })
    .await;
    let download = Download::from(&share, &[&busy]).await;
    download.until(0, WebSeedState::Waiting).await;
    assert_eq!(busy.asked().len(), 1);
    download.complete(&share).await;
    // It took its whole work back meanwhile, and answered every request once.
    let error = download.torrent.web_seeds()[0].last_error.clone();
    assert_eq!(error.unwrap(), "503 Service Unavailable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_answer_lacks_is_fetched_again() {
    let share = Share::new(7, &files(), 65_536);
    let short = WebServer::scripted(share.dir.path(), |asked| match asked.number {
        // The first request may be for one block.
        0 => Answer::Short(10_000),
        _ => Answer::File,
    })
    .await;
    let download = Download::from(&share, &[&short]).await;
    download.complete(&share).await;
    assert!(download.torrent.web_seeds()[0].last_error.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_answers_end_a_web_seed() {
    let share = Share::new(8, &[("a", 300_000)], 65_536);
    let cases = [
        (
            "206 Partial Content",
            "content-range: bytes 5-9/300000\r\n",
            "it answers with bytes 5 to 9 and not",
        ),
        ("206 Partial Content", "", "it does not say which range"),
        (
            "206 Partial Content",
            "content-range: bytes 0-9/10\r\n",
            "its file has 10 bytes and not 300000",
        ),
        (
            "200 OK",
            "content-encoding: gzip\r\n",
            "it compresses its answers",
        ),
        ("401 Unauthorized", "", "401 Unauthorized"),
    ];
    for (status, headers, expected) in cases {
        let wrong = WebServer::scripted(share.dir.path(), move |_| head(status, headers)).await;
        let download = Download::from(&share, &[&wrong]).await;
        let error = download.error().await;
        assert!(error.starts_with(expected), "{error}");
        assert_eq!(download.torrent.stats().downloaded, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_seed_that_lies_is_banned_and_not_the_others() {
    let share = Share::new(9, &files(), 65_536);
    let liar = WebServer::scripted(share.dir.path(), |_| Answer::Corrupt).await;
    let download = Download::from(&share, &[&liar]).await;
    let mut events = download.session.subscribe();
    download.until(0, WebSeedState::Banned).await;
    let banned = async {
        loop {
            if let Event::Banned { origin, .. } = events.next().await.unwrap() {
                return origin;
            }
        }
    };
    let id = download.torrent.web_seeds()[0].id;
    assert_eq!(within(banned).await, Origin::WebSeed(id));
    assert!(!download.torrent.have().await.unwrap().is_all());

    let honest = WebServer::new(share.dir.path()).await;
    let download = Download::from(&share, &[&liar, &honest]).await;
    download.complete(&share).await;
    assert_ne!(download.torrent.web_seeds()[1].state, WebSeedState::Banned);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirects_are_followed() {
    let share = Share::new(10, &files(), 65_536);
    let target = WebServer::new(share.dir.path()).await;
    let to = target.url.clone();
    let redirecting = WebServer::scripted(share.dir.path(), move |asked| {
        let path = asked.path.trim_start_matches('/');
        head("302 Found", &format!("location: {to}{path}\r\n"))
    })
    .await;
    let download = Download::from(&share, &[&redirecting]).await;
    download.complete(&share).await;
    assert!(!target.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torrents_url_with_a_query_does_not_lead_to_a_private_address() {
    let share = Share::new(11, &files(), 65_536);
    let server = WebServer::new(share.dir.path()).await;
    let url = format!("{}x?delete=all&y=/", server.url);
    let info = share.metainfo.info().clone();
    let metainfo = Metainfo::from_info(info, Vec::new(), vec![url.clone()]);
    let download = Download::new(&metainfo, |options| options).await;
    download.until(0, WebSeedState::Failed).await;
    assert_eq!(server.connections(), 0);
    // The user may name it.
    let download = Download::new(&share.metainfo, |options| options.web_seeds([url])).await;
    download.until(0, WebSeedState::Failed).await;
    assert!(server.connections() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_nothing_is_wanted_of_any_more_ends_and_so_does_a_closed_torrent() {
    let share = Share::new(12, &[("a", 1_000_000)], 65_536);
    let stuck = WebServer::scripted(share.dir.path(), |_| Answer::Stuck(100)).await;
    let download = Download::from(&share, &[&stuck]).await;
    download.until(0, WebSeedState::Downloading).await;
    // A peer brings everything: the request is dropped, and its connection with it.
    let origin = session();
    seed(&origin, &share).await;
    let peers = origin.listen_addr().into_iter().collect();
    download.torrent.add_peers(peers).await.unwrap();
    download.complete(&share).await;
    let closed = async {
        while stuck.open() > 0 {
            tokio::task::yield_now().await;
        }
    };
    within(closed).await;
    within(download.session.close()).await;

    let download = Download::from(&share, &[&stuck]).await;
    download.until(0, WebSeedState::Downloading).await;
    within(download.session.close()).await;
    assert_eq!(download.torrent.web_seeds()[0].state, WebSeedState::Idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_is_asked_for_pieces_by_a_query() {
    let share = Share::new(13, &[("a", 300_000)], 65_536);
    let content = std::fs::read(share.dir.path().join("share/a")).unwrap();
    let script = WebServer::scripted(share.dir.path(), move |asked| {
        let value = |name: &str| {
            let query = asked.path.split_once('?').unwrap().1;
            let pair = query.split('&').find_map(|pair| pair.strip_prefix(name));
            pair.unwrap().to_owned()
        };
        let piece: usize = value("piece=").parse().unwrap();
        let ranges = value("ranges=");
        let (first, last) = ranges.split_once('-').unwrap();
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        let body = &content[piece * 65_536 + first..=piece * 65_536 + last];
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        Answer::Raw([head.as_bytes(), body].concat())
    })
    .await;
    let file = tailwater_session::metainfo::Metainfo::from_bytes(&with_http_seed(
        &share.metainfo,
        &format!("{}seed", script.url),
    ))
    .unwrap();
    let download = Download::new(&file, |options| options).await;
    download.complete(&share).await;
    assert!(!script.asked().is_empty());
    assert!(script.asked().iter().all(|asked| asked.range.is_none()));
}

/// A .torrent file that names a web seed of BEP 17.
fn with_http_seed(metainfo: &Metainfo, url: &str) -> Vec<u8> {
    let mut file = format!("d9:httpseedsl{}:{url}e4:info", url.len()).into_bytes();
    file.extend_from_slice(metainfo.info().raw());
    file.push(b'e');
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_web_seeds_than_are_used_at_once_take_turns() {
    let share = Share::new(14, &files(), 65_536);
    let useless = WebServer::new(share.dir.path()).await;
    let good = WebServer::new(share.dir.path()).await;
    let mut urls: Vec<_> = (0..20).map(|n| format!("{}{n}/", useless.url)).collect();
    urls.push(good.url.clone());
    // They have none of the files there.
    let download = Download::new(&share.metainfo, |options| options.web_seeds(urls)).await;
    download.complete(&share).await;
    let seeds = download.torrent.web_seeds();
    assert_eq!(seeds.len(), 21);
    assert!(seeds[20].downloaded > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_reads_and_seeks_from_a_web_seed_alone() {
    use tailwater_session::ReaderOptions;
    let share = Share::new(15, &[("a", 4_000_000)], 65_536);
    let server = WebServer::new(share.dir.path()).await;
    let content = std::fs::read(share.dir.path().join("share/a")).unwrap();
    let session = Session::builder()
        .listen(support::LOOPBACK)
        .memory_budget(1 << 20)
        .start()
        .unwrap();
    let options = AddOptions::new(StorageKind::Memory)
        .on_demand(true)
        .web_seeds([server.url.clone()]);
    let torrent = session.add(&share.metainfo, options).await.unwrap();
    let mut reader = torrent.reader(0, ReaderOptions::default()).unwrap();
    for at in [0, 3_000_000, 1_000_000, 3_999_000] {
        reader.seek_to(at);
        let mut read = Vec::new();
        while read.len() < 1_000 {
            let chunk = within(reader.next_bytes(1_000)).await.unwrap();
            read.extend_from_slice(&chunk);
        }
        let at = usize::try_from(at).unwrap();
        assert!(read[..1_000] == content[at..at + 1_000]);
    }
}
