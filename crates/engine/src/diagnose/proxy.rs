//! Whether requests go through a proxy, by the same rules as the HTTP client's.

use super::shown;
use crate::snapshot::{Check, Finding, FindingCode, Verdict};
use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

/// Which proxy the system names for `server`; for anything on the web where none is known.
pub(super) fn finding(server: Option<&Url>) -> Finding {
    by(&Matcher::from_system(), server)
}

fn by(system: &Matcher, server: Option<&Url>) -> Finding {
    let anything = Url::parse("https://muster.invalid/");
    let used = server
        .cloned()
        .or(anything.ok())
        .and_then(|server| server.as_str().parse().ok())
        .and_then(|server| system.intercept(&server));
    match used {
        None => Finding::new(Check::Proxy, Verdict::Good, FindingCode::ProxyNone),
        Some(used) => {
            let about = Url::parse(&used.uri().to_string()).map(|url| shown(&url)).unwrap_or_default();
            Finding::new(Check::Proxy, Verdict::Note, FindingCode::ProxyUsed).about(about)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_named_without_its_password_and_left_out_where_it_is_not_used() {
        let system =
            Matcher::builder().all("http://ann:hunter2@proxy.example:3128").no("studio.example").build();
        let server = Url::parse("https://games.example/").expect("a URL");
        let used = by(&system, Some(&server));
        assert_eq!(used.about.as_deref(), Some("http://proxy.example:3128/"));
        let spared = Url::parse("https://studio.example/repo/").expect("a URL");
        assert_eq!(by(&system, Some(&spared)).code, FindingCode::ProxyNone);
        assert_eq!(by(&Matcher::builder().build(), None).code, FindingCode::ProxyNone);
    }
}
