//! Whether requests go through a proxy, by the same rules as the HTTP client's.

use super::shown;
use crate::{
    proxy::Proxy,
    snapshot::{Check, Finding, FindingCode, Verdict},
};
use url::Url;

/// Which proxy stands before `server`; before anything on the web where none is known.
pub(super) fn finding(proxy: &Proxy, server: Option<&Url>) -> Finding {
    let anything = Url::parse("https://muster.invalid/");
    let used = server.cloned().or(anything.ok()).and_then(|server| proxy.before(&server));
    told(used)
}

fn told(used: Option<String>) -> Finding {
    match used {
        None => Finding::new(Check::Proxy, Verdict::Good, FindingCode::ProxyNone),
        Some(used) => {
            let about = Url::parse(&used).map(|url| shown(&url)).unwrap_or_default();
            Finding::new(Check::Proxy, Verdict::Note, FindingCode::ProxyUsed).about(about)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::ProxyAddress;

    #[test]
    fn a_proxy_is_named_without_its_password_and_left_out_where_it_is_not_used() {
        assert_eq!(
            told(Some("http://ann:hunter2@proxy.example:3128".into())).about.as_deref(),
            Some("http://proxy.example:3128/")
        );
        assert_eq!(finding(&Proxy::None, None).code, FindingCode::ProxyNone);
        let chosen = Proxy::Address(ProxyAddress::parse("proxy.example:3128").expect("an address"));
        let found = finding(&chosen, None);
        assert_eq!(
            (found.code, found.about.as_deref()),
            (FindingCode::ProxyUsed, Some("http://proxy.example:3128/"))
        );
    }
}
