//! Why a promotion did not happen.

use std::time::Duration;

use crate::edit::EditError;
use crate::text::TextError;

/// Why a promotion did not happen. One line each: what, where, what to do; never a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PromotionError {
    /// A setting is not usable.
    #[error("{setting}: {problem}")]
    Setting {
        /// The setting, as a person wrote it (`--base-branch`).
        setting: &'static str,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A template is not usable.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A file that is needed is not in the repository, or is no file.
    #[error("{file} {problem} at {at} of {repository}; correct {setting}")]
    File {
        /// The file, in the repository.
        file: String,
        /// `is not there`, `is a folder` …
        problem: &'static str,
        /// Revision or branch that was looked at.
        at: String,
        /// The repository.
        repository: String,
        /// The setting that names the file.
        setting: &'static str,
    },
    /// A values file cannot be read or edited.
    #[error("{file} at {at}: {source}")]
    Edit {
        /// The file, in the repository.
        file: String,
        /// Revision or branch that was looked at.
        at: String,
        /// What is wrong with it.
        source: EditError,
    },
    /// There is no `git` to run.
    #[error("the program `{program}` cannot be started ({source}); install git, or correct --git")]
    NoGit {
        /// What was started.
        program: String,
        /// The cause.
        source: std::io::Error,
    },
    /// There is no such repository, or the credentials do not show it.
    #[error(
        "there is no repository at {repository}, or these credentials cannot see it; correct --repository or the Secret"
    )]
    NoRepository {
        /// The repository.
        repository: String,
    },
    /// The repository is on this machine and belongs to somebody else.
    #[error(
        "git does not touch {repository}, which belongs to another user of this machine; run as its owner, or use a URL of a server"
    )]
    ForeignRepository {
        /// The repository.
        repository: String,
    },
    /// The server wants other credentials, or any.
    #[error(
        "{repository} refuses these credentials: {detail}; give a token that may write there (SECURE_DATA)"
    )]
    Credentials {
        /// The repository.
        repository: String,
        /// What git said.
        detail: String,
    },
    /// The server's identity cannot be verified (host key or certificate).
    #[error(
        "the identity of {repository} cannot be verified: {detail}; give its host key (--ssh-known-hosts) or certificate (SSL_CERT_FILE)"
    )]
    Identity {
        /// The repository.
        repository: String,
        /// What git said.
        detail: String,
    },
    /// The server cannot be reached.
    #[error("{repository} cannot be reached: {detail}")]
    Unreachable {
        /// The repository or the API.
        repository: String,
        /// What was said.
        detail: String,
    },
    /// The branch to promote to does not exist.
    #[error("{repository} has no branch {branch}; create it, or correct --base-branch")]
    NoBranch {
        /// The repository.
        repository: String,
        /// The branch.
        branch: String,
    },
    /// The repository has no commit yet, or no default branch.
    #[error("{repository} has no default branch; push a first commit, or give --base-branch")]
    NoDefaultBranch {
        /// The repository.
        repository: String,
    },
    /// The delivered revision cannot be had.
    #[error(
        "revision {revision} cannot be had from {repository}: {detail}; the values that passed are read there, so it has to be a commit, branch or tag of it"
    )]
    NoRevision {
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
        /// What git said.
        detail: String,
    },
    /// The promotion's own branch holds work of others.
    #[error(
        "branch {branch} of {repository} has commits that are not of this promotion ({commit}); merge or delete the branch, or choose another with --branch-template"
    )]
    Diverged {
        /// The repository.
        repository: String,
        /// The branch.
        branch: String,
        /// The foreign commit.
        commit: String,
    },
    /// Direct commits to a branch that is checked out in a repository with a work tree.
    #[error(
        "branch {branch} is checked out in the work tree of {repository}, and git does not change it under somebody's feet; use --mode=branch, a bare repository, or `git config receive.denyCurrentBranch updateInstead` there"
    )]
    CheckedOut {
        /// The repository.
        repository: String,
        /// The branch.
        branch: String,
    },
    /// The work tree that would be updated has changes that are not committed.
    #[error(
        "the work tree of {repository} has changes that are not committed; commit or stash them there, or use --mode=branch"
    )]
    Dirty {
        /// The repository.
        repository: String,
    },
    /// The server does not take the commit.
    #[error(
        "{repository} refuses the push to {branch}: {reason}; allow it there, or use another --mode or --branch-template"
    )]
    PushRefused {
        /// The repository.
        repository: String,
        /// The branch.
        branch: String,
        /// What the server said.
        reason: String,
    },
    /// Others pushed at the same time, again and again.
    #[error("others changed {branch} of {repository} during each of {attempts} attempts")]
    Contended {
        /// The repository.
        repository: String,
        /// The branch.
        branch: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// Something took too long.
    #[error("{what} took longer than {}", seconds(.limit))]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// The promotion was asked to stop.
    #[error("the promotion was stopped before it was done")]
    Cancelled,
    /// Git failed in a way that is not known.
    #[error("git {step} failed: {detail}")]
    Git {
        /// The step (`fetch`, `push` …).
        step: &'static str,
        /// What git said.
        detail: String,
    },
    /// The temporary repository cannot be kept.
    #[error("the temporary repository cannot be written: {0}; make room in TMPDIR")]
    Temporary(#[from] std::io::Error),
    /// 401.
    #[error(
        "GitHub refuses the token (401): it is wrong, expired or revoked; put a new one into SECURE_DATA. {detail}"
    )]
    Unauthorized {
        /// What GitHub said.
        detail: String,
    },
    /// 403, and not for a limit of rate.
    #[error(
        "the token may not start workflows of {repository} (403): give it \"Actions: read and write\" for this repository. {detail}"
    )]
    Forbidden {
        /// `owner/name`.
        repository: String,
        /// What GitHub said.
        detail: String,
    },
    /// 404.
    #[error(
        "GitHub has no workflow {workflow} in {repository}, or the token cannot see it (404): look at githubRepoOwner, githubRepo, --workflow and the repositories that the token is for. {detail}"
    )]
    NotFound {
        /// `owner/name`.
        repository: String,
        /// The workflow.
        workflow: String,
        /// What GitHub said.
        detail: String,
    },
    /// 422.
    #[error(
        "GitHub does not start {workflow} on {reference} (422): the branch has to exist, and the workflow there has to have `on: workflow_dispatch` with these inputs ({inputs}). {detail}"
    )]
    Unprocessable {
        /// The workflow.
        workflow: String,
        /// The branch or tag.
        reference: String,
        /// Names of the inputs that were sent.
        inputs: String,
        /// What GitHub said.
        detail: String,
    },
    /// 429, or 403 for a limit of rate, for longer than there is time.
    #[error("GitHub's limit of requests is reached ({status}){}; try again then, or use a token of its own for promotions. {detail}", again(.retry_after))]
    RateLimited {
        /// 403 or 429.
        status: u16,
        /// How long GitHub asks to wait, if it says.
        retry_after: Option<Duration>,
        /// What GitHub said.
        detail: String,
    },
    /// 5xx, again and again.
    #[error("GitHub has a fault of its own ({status}), still after {attempts} attempts. {detail}")]
    Server {
        /// The status.
        status: u16,
        /// How often it was tried.
        attempts: u32,
        /// What GitHub said.
        detail: String,
    },
    /// An answer that is none of those.
    #[error(
        "an answer that GitHub does not give ({status}) from {url}: is --api-url right? {detail}"
    )]
    Unexpected {
        /// The status.
        status: u16,
        /// What was asked.
        url: String,
        /// What was said.
        detail: String,
    },
    /// The forge did not take the proposal that belongs to a pushed branch.
    #[error("the branch {branch} is pushed, but the forge did not open a change for it: {detail}")]
    Forge {
        /// The branch.
        branch: String,
        /// Why.
        detail: String,
        /// True if trying again may help.
        worth_another_try: bool,
    },
}

impl PromotionError {
    /// True if the same promotion may succeed when it is tried again with nothing changed: the
    /// outcome is `error`. Otherwise a person has to change something first: the outcome is `fail`.
    pub fn is_worth_another_try(&self) -> bool {
        match self {
            Self::NoGit { .. }
            | Self::Unreachable { .. }
            | Self::Contended { .. }
            | Self::Timeout { .. }
            | Self::Cancelled
            | Self::Git { .. }
            | Self::Temporary(_)
            | Self::RateLimited { .. }
            | Self::Server { .. } => true,
            Self::Forge {
                worth_another_try, ..
            } => *worth_another_try,
            _ => false,
        }
    }

    /// True if what was asked for makes no sense by itself (exit code 2), whatever the world is like.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Setting { .. } | Self::Text(_))
    }
}

/// A duration for people.
fn seconds(limit: &Duration) -> String {
    if limit.subsec_millis() == 0 {
        format!("{} s", limit.as_secs())
    } else {
        format!("{:.1} s", limit.as_secs_f64())
    }
}

fn again(retry_after: &Option<Duration>) -> String {
    retry_after
        .map(|wait| format!(" for another {}", seconds(&wait)))
        .unwrap_or_default()
}
