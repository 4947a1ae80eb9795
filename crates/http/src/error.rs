//! Errors of one line, without anything secret.

use std::error::Error as _;

use url::Url;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The URL is none that a request can be sent to.
    #[error("`{url}` is no http:// or https:// URL of a server")]
    Address {
        /// The URL, without anything secret.
        url: String,
    },
    /// The client cannot be made, for example because this machine has no certificates.
    #[error("no HTTPS is possible here: {cause}; install the CA certificates of this system")]
    Client {
        /// What is missing.
        cause: String,
    },
    /// The server was not reached, did not answer in time, or broke off.
    #[error("{cause}")]
    Exchange {
        /// In a few words.
        cause: String,
        /// True if it was reached at all.
        reached: bool,
        /// True if it took too long.
        timeout: bool,
    },
    /// The answer has more bytes than are read.
    #[error("the answer has more than {limit} bytes")]
    TooLarge {
        /// The most bytes that are read.
        limit: usize,
    },
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        Self::Exchange {
            cause: cause(&error),
            reached: !error.is_connect() && !error.is_builder(),
            timeout: error.is_timeout(),
        }
    }
}

/// The cause of an error in a few words. The URL, which may hold a password, is not among them.
pub fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return match error.is_connect() {
            true => "no connection in time".to_owned(),
            false => "no answer in time".to_owned(),
        };
    }
    // reqwest's own text is `error sending request`; the innermost cause says what happened.
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = match error.source() {
        Some(_) => innermost.to_string(),
        None => match error.is_connect() {
            true => "no connection".to_owned(),
            false => "the request could not be sent".to_owned(),
        },
    };
    let text = match text.find(" (os error") {
        Some(end) => text.get(..end).unwrap_or_default(),
        None => &text,
    };
    let mut text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    // As part of a sentence; names and abbreviations stay.
    let mut letters = text.chars();
    if let (Some(first), Some(second)) = (letters.next(), letters.next())
        && second.is_lowercase()
    {
        text.replace_range(..first.len_utf8(), &first.to_lowercase().to_string());
    }
    text
}

/// A URL for people's eyes: without user, password, query and fragment.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs that have no user anyway.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_has_no_secret() {
        for (url, expected) in [
            (
                "http://me:s3cret@a.dev:1/x?token=s3cret#s3cret",
                "http://a.dev:1/x",
            ),
            ("https://s3cret@a.dev", "https://a.dev/"),
            ("mailto:me@a.dev", "mailto:me@a.dev"),
        ] {
            assert_eq!(shown(&url.parse().unwrap()), expected);
        }
    }
}
