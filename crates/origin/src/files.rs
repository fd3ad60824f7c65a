//! The repository's files over HTTP: four folders, whole or by range, streamed.
//!
//! Invariant: only regular files that really lie in `metadata`, `targets`, `content` or `plain` are sent. There are no
//! listings, and a link that leads out of its folder is not followed. Ranges, conditions on dates and streaming are
//! `tower-http`'s; which file a path means, what may be cached and entity tags are decided here.

use crate::{metrics::Metrics, unescape::unescape};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt;
use release::path::GamePath;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};
use tower_http::services::ServeFile;

/// Read from a file at once; a connection holds about two of these.
const CHUNK_BYTES: usize = 128 * 1024;
/// Content that can never change, because its name holds its hash or version.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// A folder of the repository that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Metadata,
    Targets,
    Content,
    Plain,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Metadata, Self::Targets, Self::Content, Self::Plain];

    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Targets => "targets",
            Self::Content => "content",
            Self::Plain => "plain",
        }
    }

    fn cache(self, file: &str) -> &'static str {
        match self {
            Self::Metadata if file.starts_with(|first: char| first.is_ascii_digit()) => IMMUTABLE,
            Self::Metadata => "no-cache",
            Self::Targets | Self::Content => IMMUTABLE,
            Self::Plain => "public, max-age=3600",
        }
    }

    /// Game files are never given their own type: a browser is not to run them, and an `index.html` of a game is not to
    /// be taken for a captive portal's page.
    fn content_type(self) -> &'static str {
        if self == Self::Metadata { "application/json" } else { "application/octet-stream" }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Files {
    /// The repository, canonical.
    root: PathBuf,
    metrics: Arc<Metrics>,
}

impl Files {
    pub(crate) fn new(repo: &Path, metrics: Arc<Metrics>) -> io::Result<Self> {
        Ok(Self { root: repo.canonicalize()?, metrics })
    }

    /// The file that a request path means, as it lies on the disk. Blocks.
    fn open(&self, kind: Kind, path: &GamePath) -> Option<Found> {
        let wanted = path.components().fold(self.root.clone(), |folder, part| folder.join(part));
        let real = wanted.canonicalize().ok()?;
        if !real.starts_with(self.root.join(kind.folder())) {
            return None;
        }
        let meta = real.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let modified =
            meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let tag = format!("\"{:x}-{:x}\"", meta.len(), modified.as_nanos());
        Some(Found { path: real, length: meta.len(), tag: HeaderValue::from_str(&tag).ok()? })
    }
}

/// A file that may be sent.
struct Found {
    path: PathBuf,
    length: u64,
    tag: HeaderValue,
}

/// Answers any request that is for no other route.
pub(crate) async fn serve(files: &Arc<Files>, mut request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    let Some((kind, path)) = locate(request.uri().path()) else {
        files.metrics.refused();
        return not_found();
    };
    let found = {
        let (files, path) = (Arc::clone(files), path.clone());
        tokio::task::spawn_blocking(move || files.open(kind, &path)).await
    };
    let Ok(Some(Found { path: file, length, tag })) = found else { return not_found() };
    files.metrics.request(kind);
    let cache = HeaderValue::from_static(kind.cache(path.file_name()));
    if matches(request.headers(), header::IF_NONE_MATCH, &tag) == Some(true) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag), (header::CACHE_CONTROL, cache)])
            .into_response();
    }
    if matches(request.headers(), header::IF_RANGE, &tag) == Some(false) {
        request.headers_mut().remove(header::RANGE);
    }
    normalize_range(request.headers_mut(), length);
    match ServeFile::new(file).with_buf_chunk_size(CHUNK_BYTES).try_call(request).await {
        Ok(response) => dressed(response.map(Body::new), kind, tag, cache, &files.metrics),
        Err(error) if error.kind() == io::ErrorKind::NotFound => not_found(),
        Err(error) => {
            tracing::warn!(%error, %path, "a file could not be read");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Which folder and file a request path names, if it may be served at all.
fn locate(path: &str) -> Option<(Kind, GamePath)> {
    let parts = path.strip_prefix('/')?.split('/').map(|part| String::from_utf8(unescape(part)?).ok());
    let parts: Vec<String> = parts.collect::<Option<_>>()?;
    let kind =
        Kind::ALL.into_iter().find(|kind| parts.first().is_some_and(|first| first == kind.folder()))?;
    // Names of a release's own files may start with a dot; everywhere else such a file is somebody's working file.
    let bare = if kind == Kind::Plain { 2 } else { parts.len() };
    let hidden = parts.iter().take(bare).any(|part| part.starts_with('.'));
    let deep = if kind == Kind::Plain { parts.len() >= 2 } else { parts.len() == 2 };
    let path = GamePath::from_components(parts.iter().map(String::as_str)).ok()?;
    (deep && !hidden).then_some((kind, path))
}

/// Two rules of RFC 9110 §14 that the library does not know: an unknown unit is ignored, and more from the end than there
/// is means all of it.
fn normalize_range(headers: &mut HeaderMap, length: u64) {
    let Some(range) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else { return };
    let Some(range) = range.strip_prefix("bytes=") else {
        headers.remove(header::RANGE);
        return;
    };
    let suffix = range.strip_prefix('-').and_then(|number| number.trim().parse::<u64>().ok());
    if length > 0 && suffix.is_some_and(|suffix| suffix >= length) {
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-"));
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")]).into_response()
}

/// Whether a condition on the entity tag names `tag`; `None` without such a condition or with a date.
fn matches(headers: &HeaderMap, condition: header::HeaderName, tag: &HeaderValue) -> Option<bool> {
    let text = headers.get(&condition)?.to_str().ok()?;
    if condition == header::IF_RANGE && !text.starts_with(['"', 'W']) {
        // A date: what it says is not compared, and the whole file is always a right answer.
        return Some(false);
    }
    let tag = tag.to_str().ok()?;
    Some(text.split(',').any(|one| matches!(one.trim(), "*") || one.trim() == tag))
}

/// Sets our headers and counts what is sent.
fn dressed(
    response: Response,
    kind: Kind,
    tag: HeaderValue,
    cache: HeaderValue,
    metrics: &Arc<Metrics>,
) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(header::CACHE_CONTROL, cache);
    parts.headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if parts.status.is_success() {
        parts.headers.insert(header::ETAG, tag);
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind.content_type()));
    }
    let metrics = Arc::clone(metrics);
    let counted = body.into_data_stream().inspect_ok(move |chunk| metrics.bytes(kind, chunk.len() as u64));
    Response::from_parts(parts, Body::from_stream(counted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served() {
        for (path, kind, file) in [
            ("/metadata/timestamp.json", Kind::Metadata, "metadata/timestamp.json"),
            ("/targets/ab.game~1.0+b.torrent", Kind::Targets, "targets/ab.game~1.0+b.torrent"),
            ("/content/00.zst", Kind::Content, "content/00.zst"),
            ("/plain/game-1.0/a%20b/c", Kind::Plain, "plain/game-1.0/a b/c"),
            ("/plain/game-1.0/.hidden", Kind::Plain, "plain/game-1.0/.hidden"),
        ] {
            let (found, path) = locate(path).expect(file);
            assert_eq!((found, path.as_str()), (kind, file));
        }
    }

    #[test]
    fn what_is_not() {
        for path in [
            "",
            "/",
            "/metadata",
            "/metadata/",
            "/metadata/a/b",
            "/keys/a",
            "/.lock",
            "/metadata/.timestamp.tmp",
            "/metadata/../keys/a",
            "/metadata/%2e%2e/keys",
            "/metadata/%2e%2e%2fkeys",
            "//metadata/a",
            "/metadata//a",
            "/content/..%5ca",
            "/content/a%00",
            "/content/%zz",
            "/content/a:b",
            "/content/con",
            "/plain",
            "/plain/.git/config",
            "/plain/game/../../x",
            "/plain/game/%2e/x",
            "/METADATA/a",
            "metadata/a",
            "/content/%ff",
            "/plain/game/a%2fb",
        ] {
            assert_eq!(locate(path), None, "{path}");
        }
    }

    #[test]
    fn no_path_brings_it_down() {
        let mut random = fastrand::Rng::with_seed(53);
        let alphabet: Vec<char> = "/.%2e5cf\\:\u{e9}plaincontent \0".chars().collect();
        for _ in 0..50_000 {
            let path: String = (0..random.usize(..60)).filter_map(|_| random.choice(&alphabet)).collect();
            if let Some((_, file)) = locate(&path) {
                assert!(file.components().all(|part| part != ".." && !part.is_empty()), "{path}");
            }
        }
    }
}
