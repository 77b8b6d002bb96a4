//! Fetches one range of the torrent from a web seed.

use std::ops::Range;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use tailwater_http::header::{self, HeaderValue};
use tokio::time::{Instant, timeout};

use super::WebSeedTask;
use super::answer::{Asked, Failure};
use super::assembler::Assembler;
use super::source::Protocol;
use super::spans::spans;
use super::status::WebSeedState;

/// The rest of a body that is read in any case although nothing in it is wanted any more, in bytes: it costs less than
/// another connection.
const DRAINED: u64 = 64 * 1024;
/// The same where it takes no longer than a new connection does until it is as fast.
const MAX_DRAINED: u64 = 2 * 1024 * 1024;
/// Round trips that a new connection takes: one to connect, and some in which the server finds out how fast it may send.
const CONNECTION_COST: u32 = 4;
/// How long a server may take for one block of an answer, while it is waited for. It keeps a place of the torrent's, and
/// what it was asked for, so that one which sends a byte now and then must not go on for ever. It has to reach 273 B/s.
const BLOCK_WITHIN: Duration = Duration::from_secs(60);
/// The zeros of pad files, as many as a block has.
static ZEROS: [u8; 16_384] = [0; 16_384];

impl WebSeedTask {
    /// Fetches a range, or the part of it that stays wanted.
    pub(super) async fn fetch(&mut self, range: Range<u64>) -> Result<(), Failure> {
        let info = self.settings.info.clone();
        let mut assembler = Assembler::new(info.geometry().clone(), range.start);
        if self.settings.url.protocol == Protocol::Query {
            return self.fetch_piece(&range, &mut assembler).await;
        }
        for span in spans(&info, range.clone()) {
            if !self.wants(&(assembler.block_start()..range.end)) {
                return Ok(());
            }
            if span.is_pad {
                self.pad(span.len, &mut assembler).await?;
                continue;
            }
            let Some(file) = info.files().get(span.file) else {
                return Ok(());
            };
            let asked = Asked {
                protocol: Protocol::Files,
                file: span.file,
                file_len: file.length(),
                offset: span.offset,
                len: span.len,
            };
            let url = self.settings.url.of_file(&info, file);
            if !self.ask(&url, asked, range.end, &mut assembler).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Fetches a range of a piece by a query (BEP 17).
    async fn fetch_piece(
        &mut self,
        range: &Range<u64>,
        assembler: &mut Assembler,
    ) -> Result<(), Failure> {
        let geometry = self.settings.info.geometry();
        let Some(piece) = geometry.piece_at(range.start) else {
            return Ok(());
        };
        let begin = geometry.piece_start(piece);
        let within = |position: u64| u32::try_from(position - begin).unwrap_or(u32::MAX);
        let (first, last) = (within(range.start), within(range.end - 1));
        let hash = self.settings.info_hash;
        let url = self.settings.url.of_piece(&hash, piece.get(), first, last);
        let asked = Asked {
            protocol: Protocol::Query,
            file: 0,
            file_len: 0,
            offset: 0,
            len: range.end - range.start,
        };
        self.ask(&url, asked, range.end, assembler).await?;
        Ok(())
    }

    async fn pad(&mut self, mut left: u64, assembler: &mut Assembler) -> Result<(), Failure> {
        while left > 0 {
            let zeros = usize::try_from(left).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            left -= zeros as u64;
            self.take_in(Bytes::from_static(&ZEROS[..zeros]), 0, assembler)
                .await?;
        }
        Ok(())
    }

    /// Sends a request and takes its answer in. Says whether it came to its end: what lies before `end` in the torrent may
    /// be wanted no more, and then the connection is closed.
    async fn ask(
        &mut self,
        url: &str,
        asked: Asked,
        end: u64,
        assembler: &mut Assembler,
    ) -> Result<bool, Failure> {
        let limit = usize::try_from(asked.len).unwrap_or(usize::MAX);
        let identity = HeaderValue::from_static("identity");
        let client = &self.settings.client;
        let mut request = client
            .get(url)
            .trust(self.settings.url.trust)
            .expected_paths(|_| true)
            .header(header::ACCEPT_ENCODING, identity)
            .max_body_len(limit);
        if asked.protocol == Protocol::Files {
            request = request.range(asked.offset..=asked.offset + asked.len - 1);
        }
        let rest = assembler.block_start()..end;
        let asked_at = Instant::now();
        let mut sending = pin!(request.send());
        let sent = loop {
            match self.while_wanted(&rest, &mut sending).await? {
                Some(sent) => break sent,
                None if self.pace.drains(asked.len) => {}
                None => return Ok(false),
            }
        };
        let mut response = sent.map_err(|error| Failure::of(&error))?;
        self.pace.begin(asked_at.elapsed(), response.is_http2());
        asked.judge(&response)?;
        self.set_state(WebSeedState::Downloading, None);
        let mut left = asked.len;
        let mut patience = BLOCK_WITHIN;
        while left > 0 {
            let rest = assembler.block_start()..end;
            if !self.pace.drains(left) && !self.wants(&rest) {
                return Ok(false);
            }
            let since = Instant::now();
            let next = self.while_wanted(&rest, response.chunk());
            let Ok(next) = timeout(patience, next).await else {
                let reason = format!("it sends less than a block in {BLOCK_WITHIN:?}");
                return Err(Failure::Wrong(reason));
            };
            let Some(chunk) = next? else {
                continue;
            };
            patience = patience.saturating_sub(since.elapsed());
            let Some(chunk) = chunk.map_err(|error| Failure::of(&error))? else {
                return Err(Failure::Later {
                    reason: format!("its answer ended {left} bytes early"),
                    after: None,
                });
            };
            // The client reads no more than was asked for.
            left = left.saturating_sub(chunk.len() as u64);
            self.pace.received(chunk.len() as u64);
            let (received, block) = (chunk.len(), assembler.block_start());
            self.take_in(chunk, received, assembler).await?;
            if assembler.block_start() > block {
                patience = BLOCK_WITHIN;
            }
        }
        if response.content_length().is_some() {
            // Its end, which is there already: the connection can be used again at once.
            let _ = response.chunk().await;
        }
        self.backoff.reset();
        (self.wrong, self.lacking) = (0, 0);
        Ok(true)
    }
}

/// How fast the server answers.
#[derive(Debug)]
pub(super) struct Pace {
    /// The time from the last request to its head.
    round_trip: Duration,
    /// In bytes a second; 0 until known.
    rate: f64,
    is_http2: bool,
    /// The answer that comes: its head, and the bytes since.
    head_at: Instant,
    received: u64,
}

impl Pace {
    /// Of a server that has not been asked.
    pub(super) fn unknown() -> Self {
        Self {
            round_trip: Duration::ZERO,
            rate: 0.0,
            is_http2: false,
            head_at: Instant::now(),
            received: 0,
        }
    }

    fn begin(&mut self, round_trip: Duration, is_http2: bool) {
        self.round_trip = round_trip;
        self.is_http2 = is_http2;
        self.head_at = Instant::now();
        self.received = 0;
    }

    fn received(&mut self, bytes: u64) {
        self.received += bytes;
        let took = self.head_at.elapsed().as_secs_f64();
        // What came with the head says nothing of the rate.
        if self.received > DRAINED && took > 0.0 {
            // 2^53 bytes are 8 PiB.
            self.rate = self.received as f64 / took;
        }
    }

    /// Whether the rest of an answer is better read than broken off, as that costs the connection over HTTP/1.1.
    fn drains(&self, left: u64) -> bool {
        if left <= DRAINED {
            return true;
        }
        if self.is_http2 || left > MAX_DRAINED {
            return false;
        }
        let connecting = self.round_trip.as_secs_f64() * f64::from(CONNECTION_COST);
        left as f64 <= self.rate * connecting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_sooner_than_a_new_connection_is_read_to_its_end() {
        let mut pace = Pace::unknown();
        assert!(pace.drains(DRAINED) && !pace.drains(DRAINED + 1));
        // 10 MB/s, 50 ms: a new connection takes 200 ms.
        pace.begin(Duration::from_millis(50), false);
        tokio::time::advance(Duration::from_millis(100)).await;
        pace.received(1_000_000);
        assert!(pace.drains(1_990_000) && !pace.drains(2_010_000));
        // The next answer, before anything of it has come.
        pace.begin(Duration::from_millis(50), false);
        assert!(pace.drains(1_990_000));
        // It turns out to be slow.
        tokio::time::advance(Duration::from_millis(100)).await;
        pace.received(100_000);
        assert!(pace.drains(190_000) && !pace.drains(210_000));
        // HTTP/2 ends an answer without its connection.
        pace.begin(Duration::from_millis(50), true);
        assert!(!pace.drains(190_000));
    }
}
