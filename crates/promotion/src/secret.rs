//! Secrets, and the Secret that the blog's promotion task is given.

use std::fmt;

use serde::Deserialize;

/// A text that must never be seen: it has no `Display`, and `Debug` shows dots.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a text into keeping.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` with this secret, should it be in there, replaced by dots.
    ///
    /// What others answer is shown to people; some services repeat what they were sent.
    pub fn redact(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        text.replace(&self.0, DOTS)
    }
}

/// What is shown in place of a secret.
const DOTS: &str = "•••";

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(DOTS)
    }
}

/// The JSON in `SECURE_DATA`, the key of the Secret that Keptn mounts into a task's environment.
///
/// The blog's promotion task reads `githubRepo`, `githubRepoOwner` and `apiToken`; `username` is
/// ours, for forges that want one beside a token. Unknown fields are ignored.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecureData {
    /// Name of the repository on GitHub, without its owner.
    pub github_repo: Option<String>,
    /// Owner of the repository on GitHub.
    pub github_repo_owner: Option<String>,
    /// The token.
    pub api_token: Option<Secret>,
    /// User name that goes with the token in git over https; `x-access-token` by default.
    pub username: Option<String>,
}

/// `SECURE_DATA` is not what it should be. The message never repeats what was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "SECURE_DATA is not the JSON object {{\"githubRepo\", \"githubRepoOwner\", \"apiToken\"}} of texts: \
     {problem} at line {line}, column {column}; correct the key SECURE_DATA of the Secret"
)]
pub struct SecureDataError {
    problem: &'static str,
    line: usize,
    column: usize,
}

impl std::str::FromStr for SecureData {
    type Err = SecureDataError;

    fn from_str(json: &str) -> Result<Self, Self::Err> {
        // serde_json's own message may quote the token.
        serde_json::from_str(json).map_err(|error| SecureDataError {
            problem: match error.classify() {
                serde_json::error::Category::Data => "a field of another type",
                serde_json::error::Category::Eof => "it ends too early",
                _ => "not JSON",
            },
            line: error.line(),
            column: error.column(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blogs_secret_is_read() {
        let data: SecureData =
            r#"{"githubRepo":"demo","githubRepoOwner":"me","apiToken":"s3cret","more":1}"#
                .parse()
                .unwrap();
        assert_eq!(data.github_repo.as_deref(), Some("demo"));
        assert_eq!(data.github_repo_owner.as_deref(), Some("me"));
        assert_eq!(data.api_token.as_ref().unwrap().expose(), "s3cret");
        assert!(!format!("{data:?}").contains("s3cret"));
    }

    #[test]
    fn a_broken_secret_is_not_repeated_in_the_error() {
        for json in [
            "s3cret",
            r#"{"apiToken":["s3cret"]}"#,
            r#"{"apiToken":"s3cret""#,
            r#""s3cret""#,
            "",
        ] {
            let error = json.parse::<SecureData>().unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("s3cret"), "{shown}");
            assert!(shown.contains("SECURE_DATA"), "{shown}");
        }
    }

    #[test]
    fn a_secret_in_the_answer_of_another_is_replaced() {
        assert_eq!(
            Secret::new("abc").redact("token abc is bad"),
            "token ••• is bad"
        );
        assert_eq!(Secret::new("").redact("as it is"), "as it is");
    }
}
