//! The page for the browser: one file that needs nothing else and may do nothing else.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::model::Traces;

const HTML: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = concat!(
    include_str!("page/base.js"),
    include_str!("page/waterfall.js"),
    include_str!("page/links.js"),
    include_str!("page/details.js"),
);

impl Traces {
    /// One self-contained HTML page. It loads nothing, and its content security policy lets only
    /// its own script and style (by their hashes) take effect, so that no text of a span can.
    pub fn to_html(&self) -> String {
        let data = serde_json::to_string(self).unwrap_or_default();
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
            hash(SCRIPT),
            hash(STYLE)
        );
        // The data comes last, so that a placeholder in it stays what it is.
        HTML.replace("{{policy}}", &policy)
            .replace("{{style}}", STYLE)
            .replace("{{script}}", SCRIPT)
            .replacen("{{data}}", &script_safe(&data), 1)
    }
}

/// What a browser compares with the content of the element.
fn hash(content: &str) -> String {
    STANDARD.encode(Sha256::digest(content))
}

/// JSON within a `script` element: `</script>` or `<!--` in a text would end or hide it, so no `<`
/// is left; JSON reads `\u003c` as the same text.
fn script_safe(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{:04x}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use crate::tree::all_spans;

    #[test]
    fn texts_of_spans_stay_texts() {
        let evil = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>&\u{2028}{{data}}{{script}}";
        let mut spans = all_spans(&samples::failed());
        for span in &mut spans {
            span.name = evil.to_owned();
            span.attributes.set(evil, evil);
        }
        let traces = Traces::new(spans);
        let page = traces.to_html();
        assert_eq!(
            page.matches("</script").count(),
            2,
            "the data's and the script's"
        );
        assert!(!page.contains("onerror=alert(1)>"));
        let start = page
            .find(r#"<script type="application/json" id="data">"#)
            .unwrap();
        let json = &page[start..];
        let json = &json[json.find('>').unwrap() + 1..json.find("</script>").unwrap()];
        let read: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(read["traces"][0]["spans"][0]["name"], evil);
    }

    #[test]
    fn the_page_needs_nothing_and_may_do_nothing_else() {
        let page = Traces::new(all_spans(&samples::passed())).to_html();
        for outside in [
            "src=",
            "@import",
            "url(",
            "<link",
            "fetch(",
            "XMLHttpRequest",
            "innerHTML",
            "eval(",
            "document.write",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
        let policy = "default-src 'none'; script-src 'sha256-";
        assert!(page.contains(policy));
        assert!(!page.contains("unsafe-inline"));
        for element in ["<style>", "<script>"] {
            let start = page.find(element).unwrap() + element.len();
            let end = start + page[start..].find("</").unwrap();
            let content = &page[start..end];
            // Another `</` within would end the element early.
            assert!(
                page[end..].starts_with(&element.replace('<', "</")),
                "{element}"
            );
            assert!(
                page.contains(&format!("'sha256-{}'", hash(content))),
                "{element}"
            );
        }
    }
}
