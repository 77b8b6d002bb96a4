//! Fetches one range of the torrent from a web seed.

use std::ops::Range;

use bytes::Bytes;
use tailwater_http::header::{self, HeaderValue};

use super::WebSeedTask;
use super::answer::{Asked, Failure};
use super::assembler::Assembler;
use super::source::Protocol;
use super::spans::spans;
use super::status::WebSeedState;

/// The rest of a body that is read although nothing in it is wanted any more, in bytes: it costs less than another
/// connection.
const MAX_DRAINED: u64 = 64 * 1024;
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
        let Some(sent) = self.while_wanted(&rest, request.send()).await? else {
            return Ok(false);
        };
        let mut response = sent.map_err(|error| Failure::of(&error))?;
        asked.judge(&response)?;
        self.set_state(WebSeedState::Downloading, None);
        let mut left = asked.len;
        while left > 0 {
            let rest = assembler.block_start()..end;
            if left > MAX_DRAINED && !self.wants(&rest) {
                return Ok(false);
            }
            let Some(chunk) = self.while_wanted(&rest, response.chunk()).await? else {
                continue;
            };
            let Some(chunk) = chunk.map_err(|error| Failure::of(&error))? else {
                return Err(Failure::Later {
                    reason: format!("its answer ended {left} bytes early"),
                    after: None,
                });
            };
            // The client reads no more than was asked for.
            left = left.saturating_sub(chunk.len() as u64);
            let received = chunk.len();
            self.take_in(chunk, received, assembler).await?;
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
