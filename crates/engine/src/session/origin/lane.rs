//! One run fetched from one source: the requests it takes, and the bytes handed on as they come.

use super::{
    OriginSource,
    answer::{self, Admitted, Asked},
    body::{Body, Patience},
    error::OriginError,
    frames::{self, Tables},
    redirect::Redirects,
    run::{Delivery, Run},
    steps::Steps,
};
use crate::session::{happening::Happening, limiter::Scope};
use bytes::{Bytes, BytesMut};
use release::layout::Layout;
use reqwest::{Client, StatusCode, header};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use swarm::bandwidth::Direction;
use tokio::{sync::mpsc, time::Instant};
use url::Url;

/// Room that a compressed file of one piece may take beyond its share: frame heads and the seek table.
const COMPRESSED_ROOM: u64 = 64 * 1024;

/// What the head of a request or of an answer takes, about.
const HEAD_BYTES: usize = 300;

/// What every lane works with.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) client: Client,
    pub(super) redirects: Redirects,
    pub(super) layout: Arc<Layout>,
    pub(super) scope: Scope,
    pub(super) sources: Vec<OriginSource>,
    pub(super) gauges: Vec<Gauge>,
    pub(super) tables: Tables,
    pub(super) patience: Patience,
}

/// What one source brought, counted as it comes.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// Bytes as they travelled.
    pub(super) wire_bytes: AtomicU64,
    /// Of these, bytes that nobody asked for.
    pub(super) waste_bytes: AtomicU64,
    /// Microseconds to the last answer; zero before the first.
    pub(super) first_byte: AtomicU64,
}

/// One lane.
pub(super) struct Lane<'a> {
    pub(super) ground: &'a Ground,
    pub(super) mirror: usize,
    pub(super) run: &'a Run,
    pub(super) wire: &'a mpsc::Sender<Happening>,
}

impl Lane<'_> {
    /// Fetches the run and hands it on. A run that nobody wants any more is a success.
    pub(super) async fn fetch(&self) -> Result<(), OriginError> {
        let mut delivery = Delivery::new(self.run, self.wire);
        match &self.ground.sources[self.mirror] {
            OriginSource::Content(base) => self.content(base, &mut delivery).await?,
            OriginSource::WebSeed { url, name, single_file } => {
                let url = self.web_seed_url(url, name, *single_file);
                self.plain(&url, &mut delivery).await?;
            }
        }
        if delivery.is_done() || self.run.rest().is_empty() { Ok(()) } else { Err(OriginError::Content) }
    }

    async fn plain(&self, url: &Url, delivery: &mut Delivery<'_>) -> Result<(), OriginError> {
        let mut steps = Steps::new(self, url, self.run.range.clone(), Some(self.length()));
        while let Some(data) = steps.next().await? {
            delivery.push(data).await;
        }
        Ok(())
    }

    async fn content(&self, base: &Url, delivery: &mut Delivery<'_>) -> Result<(), OriginError> {
        let file = &self.ground.layout.files()[self.run.file];
        let root = file.pieces_root.ok_or(OriginError::Content)?;
        let url = base.join(&format!("{root}.zst")).map_err(|_| OriginError::Content)?;
        if !self.ground.layout.has_layer(self.run.file) {
            // A file of one piece: the whole of it is one request, whatever its frames are.
            let compressed = self.whole(&url, file.length + file.length / 8 + COMPRESSED_ROOM).await?;
            let Some(compressed) = compressed else { return Ok(()) };
            let data = frames::decompress(compressed, file.length as usize).await?;
            let range = self.run.range.start as usize..self.run.range.end as usize;
            delivery.push(data.slice(range)).await;
            return Ok(());
        }
        let table = self.ground.tables.table(self, &url, root).await?;
        let covering = table.covering(self.run.range.start, self.run.bytes()).ok_or(OriginError::Content)?;
        let start = covering.compressed_start;
        let mut steps = Steps::new(self, &url, start..start + covering.compressed_length, None);
        let mut frames = frames::Frames::new(covering);
        while let Some(data) = steps.next().await? {
            frames.push(&data);
            while let Some(plain) = frames.next().await? {
                delivery.push(plain).await;
            }
        }
        Ok(())
    }

    /// A whole file of at most `limit` bytes; `None` if nobody wants it any more.
    async fn whole(&self, url: &Url, limit: u64) -> Result<Option<Bytes>, OriginError> {
        let mut body = self.request(url, &Asked::Whole { length: None }).await?;
        let mut whole = BytesMut::new();
        if body.left().is_some_and(|left| left > limit) {
            return Err(OriginError::TooLong);
        }
        while let Some(data) = self.next(&mut body).await? {
            if (whole.len() + data.len()) as u64 > limit {
                return Err(OriginError::TooLong);
            }
            whole.extend_from_slice(&data);
        }
        Ok((!self.run.rest().is_empty()).then(|| whole.freeze()))
    }

    /// The last `bytes` bytes of a file, or all of a shorter one.
    pub(super) async fn tail(&self, url: &Url, bytes: u64) -> Result<Bytes, OriginError> {
        let mut body = self.request(url, &Asked::Tail { bytes }).await?;
        let mut tail = BytesMut::new();
        while let Some(came) = body.next().await? {
            self.count(came.wire);
            tail.extend_from_slice(&came.data);
        }
        Ok(tail.freeze())
    }

    async fn request(&self, url: &Url, asked: &Asked) -> Result<Body, OriginError> {
        self.ask(url, asked).await.map(|(body, _)| body)
    }

    /// The answer, and whether it is just the range that was asked for.
    pub(super) async fn ask(&self, url: &Url, asked: &Asked) -> Result<(Body, bool), OriginError> {
        let range = asked.header();
        let ask = |client: &Client, url: Url| {
            let request = client.get(url).header(header::ACCEPT_ENCODING, "identity");
            range.iter().fold(request, |request, range| request.header(header::RANGE, range))
        };
        let asked_at = Instant::now();
        let answer = self.ground.redirects.send(&self.ground.client, url, ask);
        let response = tokio::time::timeout(self.ground.patience.answer, answer).await;
        let response = response.map_err(|_| OriginError::Stalled)??;
        let admitted: Admitted = answer::admit(response.status(), response.headers(), asked)?;
        self.gauge().note_first_byte(asked_at.elapsed());
        self.gauge().waste_bytes.fetch_add(admitted.waste, Ordering::Relaxed);
        let server = response.remote_addr().map(|server| server.ip());
        let flow = self.ground.scope.origin(server, response.url().scheme() == "https");
        flow.message(Direction::Up, HEAD_BYTES);
        flow.message(Direction::Down, HEAD_BYTES);
        let ranged = response.status() == StatusCode::PARTIAL_CONTENT;
        Ok((Body::new(url, flow, response, &admitted, self.ground.patience), ranged))
    }

    /// The next bytes; `None` at the end, and when nobody wants the rest.
    pub(super) async fn next(&self, body: &mut Body) -> Result<Option<Bytes>, OriginError> {
        loop {
            if self.run.is_idle(body.left()) {
                return Ok(None);
            }
            let came = tokio::select! {
                came = body.next() => came?,
                () = self.run.changed() => continue,
            };
            let Some(came) = came else { return Ok(None) };
            self.count(came.wire);
            if !came.data.is_empty() {
                return Ok(Some(came.data));
            }
        }
    }

    /// Path components are escaped one by one; BEP 19 appends the torrent's name and the path.
    fn web_seed_url(&self, base: &Url, name: &str, single_file: bool) -> Url {
        let mut url = base.clone();
        if single_file && !base.path().ends_with('/') {
            return url;
        }
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            if !single_file {
                path.push(name);
            }
            path.extend(self.ground.layout.files()[self.run.file].path.components());
        }
        url
    }

    /// Bytes of the run's file.
    pub(super) fn length(&self) -> u64 {
        self.ground.layout.files()[self.run.file].length
    }

    fn count(&self, wire: u64) {
        self.gauge().wire_bytes.fetch_add(wire, Ordering::Relaxed);
    }

    fn gauge(&self) -> &Gauge {
        &self.ground.gauges[self.mirror]
    }
}

impl Gauge {
    fn note_first_byte(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        self.first_byte.store(micros, Ordering::Relaxed);
    }
}
