//! A promotion as a commit in a git repository, made by the real `git` program.
//!
//! All work is done in a temporary bare repository with just the commits that are needed; no work
//! tree is touched. A commit is made on top of the base branch's head and pushed with a lease: if
//! somebody pushed in the meantime, everything is looked at anew and the values are edited again.

mod askpass;
mod location;
mod process;
mod refusal;
mod repository;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use askpass::askpass;
pub use location::{Credentials, RepositoryUrl, RepositoryUrlError, Transport};

use self::process::Git;
use self::refusal::Push;
use self::repository::{Heads, Place};
use crate::branch::BranchName;
use crate::edit::{self, Edited};
use crate::forge::Proposal;
use crate::promotion::{GitMode, GitTarget, Promoted, Promotion};
use crate::text::{self, NamedChange};
use crate::{PromotionError, Values};

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Carries out a promotion over git.
pub(crate) async fn promote(
    promotion: &Promotion,
    target: &GitTarget,
    cancel: &CancellationToken,
) -> Result<Promoted, PromotionError> {
    check_settings(promotion, target)?;
    let own = promotion.branch()?;
    let git = Git::new(target, cancel).await?;
    let source = source_values(&git, promotion, target).await?;
    for attempt in 1..=target.attempts.max(1) {
        if let Some(mut promoted) = try_once(&git, promotion, target, &own, &source).await? {
            for note in &promoted.notes {
                promoted.summary.push_str("; ");
                promoted.summary.push_str(note);
            }
            return Ok(promoted);
        }
        // Not in step with the others that want to push.
        let spread = u64::from(std::process::id() % 50);
        let pause = Duration::from_millis(50 + spread) * 2_u32.saturating_pow(attempt.min(8));
        git.pause(pause.min(LONGEST_PAUSE)).await?;
    }
    Err(PromotionError::Contended {
        repository: target.repository.to_string(),
        branch: match target.mode {
            GitMode::Branch => own.to_string(),
            GitMode::Direct => "the base branch".to_owned(),
        },
        attempts: target.attempts,
    })
}

/// Looks at what can be seen to be wrong without any repository.
fn check_settings(promotion: &Promotion, target: &GitTarget) -> Result<(), PromotionError> {
    let wrong = |setting, problem: &str| {
        Err(PromotionError::Setting {
            setting,
            problem: problem.to_owned(),
        })
    };
    let values = &promotion.values;
    for (setting, file) in [
        ("--from-file", &values.source_file),
        ("--to-file", &values.target_file),
    ] {
        if !repository::is_file_path(file) {
            return wrong(
                setting,
                "needs a path inside the repository: relative, with no `..`, no `.git` and no empty part",
            );
        }
    }
    if values.keys.is_empty() {
        return wrong("--key", "give at least one key to carry");
    }
    for (setting, text) in [
        ("--author-name", &target.identity.name),
        ("--author-email", &target.identity.email),
    ] {
        if text.trim().is_empty() || text.contains(['<', '>', '\n', '\0']) {
            return wrong(setting, "is empty, or has a line break or one of < >");
        }
    }
    Ok(())
}

/// Reads the source stage's file as it was at the delivered revision.
async fn source_values(
    git: &Git<'_>,
    promotion: &Promotion,
    target: &GitTarget,
) -> Result<String, PromotionError> {
    let Some(revision) = promotion.revision.as_deref() else {
        return Err(PromotionError::Setting {
            setting: "--revision",
            problem: "the delivered revision is not known, and other values than those that passed are never promoted; give it".to_owned(),
        });
    };
    let repository = target
        .source_repository
        .as_ref()
        .unwrap_or(&target.repository);
    let commit = git.fetch_revision(repository, revision).await?;
    let place = Place {
        repository,
        at: format!("revision {revision}"),
        setting: "--from-file",
    };
    let file = git
        .file(&commit, &promotion.values.source_file, &place)
        .await?;
    Ok(file.text)
}

/// One look at the repository, and what follows from it. `None` if others were faster.
async fn try_once(
    git: &Git<'_>,
    promotion: &Promotion,
    target: &GitTarget,
    own: &BranchName,
    source: &str,
) -> Result<Option<Promoted>, PromotionError> {
    let proposed = (target.mode == GitMode::Branch).then_some(own);
    let Some(heads) = git.fetch_heads(target, proposed).await? else {
        return Ok(None);
    };
    if heads.base_branch == *own && target.mode == GitMode::Branch {
        return Err(PromotionError::Setting {
            setting: "--branch-template",
            problem: format!("`{own}` is the base branch; use --mode=direct to commit there"),
        });
    }
    let place = Place {
        repository: &target.repository,
        at: format!("branch {}", heads.base_branch),
        setting: "--to-file",
    };
    let values = &promotion.values;
    let base = git.file(&heads.base, &values.target_file, &place).await?;
    let carried = carry(
        promotion,
        source,
        &base.text,
        promotion.trace_parent.as_ref(),
        &place,
    )?;
    let outcome = Outcome::new(promotion, target, &heads, &carried)?;
    if carried.text == base.text {
        let stale = stale_branch(git, &heads, own, &base.text, values).await?;
        return Ok(Some(outcome.nothing_to_do(stale)));
    }

    if let Some(head) = &heads.own {
        let there = git.file(head, &values.target_file, &place).await.ok();
        if let Some(there) = there
            && proposes_the_same(promotion, source, &base.text, &there.text, &place)
        {
            return outcome.proposed_already(own, head).await.map(Some);
        }
        if !git.is_own(head, &trailers(promotion)).await? {
            return Err(PromotionError::Diverged {
                repository: target.repository.to_string(),
                branch: own.to_string(),
                commit: head.chars().take(12).collect(),
            });
        }
    }

    let message = text::with_trailers(&outcome.message, &trailers(promotion));
    let commit = git
        .commit(
            &heads.base,
            &base,
            &values.target_file,
            &carried.text,
            &message,
        )
        .await?;
    let (branch, expected) = match target.mode {
        GitMode::Branch => (own, heads.own.as_deref()),
        GitMode::Direct => (&heads.base_branch, Some(heads.base.as_str())),
    };
    match git
        .push(&target.repository, &commit, branch, expected)
        .await?
    {
        Push::Taken { page } => outcome.pushed(branch, &commit, page).await.map(Some),
        Push::Contended => Ok(None),
    }
}

/// Edits the target's text.
fn carry(
    promotion: &Promotion,
    source: &str,
    target: &str,
    trace_parent: Option<&stagelink_plan::TraceParent>,
    place: &Place<'_>,
) -> Result<Edited, PromotionError> {
    let values = &promotion.values;
    edit::carry(
        values,
        source,
        target,
        trace_parent.map(ToString::to_string).as_deref(),
    )
    .map_err(|(file, error)| {
        let (file, at) = match file {
            edit::Side::Source => (
                &values.source_file,
                format!(
                    "revision {}",
                    promotion.revision.as_deref().unwrap_or_default()
                ),
            ),
            edit::Side::Target => (&values.target_file, place.at.clone()),
        };
        PromotionError::Edit {
            file: file.clone(),
            at,
            source: error,
        }
    })
}

/// True if the promotion's own branch has just what would be pushed, but perhaps for another
/// traceparent: the versions count, and a link to an earlier promotion of them is as good.
fn proposes_the_same(
    promotion: &Promotion,
    source: &str,
    base: &str,
    there: &str,
    place: &Place<'_>,
) -> bool {
    let values = &promotion.values;
    let trace_parent = if values.always_trace_parent {
        promotion.trace_parent
    } else {
        values
            .trace_parent_key
            .as_ref()
            .and_then(|key| edit::value_at(there, key))
            .and_then(|value| value.as_str()?.parse().ok())
    };
    carry(promotion, source, base, trace_parent.as_ref(), place)
        .is_ok_and(|carried| carried.text == there)
}

/// A note if the promotion's own branch still proposes values, with nothing to promote any more.
async fn stale_branch(
    git: &Git<'_>,
    heads: &Heads,
    own: &BranchName,
    base: &str,
    values: &Values,
) -> Result<Option<String>, PromotionError> {
    let Some(head) = &heads.own else {
        return Ok(None);
    };
    let there = git.text(head, &values.target_file).await?;
    let differs = there.is_some_and(|there| {
        values
            .keys
            .iter()
            .any(|key| edit::value_at(&there, &key.target) != edit::value_at(base, &key.target))
    });
    Ok(differs.then(|| {
        format!("branch {own} still proposes other values; close its change and delete it")
    }))
}

/// What a commit of this promotion is known by, and what it tells.
fn trailers(promotion: &Promotion) -> Vec<(&'static str, String)> {
    let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        ("Stagelink-App", promotion.app.clone()),
        ("Stagelink-Stage", promotion.target_stage.clone()),
        ("Stagelink-File", promotion.values.target_file.clone()),
        ("Stagelink-Delivery", or_empty(&promotion.delivery)),
        ("Stagelink-Traceparent", promotion.names().trace_parent),
        ("Promoted-From-Stage", promotion.source_stage.clone()),
        ("Promoted-From-Revision", or_empty(&promotion.revision)),
    ]
    .into_iter()
    // A line break in a value would end the trailer and could forge another.
    .map(|(name, value)| (name, value.split_whitespace().collect::<Vec<_>>().join(" ")))
    .collect()
}

/// What is reported, as far as it is known before the push.
struct Outcome<'a> {
    target: &'a GitTarget,
    base: &'a BranchName,
    message: String,
    promoted: Promoted,
    versions: String,
    stages: String,
}

impl<'a> Outcome<'a> {
    fn new(
        promotion: &Promotion,
        target: &'a GitTarget,
        heads: &'a Heads,
        carried: &Edited,
    ) -> Result<Self, PromotionError> {
        let mut names = promotion.names();
        names.changes.clone_from(&carried.changes);
        let texts = &promotion.texts;
        let title = text::render_text("title", &texts.title, &names)?;
        Ok(Self {
            target,
            base: &heads.base_branch,
            message: text::render_text("commit message", &texts.commit, &names)?,
            promoted: Promoted {
                target: target.repository.to_string(),
                changes: carried.changes.clone(),
                title: title.split_whitespace().collect::<Vec<_>>().join(" "),
                body: text::render_text("body", &texts.body, &names)?,
                notes: carried.notes.clone(),
                files: vec![promotion.values.target_file.clone()],
                ..Promoted::default()
            },
            versions: in_short(&carried.changes),
            stages: format!("{} to {}", promotion.app, promotion.target_stage),
        })
    }

    fn nothing_to_do(mut self, stale: Option<String>) -> Promoted {
        self.promoted.files.clear();
        self.promoted.notes.clear();
        self.promoted.notes.extend(stale);
        self.promoted.branch = Some(self.base.to_string());
        self.promoted.summary = format!(
            "nothing to promote: {} of {} has these values already",
            self.base, self.target.repository
        );
        self.promoted
    }

    async fn proposed_already(
        mut self,
        branch: &BranchName,
        commit: &str,
    ) -> Result<Promoted, PromotionError> {
        self.promoted.branch = Some(branch.to_string());
        self.promoted.commit = Some(commit.to_owned());
        self.promoted.url = self
            .target
            .repository
            .compare_page(self.base.as_str(), branch.as_str());
        self.promoted.summary = format!(
            "nothing to do: branch {branch} of {} proposes {} already",
            self.target.repository, self.versions
        );
        self.propose(branch, commit).await?;
        Ok(self.promoted)
    }

    async fn pushed(
        mut self,
        branch: &BranchName,
        commit: &str,
        page: Option<String>,
    ) -> Result<Promoted, PromotionError> {
        let repository = &self.target.repository;
        self.promoted.changed = true;
        self.promoted.branch = Some(branch.to_string());
        self.promoted.commit = Some(commit.to_owned());
        let short = &commit[..commit.len().min(12)];
        if self.target.mode == GitMode::Direct {
            self.promoted.summary = format!(
                "promoted {} ({}): commit {short} on {branch} of {repository}",
                self.stages, self.versions
            );
            return Ok(self.promoted);
        }
        self.promoted.url =
            page.or_else(|| repository.compare_page(self.base.as_str(), branch.as_str()));
        self.promoted.summary = format!(
            "promoted {} ({}): commit {short} on branch {branch} of {repository}, to be merged into {}",
            self.stages, self.versions, self.base
        );
        self.propose(branch, commit).await?;
        Ok(self.promoted)
    }

    /// Has the forge open its change, where there is one.
    async fn propose(&mut self, branch: &BranchName, commit: &str) -> Result<(), PromotionError> {
        let Some(forge) = &self.target.forge else {
            return Ok(());
        };
        let proposed = forge
            .propose(&Proposal {
                base: self.base.as_str(),
                branch: branch.as_str(),
                commit,
                title: &self.promoted.title,
                body: &self.promoted.body,
            })
            .await?;
        self.promoted.changed |= proposed.changed;
        self.promoted.url = Some(proposed.url);
        Ok(())
    }
}

/// The changes in a few words.
fn in_short(changes: &[NamedChange]) -> String {
    const SHOWN: usize = 3;
    let mut short: Vec<String> = changes
        .iter()
        .take(SHOWN)
        .map(|change| {
            format!(
                "{} {}",
                change.key,
                change.to.chars().take(60).collect::<String>()
            )
        })
        .collect();
    match changes.len() {
        0 => return "a new traceparent".to_owned(),
        more if more > SHOWN => short.push(format!("{} more", more - SHOWN)),
        _ => {}
    }
    short.join(", ")
}
