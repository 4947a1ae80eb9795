//! What a promotion is, where it goes, and what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stagelink_plan::TraceParent;
use tokio_util::sync::CancellationToken;

use crate::branch::BranchName;
use crate::forge::Forge;
use crate::git::{Credentials, RepositoryUrl};
use crate::key::{KeyMapping, KeyPath};
use crate::text::{self, NamedChange, Names, Texts};
use crate::{PromotionError, Secret, git, github};

/// What is carried from one stage to the next.
#[derive(Debug, Clone)]
pub struct Promotion {
    /// Name of the app.
    pub app: String,
    /// The stage that the app passed.
    pub source_stage: String,
    /// The stage that it goes to.
    pub target_stage: String,
    /// The revision that passed, as Argo CD gave it: source values are read there.
    pub revision: Option<String>,
    /// Which delivery this is, for the trailer `Stagelink-Delivery`, e.g. `3.1`.
    pub delivery: Option<String>,
    /// The span of the promotion: goes into the target's values and is linked to from there.
    pub trace_parent: Option<TraceParent>,
    /// Which values are carried.
    pub values: Values,
    /// Templates of branch, commit message, title and body.
    pub texts: Texts,
}

/// Which values are carried, from where to where.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// The source stage's file, a path in the repository.
    pub source_file: String,
    /// The target stage's file, a path in the repository.
    pub target_file: String,
    /// The keys; empty only for a workflow that chooses for itself.
    pub keys: Vec<KeyMapping>,
    /// The key of the target's file that takes the traceparent; none to leave it alone.
    pub trace_parent_key: Option<KeyPath>,
    /// Write the traceparent even if no other value changes. Off by default: a repeated promotion
    /// of the same values then does nothing.
    pub always_trace_parent: bool,
}

/// Where a promotion goes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Target {
    /// A commit in a git repository, made by the `git` program.
    Git(Box<GitTarget>),
    /// A workflow on GitHub that makes the change, as in Keptn's blog.
    GithubWorkflow(Box<GithubWorkflow>),
}

/// A commit in a git repository.
#[derive(Debug, Clone)]
pub struct GitTarget {
    /// The repository with the target's file.
    pub repository: RepositoryUrl,
    /// The repository with the source's file; the same by default.
    pub source_repository: Option<RepositoryUrl>,
    /// The branch that the target stage is delivered from; the remote's default branch if none.
    pub base_branch: Option<BranchName>,
    /// A branch to be merged by people, or a commit on the base branch.
    pub mode: GitMode,
    /// For https; those in the repository's URL are used if none.
    pub credentials: Option<Credentials>,
    /// Author and committer.
    pub identity: Identity,
    /// Private key file for ssh; the agent or ssh's own default if none.
    pub ssh_key: Option<std::path::PathBuf>,
    /// File with the host keys for ssh; ssh's own default if none.
    pub ssh_known_hosts: Option<std::path::PathBuf>,
    /// How long the whole promotion may take.
    pub timeout: Duration,
    /// How often it is tried when others push at the same time.
    pub attempts: u32,
    /// The program.
    pub git: std::path::PathBuf,
    /// A program that answers git as [`askpass`](crate::git::askpass) does. Without it git gets a
    /// credential helper, which it runs with a shell.
    pub askpass: Option<std::path::PathBuf>,
    /// Opens a change for the pushed branch; none ends with the branch.
    pub forge: Option<Arc<dyn Forge>>,
}

impl GitTarget {
    /// A target with the default of every setting.
    pub fn new(repository: RepositoryUrl) -> Self {
        Self {
            repository,
            source_repository: None,
            base_branch: None,
            mode: GitMode::Branch,
            credentials: None,
            identity: Identity::default(),
            ssh_key: None,
            ssh_known_hosts: None,
            timeout: DEFAULT_TIMEOUT,
            attempts: DEFAULT_ATTEMPTS,
            git: "git".into(),
            askpass: None,
            forge: None,
        }
    }
}

/// Default of [`GitTarget::timeout`] and [`GithubWorkflow::timeout`].
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// Default of [`GitTarget::attempts`].
pub const DEFAULT_ATTEMPTS: u32 = 5;

/// What is done with the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitMode {
    /// It goes on the promotion's own branch, for people to merge.
    Branch,
    /// It goes on the base branch.
    Direct,
}

/// Who commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of author and committer.
    pub name: String,
    /// E-mail address of author and committer.
    pub email: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            name: "Stagelink".to_owned(),
            // A name that can never belong to anybody (RFC 2606).
            email: "promotion@stagelink.invalid".to_owned(),
        }
    }
}

/// A workflow on GitHub, started by `workflow_dispatch`.
#[derive(Debug, Clone)]
pub struct GithubWorkflow {
    /// Base of the API: `https://api.github.com`, or `https://HOST/api/v3` of an own server.
    pub api_url: url::Url,
    /// Owner of the repository.
    pub owner: String,
    /// Name of the repository.
    pub repository: String,
    /// File name of the workflow (`promote.yaml`) or its number.
    pub workflow: String,
    /// Branch or tag whose workflow is run.
    pub reference: String,
    /// Inputs beside `traceParent`: name and template.
    pub inputs: BTreeMap<String, String>,
    /// Name of the input that takes the traceparent; none to send none.
    pub trace_parent_input: Option<String>,
    /// The token; needs "Actions: read and write" only.
    pub token: Secret,
    /// How long the whole promotion may take, waiting for GitHub's limits included.
    pub timeout: Duration,
}

/// What came of a promotion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promoted {
    /// False if there was nothing to do.
    pub changed: bool,
    /// What it went to: a repository or `owner/name`; never with credentials.
    pub target: String,
    /// The branch that holds the change, or the base branch.
    pub branch: Option<String>,
    /// The commit that holds it; none if a workflow makes it, or if the base branch had it already.
    pub commit: Option<String>,
    /// A page about it, where one is known.
    pub url: Option<String>,
    /// The files that differ from the base branch now.
    pub files: Vec<String>,
    /// The values that were carried.
    pub changes: Vec<NamedChange>,
    /// Title for whoever opens a change by hand.
    pub title: String,
    /// Description for whoever opens a change by hand.
    pub body: String,
    /// Anything a person should know: duplicate keys removed, a stale branch.
    pub notes: Vec<String>,
    /// All of it in one line, the notes included.
    pub summary: String,
}

impl Promoted {
    /// The facts for `ItemReport.details`.
    pub fn details(&self) -> BTreeMap<String, String> {
        let mut details = BTreeMap::new();
        let mut put = |name: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                details.insert(format!("promotion.{name}"), value.to_owned());
            }
        };
        put("target", Some(&self.target));
        put("branch", self.branch.as_deref());
        put("commit", self.commit.as_deref());
        put("url", self.url.as_deref());
        put("changed", Some(if self.changed { "true" } else { "false" }));
        details
    }
}

/// Carries out a promotion.
///
/// It can be repeated at any time, also after a kill: what is done already is found and not done
/// again.
///
/// # Errors
/// [`PromotionError`], which says whether it is worth another try. When `cancel` fires, the
/// promotion ends with [`PromotionError::Cancelled`] and leaves nothing half done.
pub async fn promote(
    promotion: &Promotion,
    target: &Target,
    cancel: &CancellationToken,
) -> Result<Promoted, PromotionError> {
    match target {
        Target::Git(target) => git::promote(promotion, target, cancel).await,
        Target::GithubWorkflow(target) => github::promote(promotion, target, cancel).await,
    }
}

impl Promotion {
    /// What the templates can name, before it is known what changes.
    pub(crate) fn names(&self) -> Names {
        Names {
            app: self.app.clone(),
            source_stage: self.source_stage.clone(),
            target_stage: self.target_stage.clone(),
            revision: self.revision.clone().unwrap_or_default(),
            delivery: self.delivery.clone().unwrap_or_default(),
            trace_parent: self
                .trace_parent
                .map(|link| link.to_string())
                .unwrap_or_default(),
            file: self.values.target_file.clone(),
            changes: Vec::new(),
        }
    }

    /// The promotion's own branch.
    pub(crate) fn branch(&self) -> Result<BranchName, PromotionError> {
        text::render_branch(&self.texts.branch, &self.names())?
            .trim()
            .parse()
            .map_err(|error: crate::BranchNameError| PromotionError::Setting {
                setting: "--branch-template",
                problem: error.to_string(),
            })
    }
}
