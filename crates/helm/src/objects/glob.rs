//! Glob patterns of `.Files.Glob`, as `gobwas/glob` with `/` as separator.
//!
//! `*` and `?` stay within one path element, `**` does not; `[a-z]`, `[!x]`, `{a,b}` and `\` work as usual.

use regex::Regex;

/// A compiled glob.
#[derive(Debug)]
pub(crate) struct Glob {
    regex: Option<Regex>,
}

impl Glob {
    /// Compiles a pattern; one that is malformed matches everything, as in Helm.
    pub(crate) fn new(pattern: &str) -> Self {
        Self {
            regex: translate(pattern).and_then(|regex| Regex::new(&regex).ok()),
        }
    }

    /// Whether a path matches.
    pub(crate) fn is_match(&self, path: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(path))
    }
}

/// The pattern as a regular expression, or nothing when it is malformed.
fn translate(pattern: &str) -> Option<String> {
    let mut out = String::from("(?s)^");
    let mut rest = pattern.chars().peekable();
    let mut depth = 0_usize;
    while let Some(next) = rest.next() {
        match next {
            '*' if rest.next_if_eq(&'*').is_some() => out += ".*",
            '*' => out += "[^/]*",
            '?' => out += "[^/]",
            '{' => {
                depth += 1;
                out += "(?:";
            }
            '}' if depth > 0 => {
                depth -= 1;
                out.push(')');
            }
            ',' if depth > 0 => out.push('|'),
            '[' => out += &class(&mut rest)?,
            '\\' => {
                out += &rest
                    .next()
                    .map(|escaped| regex::escape(&escaped.to_string()))
                    .unwrap_or_default()
            }
            literal => out += &regex::escape(&literal.to_string()),
        }
    }
    out.push('$');
    (depth == 0).then_some(out)
}

/// A class after its `[`: either one range or a list of characters.
fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let negated = rest.next_if_eq(&'!').is_some();
    let mut members = Vec::new();
    loop {
        match rest.next()? {
            ']' => break,
            '\\' => members.push((rest.next()?, true)),
            member => members.push((member, false)),
        }
    }
    let quote = |member: char| {
        if member.is_ascii_punctuation() && !matches!(member, '<' | '>') {
            format!("\\{member}")
        } else {
            member.to_string()
        }
    };
    let body = match members.as_slice() {
        [] => return None,
        [(low, _), ('-', false), (high, _)] => {
            if high < low {
                return None;
            }
            format!("{}-{}", quote(*low), quote(*high))
        }
        [_, ('-', false), ..] => return None,
        members => members.iter().map(|(member, _)| quote(*member)).collect(),
    };
    Some(format!("[{}{body}]", if negated { "^" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_paths() {
        for (pattern, path, expected) in [
            ("config/*", "config/a.yaml", true),
            ("config/*", "config/sub/a.yaml", false),
            ("config/**", "config/sub/a.yaml", true),
            ("**.yaml", "config/sub/a.yaml", true),
            ("*.{yaml,yml}", "a.yml", true),
            ("*.{yaml,yml}", "a.json", false),
            ("[a-c].txt", "b.txt", true),
            ("[!a-c].txt", "b.txt", false),
            ("[abc].txt", "c.txt", true),
            ("?.txt", "/.txt", false),
            (r"\*.txt", "*.txt", true),
            (r"\*.txt", "a.txt", false),
            ("a.b", "axb", false),
            ("{a", "anything/at/all", true),
        ] {
            assert_eq!(
                Glob::new(pattern).is_match(path),
                expected,
                "{pattern} {path}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn a_path_matches_itself_and_nothing_panics(path in "[a-z./]{0,12}", pattern in r"[a-c*?\[\]{},!\\/-]{0,12}") {
            assert!(Glob::new(&path).is_match(&path));
            let _ = Glob::new(&pattern).is_match(&path);
        }
    }
}
