//! What git's messages mean.
//!
//! Git tells programs little more than "it failed": what a person can do about it has to be read
//! from its messages, which are those of the C locale.

use super::location::RepositoryUrl;
use super::process::{Ended, one_line};
use crate::PromotionError;
use crate::branch::BranchName;

/// What came of a push that was carried out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Push {
    /// The server has it.
    Taken {
        /// A page that the server named, to open a change or look at it.
        page: Option<String>,
    },
    /// Somebody else changed the branch since it was looked at.
    Contended,
}

/// Sorts what came of `git push --porcelain`.
pub(super) fn push(
    ended: &Ended,
    repository: &RepositoryUrl,
    branch: &BranchName,
) -> Result<Push, PromotionError> {
    if ended.status.success() {
        // Two promotions of the same in the same second make the same commit; the other one was first.
        if ended.text().lines().any(|line| line.starts_with("=\t")) {
            return Ok(Push::Contended);
        }
        return Ok(Push::Taken {
            page: page(&ended.stderr, repository),
        });
    }
    let report = ended.text();
    let Some(rejected) = report.lines().find(|line| line.starts_with('!')) else {
        return Err(remote("push", ended, repository));
    };
    let verdict = rejected.rsplit('\t').next().unwrap_or_default();
    let has = |texts: &[&str]| texts.iter().any(|text| verdict.contains(text));
    let said = |texts: &[&str]| texts.iter().any(|text| ended.stderr.contains(text));
    if verdict.starts_with("[rejected]") {
        return Ok(Push::Contended);
    }
    if has(&["branch is currently checked out"]) {
        return Err(PromotionError::CheckedOut {
            repository: repository.to_string(),
            branch: branch.to_string(),
        });
    }
    if has(&[
        "Working directory has unstaged changes",
        "Working directory has staged changes",
        "Could not update working tree",
    ]) {
        return Err(PromotionError::Dirty {
            repository: repository.to_string(),
        });
    }
    // A branch `a` in the way of a branch `a/b` stays there however often it is tried.
    let in_the_way = said(&["exists; cannot create"]);
    if !in_the_way
        && has(&[
            "failed to update ref",
            "failed to lock",
            "cannot lock ref",
            "incorrect old value provided",
            "reference already exists",
            "fetch first",
        ])
    {
        return Ok(Push::Contended);
    }
    let verdict = verdict
        .trim_start_matches("[remote rejected]")
        .trim()
        .trim_start_matches('(')
        .trim_end_matches(')');
    let mut reason = if in_the_way {
        "another branch has the name of a part of it".to_owned()
    } else {
        verdict.to_owned()
    };
    let told: Vec<&str> = remote_lines(&ended.stderr)
        .filter(|line| !line.is_empty())
        .take(3)
        .collect();
    if !told.is_empty() {
        reason = format!("{reason} ({})", told.join(" / "));
    }
    Err(PromotionError::PushRefused {
        repository: repository.to_string(),
        branch: branch.to_string(),
        reason: reason.chars().take(500).collect(),
    })
}

/// Sorts what keeps git from talking to a repository.
pub(super) fn remote(
    step: &'static str,
    ended: &Ended,
    repository: &RepositoryUrl,
) -> PromotionError {
    let said = |texts: &[&str]| texts.iter().any(|text| ended.stderr.contains(text));
    let detail = one_line(&ended.stderr);
    let repository = repository.to_string();
    if said(&["dubious ownership"]) {
        PromotionError::ForeignRepository { repository }
    } else if said(&[
        "Host key verification failed",
        "certificate",
        "SSL",
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
    ]) {
        PromotionError::Identity { repository, detail }
    } else if said(&[
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "Permission denied (",
        "Access denied",
        "returned error: 401",
        "returned error: 403",
        "Permission to ",
        "Write access to repository not granted",
    ]) {
        PromotionError::Credentials { repository, detail }
    } else if said(&[
        "does not appear to be a git repository",
        "Repository not found",
        "repository not found",
        "' not found",
        "returned error: 404",
        "project you were looking for could not be found",
    ]) {
        PromotionError::NoRepository { repository }
    } else if said(&["No space left on device"]) {
        PromotionError::Temporary(std::io::Error::new(std::io::ErrorKind::StorageFull, detail))
    } else if said(&[
        "Could not resolve host",
        "Connection refused",
        "Connection timed out",
        "Connection reset",
        "Connection closed",
        "Failed to connect",
        "Couldn't connect",
        "Network is unreachable",
        "No route to host",
        "Operation timed out",
        "hung up unexpectedly",
        "early EOF",
        "Empty reply from server",
        "returned error: 429",
        "returned error: 5",
    ]) {
        PromotionError::Unreachable { repository, detail }
    } else {
        PromotionError::Git { step, detail }
    }
}

/// What the server itself said, line by line.
fn remote_lines(stderr: &str) -> impl Iterator<Item = &str> {
    stderr
        .lines()
        .filter_map(|line| line.strip_prefix("remote:"))
        .map(str::trim)
}

/// The page that a forge names after a push: GitHub, GitLab and Gitea do. Only a page of the same
/// host is taken.
fn page(stderr: &str, repository: &RepositoryUrl) -> Option<String> {
    let repository = url::Url::parse(repository.as_str()).ok()?;
    let host = repository.host_str()?;
    remote_lines(stderr)
        .flat_map(str::split_whitespace)
        .filter_map(|word| url::Url::parse(word).ok())
        .find(|url| matches!(url.scheme(), "https" | "http") && url.host_str() == Some(host))
        .map(|url| url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn failed(stdout: &str, stderr: &str) -> Ended {
        Ended {
            status: std::process::ExitStatus::from_raw(256),
            stdout: stdout.as_bytes().to_vec(),
            stderr: stderr.to_owned(),
        }
    }

    fn repository() -> RepositoryUrl {
        "https://forge.example/o/r.git".parse().unwrap()
    }

    /// Messages of git 2.39 and of forges, as they were seen.
    #[test]
    fn what_keeps_git_from_a_repository_is_told_apart() {
        for (stderr, expected, again) in [
            (
                "fatal: '/x' does not appear to be a git repository\nfatal: Could not read from remote repository.",
                "there is no repository",
                false,
            ),
            (
                "remote: Repository not found.\nfatal: repository 'https://github.com/a/b/' not found",
                "there is no repository",
                false,
            ),
            (
                "fatal: could not read Username for 'https://h': terminal prompts disabled",
                "refuses these credentials",
                false,
            ),
            (
                "fatal: Authentication failed for 'https://h/r/'",
                "refuses these credentials",
                false,
            ),
            (
                "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                "refuses these credentials",
                false,
            ),
            (
                "fatal: unable to access 'https://h/r/': The requested URL returned error: 403",
                "refuses these credentials",
                false,
            ),
            (
                "Host key verification failed.\nfatal: Could not read from remote repository.",
                "identity",
                false,
            ),
            (
                "fatal: unable to access 'https://h/': server certificate verification failed. CAfile: none",
                "identity",
                false,
            ),
            (
                "fatal: detected dubious ownership in repository at '/x'",
                "belongs to another user",
                false,
            ),
            (
                "fatal: unable to access 'https://h/': Could not resolve host: h",
                "cannot be reached",
                true,
            ),
            (
                "fatal: unable to access 'https://h/': The requested URL returned error: 502",
                "cannot be reached",
                true,
            ),
            (
                "fatal: write error: No space left on device",
                "make room",
                true,
            ),
            ("something new", "git fetch failed: something new", true),
            ("", "git fetch failed: it gave no reason", true),
        ] {
            let error = remote("fetch", &failed("", stderr), &repository());
            let shown = error.to_string();
            assert!(shown.contains(expected), "{stderr}: {shown}");
            assert_eq!(error.is_worth_another_try(), again, "{stderr}");
            assert_eq!(shown.lines().count(), 1);
        }
    }

    #[test]
    fn what_becomes_of_a_push_is_told_apart() {
        let branch: BranchName = "b".parse().unwrap();
        let line = |verdict: &str| format!("To x\n!\tabc:refs/heads/b\t{verdict}\nDone");
        for verdict in [
            "[rejected] (stale info)",
            "[rejected] (fetch first)",
            "[remote rejected] (failed to update ref)",
            "[remote rejected] (cannot lock ref 'refs/heads/b': is at 1 but expected 2)",
        ] {
            let pushed = push(&failed(&line(verdict), ""), &repository(), &branch);
            assert_eq!(pushed.unwrap(), Push::Contended, "{verdict}");
        }
        for (verdict, stderr, expected) in [
            (
                "[remote rejected] (pre-receive hook declined)",
                "remote: no friday\nremote: \nerror: x",
                "pre-receive hook declined (no friday)",
            ),
            (
                "[remote rejected] (protected branch hook declined)",
                "",
                "protected branch",
            ),
            (
                "[remote rejected] (non-fast-forward)",
                "",
                "non-fast-forward",
            ),
            (
                "[remote rejected] (branch is currently checked out)",
                "",
                "checked out in the work tree",
            ),
            (
                "[remote rejected] (Working directory has unstaged changes)",
                "",
                "not committed",
            ),
            (
                "[remote rejected] (failed to update ref)",
                "remote: error: cannot lock ref 'refs/heads/a/b': 'refs/heads/a' exists; cannot create",
                "another branch",
            ),
        ] {
            let error = push(&failed(&line(verdict), stderr), &repository(), &branch).unwrap_err();
            assert!(error.to_string().contains(expected), "{verdict}: {error}");
            assert!(!error.is_worth_another_try(), "{verdict}");
        }
    }

    #[test]
    fn only_a_page_of_the_same_host_is_taken() {
        let told =
            "remote: see https://evil.example/x\nremote:   https://forge.example/o/r/compare/b  \n";
        assert_eq!(
            page(told, &repository()).as_deref(),
            Some("https://forge.example/o/r/compare/b")
        );
        assert_eq!(
            page("https://forge.example/not-the-server", &repository()),
            None
        );
    }
}
