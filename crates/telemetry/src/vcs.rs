//! OpenTelemetry's `vcs.*` attributes of a root, from what Argo CD says about the source.

use stagelink_delivery::ledger::Attempt;

use crate::conventions as keys;
use crate::span::Attributes;

/// Adds what is known. A revision that is no commit (the version of a chart, the digest of an OCI
/// artefact) is no `vcs.ref.head.revision`; `stagelink.revision` has it in any case.
pub(crate) fn describe(attempt: &Attempt, attributes: &mut Attributes) {
    let source = &attempt.source;
    if let Some(revision) = attempt.revision.as_deref().filter(|text| is_commit(text)) {
        attributes.set(keys::HEAD_REVISION, revision);
    }
    let branch = source.target_revision.as_str();
    if !branch.is_empty() && branch != "HEAD" && !is_commit(branch) {
        attributes.set(keys::HEAD_NAME, branch);
    }
    let Some(repository) = Repository::parse(&source.repo_url) else {
        return;
    };
    attributes.set(keys::REPOSITORY_URL, repository.url);
    attributes.set(keys::REPOSITORY_NAME, repository.name);
    if let Some(provider) = repository.provider {
        attributes.set(keys::REPOSITORY_PROVIDER, provider);
        if !repository.owner.is_empty() {
            attributes.set(keys::REPOSITORY_OWNER, repository.owner);
        }
    }
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A repository's URL taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Repository {
    /// Canonical: without credentials and `.git`.
    url: String,
    name: String,
    owner: String,
    provider: Option<&'static str>,
}

impl Repository {
    /// Understands URLs, git's `user@host:path`, and paths; `None` if nothing names a repository.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('/');
        let bare = text.strip_suffix(".git").unwrap_or(text);
        let (scheme, rest) = match bare.split_once("://") {
            Some((scheme, rest)) => (scheme, rest),
            None if bare.starts_with('/') => ("file", bare),
            None => ("ssh", bare),
        };
        if scheme == "file" {
            let name = bare.rsplit('/').next().filter(|name| !name.is_empty())?;
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            return Some(Self {
                url: format!("file://{path}"),
                name: name.to_owned(),
                owner: String::new(),
                provider: None,
            });
        }
        // Without credentials, whatever they are.
        let end = rest.find('/').unwrap_or(rest.len());
        let start = rest[..end].rfind('@').map_or(0, |at| at + 1);
        let rest = &rest[start..];
        let (host, path) = match rest.split_once('/') {
            // `git@host:owner/name`
            Some((host, path)) => match host.split_once(':') {
                Some((host, first)) if first.parse::<u16>().is_err() => {
                    (host, format!("{first}/{path}"))
                }
                _ => (host, path.to_owned()),
            },
            None => rest
                .split_once(':')
                .map(|(host, path)| (host, path.to_owned()))?,
        };
        let path = path.trim_start_matches('/');
        let (owner, name) = path.rsplit_once('/').unwrap_or(("", path));
        if host.is_empty() || name.is_empty() {
            return None;
        }
        let provider = ["github", "gitlab", "bitbucket", "gitea"]
            .into_iter()
            .find(|provider| host.split(['.', ':', '-']).any(|part| part == *provider));
        // A person can open https, so that is what is canonical for a known provider.
        let scheme = match (scheme, provider) {
            ("ssh", Some(_)) => "https",
            (scheme, _) => scheme,
        };
        Some(Self {
            url: format!("{scheme}://{host}/{path}"),
            name: name.to_owned(),
            owner: owner.to_owned(),
            provider,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_named_without_credentials() {
        for (text, url, name, owner, provider) in [
            (
                "https://github.com/thschue/multi-stage-delivery.git",
                "https://github.com/thschue/multi-stage-delivery",
                "multi-stage-delivery",
                "thschue",
                Some("github"),
            ),
            (
                "https://user:s3cret@gitlab.example.com/a/b/c/",
                "https://gitlab.example.com/a/b/c",
                "c",
                "a/b",
                Some("gitlab"),
            ),
            (
                "git@github.com:owner/name.git",
                "https://github.com/owner/name",
                "name",
                "owner",
                Some("github"),
            ),
            (
                "ssh://git@git.example.com:2222/owner/name",
                "ssh://git.example.com:2222/owner/name",
                "name",
                "owner",
                None,
            ),
            (
                "file:///srv/git/demo.git",
                "file:///srv/git/demo",
                "demo",
                "",
                None,
            ),
            ("/srv/git/demo", "file:///srv/git/demo", "demo", "", None),
        ] {
            let expected = Repository {
                url: url.to_owned(),
                name: name.to_owned(),
                owner: owner.to_owned(),
                provider,
            };
            assert_eq!(Repository::parse(text), Some(expected), "{text}");
        }
        for text in ["", "https://", "https://host", "/", "name", "@", "a@/"] {
            assert_eq!(Repository::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_commit_is_a_head_revision() {
        assert!(is_commit("9a2d1f0c5a7e7f8fd7fb0d9f1c4f1f5d6a3b2c1d"));
        assert!(!is_commit("1.2.3"));
        assert!(!is_commit(
            "sha256:9a2d1f0c5a7e7f8fd7fb0d9f1c4f1f5d6a3b2c1d"
        ));
    }
}
