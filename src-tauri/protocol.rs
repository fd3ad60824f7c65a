//! The launcher's own scheme, `muster:`, through which the window gets pictures.
//!
//! Invariant: the addresses are a closed list (the brand's key art and logo, a news card's picture by its id), no part of an address
//! is ever a path, and the content type is ours, never guessed from outside.

use crate::{
    brand::{Asset, Brand},
    news::NewsDesk,
};
use std::borrow::Cow;
use tauri::http::{Method, Request, Response, StatusCode, Uri, header};

/// The scheme's name.
pub(crate) const SCHEME: &str = "muster";

/// What an address asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    KeyArt,
    KeyArt2x,
    Logo,
    /// A card's id, not yet checked.
    News(String),
}

/// The address of the key art. The window turns it into what its web view loads.
pub(crate) const KEY_ART: &str = "muster://brand/key-art";

/// The same for screens of twice the pixels.
pub(crate) const KEY_ART_2X: &str = "muster://brand/key-art-2x";

/// The address of a card's picture.
pub(crate) fn news_address(id: &str) -> String {
    format!("{SCHEME}://news/{id}")
}

/// Answers one request of the window.
pub(crate) fn answer(request: &Request<Vec<u8>>, brand: &Brand, news: &NewsDesk) -> Response<Vec<u8>> {
    if request.method() != Method::GET {
        return refusal(StatusCode::METHOD_NOT_ALLOWED);
    }
    let found = match target(request.uri()) {
        Some(Target::KeyArt) => asset(brand.key_art.as_ref()),
        Some(Target::KeyArt2x) => asset(brand.key_art_2x.as_ref()),
        Some(Target::Logo) => asset(brand.logo.as_ref()),
        Some(Target::News(id)) => news.picture(&id).map(|(kind, bytes)| (kind, Cow::Owned(bytes))),
        None => None,
    };
    match found {
        Some((kind, bytes)) => Response::builder()
            .header(header::CONTENT_TYPE, kind)
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .body(bytes.into_owned())
            .unwrap_or_else(|_| refusal(StatusCode::INTERNAL_SERVER_ERROR)),
        None => refusal(StatusCode::NOT_FOUND),
    }
}

/// Reads an address in both spellings: `muster://news/<id>`, and with the kind in the path, `muster://localhost/news/<id>`, as web
/// views send it that know a custom scheme only as a host below `localhost`.
fn target(uri: &Uri) -> Option<Target> {
    let host = uri.host().filter(|host| !host.ends_with("localhost"));
    let path = uri.path().strip_prefix('/').unwrap_or_default();
    if uri.query().is_some() {
        return None;
    }
    let (kind, rest) = match host {
        Some(host) => (host, path),
        None => path.split_once('/')?,
    };
    match (kind, rest) {
        ("brand", "key-art") => Some(Target::KeyArt),
        ("brand", "key-art-2x") => Some(Target::KeyArt2x),
        ("brand", "logo") => Some(Target::Logo),
        ("news", id) => Some(Target::News(id.to_owned())),
        _ => None,
    }
}

fn asset(asset: Option<&Asset>) -> Option<(&'static str, Cow<'static, [u8]>)> {
    asset.map(|asset| (asset.content_type, asset.bytes.clone()))
}

fn refusal(status: StatusCode) -> Response<Vec<u8>> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn table_of_addresses() {
        let news = |id: &str| Some(Target::News(id.to_owned()));
        let cases = [
            ("muster://brand/key-art", Some(Target::KeyArt)),
            ("muster://brand/key-art-2x", Some(Target::KeyArt2x)),
            ("muster://brand/logo", Some(Target::Logo)),
            ("muster://localhost/brand/logo", Some(Target::Logo)),
            ("http://muster.localhost/brand/key-art", Some(Target::KeyArt)),
            ("muster://news/0123456789abcdef", news("0123456789abcdef")),
            ("http://muster.localhost/news/aa", news("aa")),
            ("muster://news/../settings.json", news("../settings.json")),
            ("muster://brand/brand.json", None),
            ("muster://brand/key-art?x=1", None),
            ("muster://settings/", None),
            ("muster://localhost/", None),
            ("muster://etc/passwd", None),
        ];
        for (text, expected) in cases {
            assert_eq!(target(&text.parse().unwrap()), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn answers_with_our_content_type_and_nothing_from_outside_the_list() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("news");
        fs::create_dir_all(&cache).unwrap();
        fs::write(cache.join("0123456789abcdef.png"), b"pixels").unwrap();
        fs::write(dir.path().join("secret.png"), b"secret").unwrap();
        let news =
            NewsDesk::start(None, cache, tokio::sync::watch::channel(engine::proxy::Proxy::None).1).unwrap();
        let mut brand = crate::brand::embedded().unwrap();
        let name = "key-art.jpg".to_owned();
        brand.key_art = Some(Asset { name, content_type: "image/jpeg", bytes: Cow::Borrowed(b"art") });
        brand.logo = None;
        let status = |method: &str, uri: &str| {
            let request = Request::builder().method(method).uri(uri).body(Vec::new()).unwrap();
            let response = answer(&request, &brand, &news);
            let kind = response.headers().get(header::CONTENT_TYPE).cloned();
            (response.status().as_u16(), kind.map(|kind| kind.to_str().unwrap().to_owned()))
        };
        assert_eq!(status("GET", "muster://news/0123456789abcdef"), (200, Some("image/png".into())));
        assert_eq!(status("GET", "muster://news/../secret"), (404, None));
        assert_eq!(status("GET", "muster://news/..%2fsecret"), (404, None));
        assert_eq!(status("POST", "muster://brand/logo"), (405, None));
        assert_eq!(status("GET", "muster://brand/logo"), (404, None), "a brand may have no logo");
        assert_eq!(status("GET", "muster://brand/key-art"), (200, Some("image/jpeg".into())));
    }
}
