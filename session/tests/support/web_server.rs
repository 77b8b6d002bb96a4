//! A web server for files, whose answers a test can change.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request, as far as tests care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The path, with the query.
    pub(crate) path: String,
    pub(crate) range: Option<Range<usize>>,
    /// How many requests came before.
    pub(crate) number: usize,
}

/// What a test has the server do with a request.
pub(crate) enum Answer {
    /// What a good server answers.
    File,
    /// The whole file, whatever was asked for.
    Whole,
    /// The range, with one byte of it changed.
    Corrupt,
    /// This head and body, and the end of the connection.
    Raw(Vec<u8>),
    /// The right head and this many bytes of the body, then the end of the connection.
    Short(usize),
    /// The right head and this many bytes of the body, then silence.
    Stuck(usize),
    /// These bytes, one in 100 ms.
    Drip(Vec<u8>),
    /// These bytes, and then those again and again.
    Endless(Vec<u8>, Vec<u8>),
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A web server below a folder. It ends with this value.
pub(crate) struct WebServer {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl WebServer {
    pub(crate) async fn new(root: &Path) -> Self {
        Self::scripted(root, |_| Answer::File).await
    }

    pub(crate) async fn scripted(
        root: &Path,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (root, script): (_, Arc<Script>) = (root.to_owned(), Arc::new(script));
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (connections, open) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let task = tokio::spawn({
            let (asked, connections) = (Arc::clone(&asked), Arc::clone(&connections));
            let open = Arc::clone(&open);
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    connections.fetch_add(1, Ordering::SeqCst);
                    open.fetch_add(1, Ordering::SeqCst);
                    let open = Open(Arc::clone(&open));
                    let (root, script) = (root.clone(), Arc::clone(&script));
                    let asked = Arc::clone(&asked);
                    tokio::spawn(async move {
                        let _open = open;
                        serve(stream, root, &*script, &asked).await;
                    });
                }
            }
        });
        Self {
            url,
            asked,
            connections,
            open,
            task,
        }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }

    /// Connections that were ever made.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Connections that are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

/// A whole answer without body.
pub(crate) fn head(status: &str, headers: &str) -> Answer {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n{headers}\r\n");
    Answer::Raw(head.into_bytes())
}

async fn serve(
    mut stream: TcpStream,
    root: PathBuf,
    script: &Script,
    asked: &Mutex<Vec<Asked>>,
) -> Option<()> {
    loop {
        let request = read_request(&mut stream, asked).await?;
        let answer = script(&request);
        if matches!(
            answer,
            Answer::Raw(_) | Answer::Drip(_) | Answer::Endless(..)
        ) {
            return send_scripted(&mut stream, answer).await;
        }
        let name = request.path.replace("%20", " ");
        let Ok(file) = std::fs::read(root.join(name.trim_start_matches('/'))) else {
            let missing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(missing).await.ok()?;
            continue;
        };
        let whole = 0..file.len();
        let (status, range) = match (&answer, &request.range) {
            (Answer::Whole, _) | (_, None) => ("200 OK".to_owned(), whole),
            (_, Some(range)) => (
                format!(
                    "206 Partial Content\r\ncontent-range: bytes {}-{}/{}",
                    range.start,
                    range.end - 1,
                    file.len()
                ),
                range.clone(),
            ),
        };
        let mut body = file[range].to_vec();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.ok()?;
        match answer {
            Answer::Corrupt => body[0] ^= 1,
            Answer::Short(count) => {
                stream
                    .write_all(&body[..count.min(body.len())])
                    .await
                    .ok()?;
                return None;
            }
            Answer::Stuck(count) => {
                stream
                    .write_all(&body[..count.min(body.len())])
                    .await
                    .ok()?;
                // Until the other end hangs up.
                let _ = stream.read_u8().await;
                return None;
            }
            _ => {}
        }
        stream.write_all(&body).await.ok()?;
    }
}

/// Reads a request and records it.
async fn read_request(stream: &mut TcpStream, asked: &Mutex<Vec<Asked>>) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let path = head.split(' ').nth(1)?.to_owned();
    let range = head
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="));
    let range = range.and_then(|range| range.trim().split_once('-'));
    let range =
        range.map(|(first, last)| first.parse().unwrap()..last.parse::<usize>().unwrap() + 1);
    let mut asked = asked.lock();
    let request = Asked {
        path,
        range,
        number: asked.len(),
    };
    asked.push(request.clone());
    Some(request)
}

/// Sends bytes that are no file, and ends the connection.
async fn send_scripted(stream: &mut TcpStream, answer: Answer) -> Option<()> {
    match answer {
        Answer::Raw(bytes) => stream.write_all(&bytes).await.ok()?,
        Answer::Drip(bytes) => {
            let mut ticks = tokio::time::interval(std::time::Duration::from_millis(100));
            for byte in bytes {
                ticks.tick().await;
                stream.write_u8(byte).await.ok()?;
            }
        }
        Answer::Endless(once, again) => {
            stream.write_all(&once).await.ok()?;
            loop {
                stream.write_all(&again).await.ok()?;
            }
        }
        _ => {}
    }
    None
}
