//! Where a repository is, and the credentials to it.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::Secret;

/// The address of a git repository, without credentials: it can be shown to anybody.
///
/// Taken are a path on this machine, `file://`, `https://`, `http://` (without credentials, or to
/// this machine), `ssh://` and `user@host:path`. What git would run as a program (`ext::…`) or
/// take for an option (`-…`) is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryUrl {
    text: String,
    transport: Transport,
    credentials: Option<Credentials>,
}

/// How a repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A path or `file://`.
    Local,
    /// `https://`.
    Https,
    /// `http://`, unencrypted.
    Http,
    /// `ssh://` or `user@host:path`.
    Ssh,
}

/// User name and password or token, for https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name; forges that only look at the token take any.
    pub username: String,
    /// Password or token.
    pub password: Secret,
}

/// Why a text is not the address of a repository. The text is not repeated: it may hold a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryUrlError {
    /// Nothing given.
    #[error("it is empty")]
    Empty,
    /// It starts with `-`, has a control character, or is longer than 2 KiB.
    #[error("it starts with `-`, has a control character or is too long")]
    Malformed,
    /// A scheme that is not taken.
    #[error("only paths, file, https, http, ssh and user@host:path are taken")]
    Scheme,
    /// Credentials would be sent for all to read.
    #[error("credentials are not sent over unencrypted http; use https")]
    Unencrypted,
}

impl RepositoryUrl {
    /// The address, without credentials.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How it is reached.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The credentials that were part of the address (`https://user:token@host/…`).
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Host and scheme, for which alone credentials are given out: `https://example.org:8443`.
    pub(crate) fn origin(&self) -> Option<String> {
        origin_of(&self.text)
    }

    /// The page on which a change from `branch` to `base` is looked at, where that is known.
    pub(crate) fn compare_page(&self, base: &str, branch: &str) -> Option<String> {
        let url = Url::parse(&self.text).ok()?;
        (url.host_str() == Some("github.com")).then(|| {
            let path = url.path().trim_end_matches('/').trim_end_matches(".git");
            format!("https://github.com{path}/compare/{base}...{branch}?expand=1")
        })
    }

    /// An error unless these credentials can be sent there.
    pub(crate) fn accepts_credentials(&self) -> Result<(), RepositoryUrlError> {
        let loopback = || {
            let url = Url::parse(&self.text).ok();
            url.and_then(|url| match url.host() {
                Some(url::Host::Ipv4(address)) => Some(address.is_loopback()),
                Some(url::Host::Ipv6(address)) => Some(address.is_loopback()),
                Some(url::Host::Domain(name)) => Some(name == "localhost"),
                None => None,
            })
            .unwrap_or(false)
        };
        if self.transport == Transport::Http && !loopback() {
            return Err(RepositoryUrlError::Unencrypted);
        }
        Ok(())
    }
}

/// Host and scheme of an address.
pub(super) fn origin_of(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let host = url.host_str()?;
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    Some(format!("{}://{host}{port}", url.scheme()))
}

impl FromStr for RepositoryUrl {
    type Err = RepositoryUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use RepositoryUrlError::{Empty, Malformed, Scheme};
        if text.is_empty() {
            return Err(Empty);
        }
        if text.starts_with('-') || text.len() > 2048 || text.chars().any(char::is_control) {
            return Err(Malformed);
        }
        let plain = |transport| Self {
            text: text.to_owned(),
            transport,
            credentials: None,
        };
        let Some((scheme, _)) = text.split_once("://") else {
            // As git does: `host:path` is ssh unless a slash comes before the colon.
            return match text.split_once(':') {
                Some((_, path)) if path.starts_with(':') => Err(Scheme),
                Some((host, _)) if !host.contains('/') => Ok(plain(Transport::Ssh)),
                _ => Ok(plain(Transport::Local)),
            };
        };
        let transport = match scheme.to_ascii_lowercase().as_str() {
            "file" => return Ok(plain(Transport::Local)),
            "https" => Transport::Https,
            "http" => Transport::Http,
            "ssh" => Transport::Ssh,
            _ => return Err(Scheme),
        };
        let mut url = Url::parse(text).map_err(|_| Malformed)?;
        // An option for ssh in place of a host, or of a user.
        if url.host_str().is_none_or(|host| host.starts_with('-'))
            || url.username().starts_with('-')
        {
            return Err(Malformed);
        }
        let credentials = match (url.password(), transport) {
            (Some(password), _) => Some(Credentials {
                username: decode(url.username()),
                password: Secret::new(decode(password)),
            }),
            // A token in place of a user name.
            (None, Transport::Https | Transport::Http) if !url.username().is_empty() => {
                Some(Credentials {
                    username: decode(url.username()),
                    password: Secret::new(decode(url.username())),
                })
            }
            _ => None,
        };
        let cannot_be_changed = |()| Malformed;
        url.set_password(None).map_err(cannot_be_changed)?;
        if transport != Transport::Ssh {
            url.set_username("").map_err(cannot_be_changed)?;
        }
        let repository = Self {
            text: url.to_string(),
            transport,
            credentials,
        };
        if repository.credentials.is_some() {
            repository.accepts_credentials()?;
        }
        Ok(repository)
    }
}

/// Takes the percent signs out of a part of a URL.
fn decode(text: &str) -> String {
    // A query is decoded in the same way, but for `+`.
    url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        use Transport::{Http, Https, Local, Ssh};
        for (text, shown, transport) in [
            ("/srv/repo.git", "/srv/repo.git", Local),
            ("../repo", "../repo", Local),
            ("./a:b", "./a:b", Local),
            ("file:///srv/repo", "file:///srv/repo", Local),
            ("https://h/o/r.git", "https://h/o/r.git", Https),
            ("https://me:t%40p@h/r", "https://h/r", Https),
            ("https://token@h/r", "https://h/r", Https),
            (
                "http://me:pw@127.0.0.1:3000/r",
                "http://127.0.0.1:3000/r",
                Http,
            ),
            ("http://h/r", "http://h/r", Http),
            ("ssh://git@h:22/r", "ssh://git@h:22/r", Ssh),
            ("git@h:o/r.git", "git@h:o/r.git", Ssh),
        ] {
            let url: RepositoryUrl = text.parse().unwrap();
            assert_eq!(
                (url.as_str(), url.transport()),
                (shown, transport),
                "{text}"
            );
        }
        let url: RepositoryUrl = "https://me:t%40p+q@h/r".parse().unwrap();
        let credentials = url.credentials().unwrap();
        assert_eq!(credentials.username, "me");
        assert_eq!(credentials.password.expose(), "t@p+q");
        assert!(!format!("{url:?} {url}").contains("p+q"));
    }

    #[test]
    fn what_git_would_run_or_leak_is_refused() {
        use RepositoryUrlError::{Empty, Malformed, Scheme, Unencrypted};
        for (text, error) in [
            ("", Empty),
            ("--upload-pack=touch x", Malformed),
            ("a\nb", Malformed),
            ("ext::sh -c touch% x", Scheme),
            ("fd::17", Scheme),
            ("git://h/r", Scheme),
            ("https://", Malformed),
            ("ssh://-oProxyCommand=touch/r", Malformed),
            ("ssh://-x@h/r", Malformed),
            ("-oProxyCommand=x:r", Malformed),
            ("http://me:pw@h/r", Unencrypted),
        ] {
            assert_eq!(text.parse::<RepositoryUrl>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_page_to_compare_is_known_for_github() {
        let url: RepositoryUrl = "https://github.com/o/r.git".parse().unwrap();
        assert_eq!(
            url.compare_page("main", "promotion/a/prod").as_deref(),
            Some("https://github.com/o/r/compare/main...promotion/a/prod?expand=1")
        );
        let other: RepositoryUrl = "https://example.org/o/r.git".parse().unwrap();
        assert_eq!(other.compare_page("main", "b"), None);
        assert_eq!(other.origin().as_deref(), Some("https://example.org"));
    }
}
