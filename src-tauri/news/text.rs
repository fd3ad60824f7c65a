//! Foreign text to plain text: what a news card may show.
//!
//! Invariant: the result has no markup, no control character, no direction override, and a length the caller chose. The window
//! shows it as text, so even a mistake here is no script; this is for looks and for the second line of defence.

use dom_query::Document;

/// The most HTML looked at for one text, in bytes; a card shows a few hundred characters.
const HTML_MAX: usize = 64 * 1024;
/// Elements whose content is not text for a reader.
const SILENT: &str =
    "script, style, template, noscript, iframe, object, svg, math, head, title, textarea, select";

/// The readable text of an HTML fragment, on one line, of at most `limit` characters.
pub(crate) fn from_html(html: &str, limit: usize) -> String {
    let document = Document::fragment(cut(html, HTML_MAX));
    document.select(SILENT).remove();
    tidy(&document.formatted_text(), limit)
}

/// Text that is already plain, on one line, of at most `limit` characters.
pub(crate) fn from_plain(text: &str, limit: usize) -> String {
    tidy(cut(text, HTML_MAX), limit)
}

/// The first picture an HTML fragment shows, as its address stands there.
pub(crate) fn first_picture(html: &str) -> Option<String> {
    let document = Document::fragment(cut(html, HTML_MAX));
    let source = document.select_single("img[src]").attr("src")?;
    Some(source.to_string())
}

/// `text` up to `limit` bytes, cut between characters.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// White space to single blanks, invisible characters dropped, the end cut at a word with an ellipsis.
fn tidy(text: &str, limit: usize) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c })
        .filter(|c| !is_invisible(*c))
        .collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= limit {
        return line;
    }
    let short: String = line.chars().take(limit.saturating_sub(1)).collect();
    // A cut inside a word goes back to the blank before it, unless that would lose half the text.
    let end = short.rfind(' ').filter(|at| *at > short.len() / 2);
    format!("{}…", short[..end.unwrap_or(short.len())].trim_end())
}

/// Direction overrides and zero-width characters, with which one text can be made to look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        let cases = [
            ("<p>One</p><p>two</p>", "One two"),
            ("A &amp; B &lt;3 &nbsp; C", "A & B <3 C"),
            ("<script>alert(1)</script>Hi<style>p{}</style>", "Hi"),
            ("<img src=x onerror=alert(1)>Pic", "Pic"),
            ("<ul><li>a</li><li>b</li></ul>", "a b"),
            ("&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"),
            ("3 < 4 and 5 > 4", "3 < 4 and 5 > 4"),
            ("<a href='javascript:x'>link</a>", "link"),
            ("safe\u{202e}evil\u{200b}\u{7}", "safeevil"),
            ("<iframe src='https://a.example'>x</iframe>y", "y"),
        ];
        for (html, expected) in cases {
            assert_eq!(from_html(html, 100), expected, "{html}");
        }
        assert_eq!(from_plain("a <b>\n c", 100), "a <b> c");
    }

    #[test]
    fn long_text_ends_at_a_word() {
        assert_eq!(from_plain("alpha beta gamma", 13), "alpha beta…");
        assert_eq!(from_plain(&"x".repeat(50), 10), format!("{}…", "x".repeat(9)));
        assert_eq!(from_plain("äöü", 3), "äöü");
    }

    #[test]
    fn deep_and_wide_markup_is_no_trouble() {
        let deep = format!("{}deep", "<div>".repeat(200_000));
        assert!(from_html(&deep, 10).len() <= 10);
        let wide = "<b>x</b>".repeat(200_000);
        assert!(from_html(&wide, 20).chars().count() <= 20);
        let unclosed = "<".repeat(1_000_000);
        assert!(from_html(&unclosed, 20).chars().count() <= 20);
    }

    #[test]
    fn the_first_picture_of_a_text() {
        let html = "<p>x</p><img alt=a><img src='/a.png'><img src='/b.png'>";
        assert_eq!(first_picture(html).as_deref(), Some("/a.png"));
        assert_eq!(first_picture("<p>none</p>"), None);
    }
}
