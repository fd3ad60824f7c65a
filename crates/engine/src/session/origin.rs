//! The origin: pieces over HTTP from the publisher's servers.
//!
//! Two ways: our content store (`content/<pieces root>.zst`, zstd frames with a seek table) and a plain
//! web seed (BEP 19). Nothing that comes is believed: the core checks every block's leaf.

use super::{happening::Happening, limiter::Scope};
use crate::http::{self, HttpError};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use release::{
    hash::Hash32,
    layout::Layout,
    limits::PIECE_LENGTH_MAX,
    merkle::BLOCK,
    seektable::{Frame, SeekTable, SeekTableError},
};
use reqwest::{Client, StatusCode, header};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use swarm::bandwidth::Direction;
use tokio::sync::mpsc;
use url::Url;

/// A server that answers a range with the whole file is read up to the range only this far.
const SKIP_MAX: u64 = 64 * 1024 * 1024;
/// Largest seek table that is fetched.
const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// One place that has the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginSource {
    /// Our content store; the URL ends in `/`.
    Content(Url),
    /// A plain web seed (BEP 19). For a URL that ends in `/`, torrent name and path are appended.
    WebSeed {
        /// The URL of the `url-list`.
        url: Url,
        /// The torrent's name.
        name: String,
        /// The torrent is a single file that bears its name.
        single_file: bool,
    },
}

impl OriginSource {
    /// Its URL, for people.
    #[must_use]
    pub fn url(&self) -> &Url {
        match self {
            Self::Content(url) | Self::WebSeed { url, .. } => url,
        }
    }
}

/// How one source is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OriginStatus {
    /// Its URL.
    pub url: String,
    /// The last request went well, or none was made.
    pub ok: bool,
    /// The last failure in words, empty when well.
    pub detail: String,
}

/// What it takes to fetch from the sources of one torrent.
#[derive(Debug)]
pub(crate) struct Origin {
    client: Client,
    layout: Arc<Layout>,
    scope: Scope,
    sources: Vec<OriginSource>,
    statuses: Mutex<Vec<OriginStatus>>,
    tables: Mutex<BTreeMap<Hash32, Arc<SeekTable>>>,
    /// Bytes that came over HTTP, as they travelled.
    pub(crate) wire_bytes: AtomicU64,
}

/// One fetch of blocks of a piece.
#[derive(Debug, Clone)]
pub(crate) struct Fetch {
    pub(crate) fetch: u64,
    pub(crate) piece: u32,
    pub(crate) blocks: Range<u32>,
}

#[derive(Debug, thiserror::Error)]
enum OriginError {
    #[error("{0}")]
    Http(#[from] HttpError),
    #[error("{0}: not the content of this release")]
    Content(Url),
}

impl Origin {
    pub(crate) fn new(
        client: Client,
        layout: Arc<Layout>,
        scope: Scope,
        sources: Vec<OriginSource>,
    ) -> Self {
        let status = |source: &OriginSource| OriginStatus {
            url: source.url().to_string(),
            ok: true,
            detail: String::new(),
        };
        let statuses = Mutex::new(sources.iter().map(status).collect());
        Self {
            client,
            layout,
            scope,
            sources,
            statuses,
            tables: Mutex::default(),
            wire_bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn statuses(&self) -> Vec<OriginStatus> {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fetches and delivers blocks until all came, or says that it failed.
    pub(crate) async fn run(&self, fetch: Fetch, wire: &mpsc::Sender<Happening>) {
        let mut last = None;
        for (index, source) in self.in_order() {
            let outcome = self.fetch_from(source, &fetch, wire).await;
            self.note(index, outcome.as_ref().err());
            match outcome {
                Ok(()) => return,
                Err(error) => last = Some(error),
            }
        }
        let (retry_after, permanent) = match &last {
            Some(OriginError::Http(HttpError::Status { status, retry_after, .. })) => {
                (*retry_after, matches!(status, 404 | 410))
            }
            Some(OriginError::Content(_)) => (None, true),
            _ => (None, false),
        };
        let failed = Happening::OriginFailed { fetch: fetch.fetch, retry_after, permanent };
        let _ = wire.send(failed).await;
    }

    /// Sources that went well last time first.
    fn in_order(&self) -> Vec<(usize, &OriginSource)> {
        let statuses = self.statuses();
        let mut order: Vec<_> = self.sources.iter().enumerate().collect();
        order.sort_by_key(|(index, _)| !statuses[*index].ok);
        order
    }

    fn note(&self, index: usize, error: Option<&OriginError>) {
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        statuses[index].ok = error.is_none();
        statuses[index].detail = error.map(ToString::to_string).unwrap_or_default();
        if let Some(error) = error {
            tracing::debug!(%error, "origin");
        }
    }

    async fn fetch_from(
        &self,
        source: &OriginSource,
        fetch: &Fetch,
        wire: &mpsc::Sender<Happening>,
    ) -> Result<(), OriginError> {
        let piece = self.layout.piece(fetch.piece);
        let begin = u64::from(fetch.blocks.start * BLOCK);
        let end = u64::from(piece.length).min(u64::from(fetch.blocks.end) * u64::from(BLOCK));
        let mut deliver =
            Delivery { fetch, wire, buffer: BytesMut::new(), next: fetch.blocks.start, left: end - begin };
        match source {
            OriginSource::Content(base) => {
                self.content(base, piece.file, piece.offset + begin, end - begin, &mut deliver).await?;
            }
            OriginSource::WebSeed { url, name, single_file } => {
                let url = self.web_seed_url(url, name, *single_file, piece.file);
                let first = piece.offset + begin;
                let whole = first == 0 && end == self.layout.files()[piece.file].length;
                let range = (!whole).then(|| first..first + (end - begin));
                let mut body = self.request(&url, range).await?;
                while let Some(part) = body.next(self).await? {
                    deliver.push(&part).await;
                }
            }
        }
        if deliver.left > 0 {
            return Err(OriginError::Content(source.url().clone()));
        }
        Ok(())
    }

    /// Path components are escaped one by one; BEP 19 appends the torrent's name and the path.
    fn web_seed_url(&self, base: &Url, name: &str, single_file: bool, file: usize) -> Url {
        let mut url = base.clone();
        if single_file && !base.path().ends_with('/') {
            return url;
        }
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            if !single_file {
                path.push(name);
            }
            path.extend(self.layout.files()[file].path.components());
        }
        url
    }

    async fn content(
        &self,
        base: &Url,
        file: usize,
        offset: u64,
        length: u64,
        deliver: &mut Delivery<'_>,
    ) -> Result<(), OriginError> {
        let entry = &self.layout.files()[file];
        let root = entry.pieces_root.ok_or_else(|| OriginError::Content(base.clone()))?;
        let url = base.join(&format!("{root}.zst")).map_err(|_| OriginError::Content(base.clone()))?;
        let bad = || OriginError::Content(url.clone());
        if !self.layout.has_layer(file) {
            // A file of one piece: the whole of it is one request, whatever its frames are.
            let limit = entry.length + entry.length / 8 + 64 * 1024;
            let compressed = self.whole(&url, limit).await?;
            let data = decompress(compressed, entry.length as usize).await.ok_or_else(bad)?;
            let range = offset as usize..(offset + length) as usize;
            deliver.push(data.get(range).ok_or_else(bad)?).await;
            return Ok(());
        }
        let table = self.table(&url, root, self.layout.pieces_of(file).len() as u64).await?;
        if table.decompressed_bytes() != entry.length {
            return Err(bad());
        }
        let covering = table.covering(offset, length).ok_or_else(bad)?;
        let end = covering.compressed_start + covering.compressed_length;
        let mut body = self.request(&url, Some(covering.compressed_start..end)).await?;
        let (mut buffer, mut frames, mut skip) =
            (BytesMut::new(), covering.frames.as_slice(), covering.skip as usize);
        while let Some(part) = body.next(self).await? {
            buffer.extend_from_slice(&part);
            while let Some((frame, rest)) = frames.split_first() {
                if buffer.len() < frame.compressed as usize {
                    break;
                }
                let Frame { compressed, decompressed } = *frame;
                let compressed = buffer.split_to(compressed as usize).freeze();
                let data = decompress(compressed, decompressed as usize).await.ok_or_else(bad)?;
                deliver.push(data.get(skip..).ok_or_else(bad)?).await;
                (frames, skip) = (rest, 0);
            }
        }
        Ok(())
    }

    async fn table(&self, url: &Url, root: Hash32, pieces: u64) -> Result<Arc<SeekTable>, OriginError> {
        let known = self.tables.lock().unwrap_or_else(PoisonError::into_inner).get(&root).cloned();
        if let Some(table) = known {
            return Ok(table);
        }
        let mut bytes = SeekTable::encoded_bytes(pieces);
        for _ in 0..2 {
            let tail = self.tail(url, bytes).await?;
            match SeekTable::parse_tail(&tail) {
                Ok(table) => {
                    let table = Arc::new(table);
                    let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
                    tables.insert(root, Arc::clone(&table));
                    return Ok(table);
                }
                Err(SeekTableError::Longer(needed)) if needed <= TABLE_BYTES_MAX => bytes = needed,
                Err(_) => break,
            }
        }
        Err(OriginError::Content(url.clone()))
    }

    /// The last `bytes` bytes of a file. A server that sends all of it is read to its end.
    async fn tail(&self, url: &Url, bytes: u64) -> Result<Bytes, OriginError> {
        let response =
            self.client.get(url.clone()).header(header::RANGE, format!("bytes=-{bytes}")).send().await;
        let response = http::checked(url, response.map_err(|e| HttpError::from_reqwest(url, &e))?)?;
        let mut body =
            Body { url: url.clone(), stream: Box::pin(response.bytes_stream()), skip: 0, left: u64::MAX };
        let mut tail = BytesMut::new();
        while let Some(part) = body.next(self).await? {
            tail.extend_from_slice(&part);
            let surplus = (tail.len() as u64).saturating_sub(bytes);
            let _ = tail.split_to(surplus as usize);
        }
        Ok(tail.freeze())
    }

    async fn whole(&self, url: &Url, limit: u64) -> Result<Bytes, OriginError> {
        let mut body = self.request(url, None).await?;
        let mut data = BytesMut::new();
        while let Some(part) = body.next(self).await? {
            if (data.len() + part.len()) as u64 > limit {
                return Err(HttpError::TooLarge { url: url.to_string(), limit }.into());
            }
            data.extend_from_slice(&part);
        }
        Ok(data.freeze())
    }

    async fn request(&self, url: &Url, range: Option<Range<u64>>) -> Result<Body, OriginError> {
        let mut request = self.client.get(url.clone());
        if let Some(range) = &range {
            request = request.header(header::RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        let response = request.send().await.map_err(|e| HttpError::from_reqwest(url, &e))?;
        let response = http::checked(url, response)?;
        let (mut skip, mut left) = (0, u64::MAX);
        if let Some(range) = range {
            left = range.end - range.start;
            let wrong = || HttpError::Range { url: url.to_string() };
            if response.status() == StatusCode::PARTIAL_CONTENT {
                let header =
                    response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
                let expected = format!("bytes {}-{}/", range.start, range.end - 1);
                if !header.is_some_and(|text| text.starts_with(&expected)) {
                    return Err(wrong().into());
                }
            } else if range.start > SKIP_MAX {
                return Err(wrong().into());
            } else {
                skip = range.start;
            }
        }
        Ok(Body { url: url.clone(), stream: Box::pin(response.bytes_stream()), skip, left })
    }
}

/// A body as it streams in, cut to the range asked for, through the download cap.
struct Body {
    url: Url,
    stream: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<Bytes>> + Send>>,
    skip: u64,
    left: u64,
}

impl Body {
    async fn next(&mut self, origin: &Origin) -> Result<Option<Bytes>, OriginError> {
        while self.left > 0 {
            let Some(part) = self.stream.next().await else { return Ok(None) };
            let mut part = part.map_err(|e| HttpError::from_reqwest(&self.url, &e))?;
            origin.wire_bytes.fetch_add(part.len() as u64, Ordering::Relaxed);
            let (mut waiting, flow) = (part.len() as u32, origin.scope.origin(None));
            while waiting > 0 {
                let passed = flow.acquire(Direction::Down, waiting).await.min(waiting);
                flow.settle(Direction::Down, passed, passed);
                waiting -= passed;
            }
            let skipped = (part.len() as u64).min(self.skip);
            self.skip -= skipped;
            let _ = part.split_to(skipped as usize);
            part.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= part.len() as u64;
            if !part.is_empty() {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }
}

/// Cuts what comes into blocks and hands them on.
struct Delivery<'a> {
    fetch: &'a Fetch,
    wire: &'a mpsc::Sender<Happening>,
    buffer: BytesMut,
    next: u32,
    left: u64,
}

impl Delivery<'_> {
    async fn push(&mut self, data: &[u8]) {
        let data = &data[..data.len().min(self.left as usize)];
        self.left -= data.len() as u64;
        self.buffer.extend_from_slice(data);
        while self.buffer.len() >= BLOCK as usize || (self.left == 0 && !self.buffer.is_empty()) {
            let block = self.buffer.split_to(self.buffer.len().min(BLOCK as usize)).freeze();
            let came = Happening::OriginBlock { fetch: self.fetch.fetch, block: self.next, data: block };
            self.next += 1;
            if self.wire.send(came).await.is_err() {
                return;
            }
        }
    }
}

/// Decompresses frames to exactly `length` bytes, off the async threads; `None` when they are not that.
async fn decompress(compressed: Bytes, length: usize) -> Option<Vec<u8>> {
    if length > PIECE_LENGTH_MAX as usize {
        return None;
    }
    let task = tokio::task::spawn_blocking(move || {
        // One byte of room more than wanted shows a frame that holds more.
        let data = zstd::bulk::decompress(&compressed, length + 1).ok()?;
        (data.len() == length).then_some(data)
    });
    tokio::time::timeout(Duration::from_secs(60), task).await.ok()?.ok()?
}
