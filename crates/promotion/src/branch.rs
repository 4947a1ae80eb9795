//! Names of branches.

use std::fmt;
use std::str::FromStr;

/// The longest name that is taken: a ref is a file, and files have names of at most 255 bytes.
const MAX_BYTES: usize = 200;

/// A name that git takes for a branch, without `refs/heads/`.
///
/// The rules are those of `git check-ref-format --branch`, with control over nothing else: a name
/// that starts with `-`, is `HEAD` or is spelt as an expression (`@{-1}`) is refused as well.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BranchName(String);

/// Why a text cannot be the name of a branch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no name for a branch: {reason}")]
pub struct BranchNameError {
    name: String,
    reason: &'static str,
}

impl BranchName {
    /// The name, without `refs/heads/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole ref, `refs/heads/…`.
    pub fn reference(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

impl FromStr for BranchName {
    type Err = BranchNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match objection(name) {
            None => Ok(Self(name.to_owned())),
            Some(reason) => Err(BranchNameError {
                name: name.chars().take(80).flat_map(char::escape_debug).collect(),
                reason,
            }),
        }
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What git has against a name.
fn objection(name: &str) -> Option<&'static str> {
    let part = |test: fn(&str) -> bool| name.split('/').any(test);
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > MAX_BYTES {
        Some("it is longer than 200 bytes")
    } else if name.starts_with('-') {
        Some("it starts with `-`")
    } else if name == "@" || name == "HEAD" {
        Some("git means something else by it")
    } else if name.starts_with("refs/") {
        Some("it starts with `refs/`; give the short name")
    } else if name
        .chars()
        .any(|c| c.is_ascii_control() || " ~^:?*[\\".contains(c))
    {
        Some("it has a space, a control character or one of ~ ^ : ? * [ \\")
    } else if name.contains("..") || name.contains("@{") {
        Some("it has `..` or `@{`")
    } else if name.ends_with('.') {
        Some("it ends with a dot")
    } else if part(str::is_empty) {
        Some("it starts or ends with a slash, or has two in a row")
    } else if part(|part| part.starts_with('.')) {
        Some("a part of it starts with a dot")
    } else if part(|part| part.ends_with(".lock")) {
        Some("a part of it ends with `.lock`")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the real git says.
    fn git_takes(name: &str) -> bool {
        std::process::Command::new("git")
            .args(["check-ref-format", &format!("refs/heads/{name}")])
            .status()
            .unwrap()
            .success()
    }

    #[test]
    fn names_are_taken_as_git_takes_them() {
        for name in [
            "main",
            "promotion/simple-go/prod",
            "größe",
            "a.b",
            "a@b",
            "",
            "a..b",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[b",
            "a\\b",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
            "a@{0}",
            "a\u{7f}",
            "a\tb",
        ] {
            assert_eq!(
                name.parse::<BranchName>().is_ok(),
                git_takes(name),
                "{name:?}"
            );
        }
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for name in ["-delete", "HEAD", "@", "refs/heads/main", &"a".repeat(201)] {
            let error = name.parse::<BranchName>().unwrap_err().to_string();
            assert!(error.contains("is no name for a branch"), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn git_takes_every_name_that_is_taken(name in "[a-z./@{~\\\\: -]{1,12}") {
            if name.parse::<BranchName>().is_ok() {
                prop_assert!(git_takes(&name), "{}", name);
            }
        }
    }
}
