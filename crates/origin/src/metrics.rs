//! Figures for Prometheus, as text (exposition format 0.0.4). No peer's address is among them.

use crate::files::Kind;
use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

/// What is counted while serving.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: [AtomicU64; Kind::ALL.len()],
    bytes: [AtomicU64; Kind::ALL.len()],
    refused: AtomicU64,
    announces: AtomicU64,
    announces_refused: AtomicU64,
}

impl Metrics {
    pub(crate) fn request(&self, kind: Kind) {
        self.requests[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self, kind: Kind, bytes: u64) {
        self.bytes[kind as usize].fetch_add(bytes, Ordering::Relaxed);
    }

    /// A path that is not served.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn announce(&self, answered: bool) {
        let counter = if answered { &self.announces } else { &self.announces_refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes the counters.
    pub(crate) fn render(&self, page: &mut Page) {
        page.family("muster_http_requests_total", "counter", "Requests for files, by folder.");
        for kind in Kind::ALL {
            let count = self.requests[kind as usize].load(Ordering::Relaxed);
            page.sample("muster_http_requests_total", &[("kind", kind.folder())], count);
        }
        page.family("muster_http_bytes_total", "counter", "Body bytes sent, by folder.");
        for kind in Kind::ALL {
            let count = self.bytes[kind as usize].load(Ordering::Relaxed);
            page.sample("muster_http_bytes_total", &[("kind", kind.folder())], count);
        }
        page.family("muster_http_refused_total", "counter", "Requests for what is not served.");
        page.sample("muster_http_refused_total", &[], self.refused.load(Ordering::Relaxed));
        page.family("muster_tracker_announces_total", "counter", "Announces, by outcome.");
        for (outcome, counter) in [("answered", &self.announces), ("refused", &self.announces_refused)] {
            let count = counter.load(Ordering::Relaxed);
            page.sample("muster_tracker_announces_total", &[("outcome", outcome)], count);
        }
    }
}

/// A page of figures as it is written.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

impl Page {
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.0.push_str(name);
        for (at, (key, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{key}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_and_escapes() {
        let mut page = Page::default();
        page.family("a_total", "counter", "Help.");
        page.sample("a_total", &[("x", "1\"2"), ("y", "z")], 5);
        page.sample("b", &[], 6);
        let text = "# HELP a_total Help.\n# TYPE a_total counter\na_total{x=\"1\\\"2\",y=\"z\"} 5\nb 6\n";
        assert_eq!(page.finish(), text);
    }
}
