//! The command line of `promote`, the built-in task.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use stagelink_plan::TraceParent;
use url::Url;

use crate::branch::BranchName;
use crate::git::{Credentials, RepositoryUrl};
use crate::key::{KeyMapping, KeyPath};
use crate::promotion::{
    DEFAULT_ATTEMPTS, DEFAULT_TIMEOUT, GitMode, GitTarget, GithubWorkflow, Identity, Promotion,
    Target, Values,
};
use crate::text::{DEFAULT_BODY, DEFAULT_BRANCH, DEFAULT_COMMIT, DEFAULT_TITLE, Texts};
use crate::{PromotionError, Secret, SecureData};

/// The most keys that one promotion carries.
const MAX_KEYS: usize = 100;

/// Carry the versions that passed this stage to the next stage's values file.
///
/// A token comes from the environment variable SECURE_DATA only, as JSON:
/// {"githubRepo", "githubRepoOwner", "apiToken"}.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  promote --to-stage prod --from-file charts/dev/values.yaml --to-file charts/prod/values.yaml \\
    --key serviceVersion --key image.tag
  promote --to-stage prod --mode github-workflow --workflow promote.yaml")]
pub struct PromoteArguments {
    /// The stage to promote to.
    #[arg(long, value_name = "STAGE")]
    pub to_stage: String,

    /// The stage that was passed; default: the plan's.
    #[arg(long, value_name = "STAGE")]
    pub from_stage: Option<String>,

    /// The app; default: the plan's.
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,

    /// The revision that passed; default: the plan's. The values are read there.
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<String>,

    /// The values file of the stage that was passed, a path in the repository.
    #[arg(long, value_name = "PATH")]
    pub from_file: Option<String>,

    /// The values file of the stage to promote to, a path in the repository.
    #[arg(long, value_name = "PATH")]
    pub to_file: Option<String>,

    /// A key to carry: `serviceVersion`, `image.tag`, `'a.b'.c`, `list[0].tag`, or `FROM=TO` if the
    /// files name it differently. A map carries all that is in it. Repeatable.
    #[arg(long = "key", value_name = "KEY[=KEY]")]
    pub keys: Vec<KeyMapping>,

    /// The key that takes the traceparent of the promotion; "" writes none.
    #[arg(long, value_name = "KEY", default_value = "traceParent")]
    pub trace_parent_key: String,

    /// Write the traceparent even when no version changes.
    #[arg(long)]
    pub always_trace_parent: bool,

    /// What the promotion makes.
    #[arg(long, value_enum, default_value_t = Mode::Branch)]
    pub mode: Mode,

    /// The repository with the target's file: path, file://, https://, ssh:// or user@host:path;
    /// default: the plan's.
    #[arg(
        long,
        value_name = "URL",
        env = "STAGELINK_REPOSITORY",
        hide_env_values = true
    )]
    pub repository: Option<String>,

    /// The repository with the source's file, if it is another one.
    #[arg(long, value_name = "URL")]
    pub source_repository: Option<String>,

    /// The branch that the target stage is delivered from; default: the remote's default branch.
    #[arg(long, value_name = "BRANCH")]
    pub base_branch: Option<String>,

    /// Template of the promotion's own branch (app, sourceStage, targetStage).
    #[arg(long, value_name = "TEMPLATE", default_value = DEFAULT_BRANCH)]
    pub branch_template: String,

    /// Template of the commit message; trailers are added to it.
    #[arg(long, value_name = "TEMPLATE", default_value = DEFAULT_COMMIT, hide_default_value = true)]
    pub commit_template: String,

    /// Template of the title.
    #[arg(long, value_name = "TEMPLATE", default_value = DEFAULT_TITLE)]
    pub title_template: String,

    /// Template of the description.
    #[arg(long, value_name = "TEMPLATE", default_value = DEFAULT_BODY, hide_default_value = true)]
    pub body_template: String,

    /// Name of author and committer.
    #[arg(long, value_name = "NAME", default_value_t = Identity::default().name)]
    pub author_name: String,

    /// E-mail address of author and committer.
    #[arg(long, value_name = "ADDRESS", default_value_t = Identity::default().email)]
    pub author_email: String,

    /// Private key file for ssh.
    #[arg(long, value_name = "FILE")]
    pub ssh_key: Option<PathBuf>,

    /// File with the host keys for ssh.
    #[arg(long, value_name = "FILE")]
    pub ssh_known_hosts: Option<PathBuf>,

    /// The git program.
    #[arg(long, value_name = "PROGRAM", default_value = "git")]
    pub git: PathBuf,

    /// A program that answers git's question for user name and password, where there is no shell:
    /// stagelink-askpass.
    #[arg(long, value_name = "PROGRAM", env = "STAGELINK_GIT_ASKPASS")]
    pub git_askpass: Option<PathBuf>,

    /// The workflow to start with --mode=github-workflow: its file name or number.
    #[arg(long, value_name = "FILE", default_value = "promote.yaml")]
    pub workflow: String,

    /// An input for the workflow beside traceParent: NAME=TEMPLATE. Repeatable.
    #[arg(long = "input", value_name = "NAME=TEMPLATE")]
    pub inputs: Vec<String>,

    /// The workflow's input that takes the traceparent; "" sends none.
    #[arg(long, value_name = "NAME", default_value = "traceParent")]
    pub trace_parent_input: String,

    /// Base of GitHub's API; https://HOST/api/v3 for an own server.
    #[arg(
        long,
        value_name = "URL",
        env = "STAGELINK_GITHUB_API_URL",
        default_value = "https://api.github.com"
    )]
    pub api_url: Url,

    /// How long the promotion may take as a whole.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,

    /// How often it is tried when others push at the same time.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ATTEMPTS, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub attempts: u32,
}

/// What a promotion makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// A commit on the promotion's own branch, for people to merge.
    Branch,
    /// A commit on the base branch.
    Direct,
    /// The start of a workflow on GitHub, which makes the change.
    GithubWorkflow,
}

/// What a delivery knows about itself, for what the command line leaves open.
#[derive(Debug, Clone, Default)]
pub struct PromotionContext {
    /// The plan's app, or `KEPTN_CONTEXT.appName`.
    pub app: Option<String>,
    /// The plan's stage.
    pub stage: Option<String>,
    /// The plan's revision, or `KEPTN_CONTEXT.metadata.commitID`.
    pub revision: Option<String>,
    /// The plan's `source.repo_url`.
    pub repository: Option<String>,
    /// `<delivery number>.<attempt>`.
    pub delivery: Option<String>,
    /// The span of the phase: `KEPTN_CONTEXT.metadata.traceparent`.
    pub trace_parent: Option<TraceParent>,
    /// The environment variable `SECURE_DATA`.
    pub secure_data: Option<Secret>,
}

impl PromoteArguments {
    /// What is to be promoted, and where to.
    ///
    /// # Errors
    /// [`PromotionError::Setting`] naming the setting that is missing or wrong.
    pub fn resolve(
        &self,
        context: &PromotionContext,
    ) -> Result<(Promotion, Target), PromotionError> {
        let secure_data = match &context.secure_data {
            Some(json) => json
                .expose()
                .parse()
                .map_err(|error: crate::SecureDataError| {
                    setting("SECURE_DATA", error.to_string())
                })?,
            None => SecureData::default(),
        };
        let promotion = self.promotion(context)?;
        let target = match self.mode {
            Mode::Branch => self.git(GitMode::Branch, context, secure_data)?,
            Mode::Direct => self.git(GitMode::Direct, context, secure_data)?,
            Mode::GithubWorkflow => self.workflow(context, secure_data)?,
        };
        Ok((promotion, target))
    }

    fn promotion(&self, context: &PromotionContext) -> Result<Promotion, PromotionError> {
        let known = |flag: &Option<String>, known: &Option<String>| {
            flag.clone()
                .or_else(|| known.clone())
                .filter(|text| !text.is_empty())
        };
        if self.keys.len() > MAX_KEYS {
            return Err(setting("--key", format!("more than {MAX_KEYS} keys")));
        }
        let trace_parent_key = match self.trace_parent_key.as_str() {
            "" => None,
            key => Some(
                key.parse::<KeyPath>()
                    .map_err(|error| setting("--trace-parent-key", error.to_string()))?,
            ),
        };
        Ok(Promotion {
            app: known(&self.app, &context.app)
                .ok_or_else(|| setting("--app", "no app is known; give one".to_owned()))?,
            source_stage: known(&self.from_stage, &context.stage)
                .ok_or_else(|| setting("--from-stage", "no stage is known; give one".to_owned()))?,
            target_stage: self.to_stage.clone(),
            revision: known(&self.revision, &context.revision),
            delivery: context.delivery.clone(),
            trace_parent: context.trace_parent,
            values: Values {
                source_file: self.from_file.clone().unwrap_or_default(),
                target_file: self.to_file.clone().unwrap_or_default(),
                keys: self.keys.clone(),
                trace_parent_key,
                always_trace_parent: self.always_trace_parent,
            },
            texts: Texts {
                branch: self.branch_template.clone(),
                commit: self.commit_template.clone(),
                title: self.title_template.clone(),
                body: self.body_template.clone(),
            },
        })
    }

    fn git(
        &self,
        mode: GitMode,
        context: &PromotionContext,
        secure_data: SecureData,
    ) -> Result<Target, PromotionError> {
        let address = self
            .repository
            .as_ref()
            .or(context.repository.as_ref())
            .filter(|address| !address.is_empty())
            .ok_or_else(|| {
                setting(
                    "--repository",
                    "no repository is known; give its URL".to_owned(),
                )
            })?;
        for (name, given) in [
            ("--from-file", self.from_file.is_some()),
            ("--to-file", self.to_file.is_some()),
            ("--key", !self.keys.is_empty()),
        ] {
            if !given {
                return Err(setting(
                    name,
                    "is needed for a commit in a repository".to_owned(),
                ));
            }
        }
        let url = |name, address: &str| {
            address
                .parse::<RepositoryUrl>()
                .map_err(|error| setting(name, error.to_string()))
        };
        let branch = |name: &str| {
            name.parse::<BranchName>()
                .map_err(|error| setting("--base-branch", error.to_string()))
        };
        let mut target = GitTarget::new(url("--repository", address)?);
        target.source_repository = self
            .source_repository
            .as_deref()
            .map(|address| url("--source-repository", address))
            .transpose()?;
        target.base_branch = self.base_branch.as_deref().map(branch).transpose()?;
        target.mode = mode;
        target.credentials = secure_data.api_token.map(|password| Credentials {
            username: secure_data
                .username
                .unwrap_or_else(|| "x-access-token".to_owned()),
            password,
        });
        target.identity = Identity {
            name: self.author_name.clone(),
            email: self.author_email.clone(),
        };
        target.ssh_key.clone_from(&self.ssh_key);
        target.ssh_known_hosts.clone_from(&self.ssh_known_hosts);
        target.askpass.clone_from(&self.git_askpass);
        target.git.clone_from(&self.git);
        target.timeout = self.timeout;
        target.attempts = self.attempts;
        Ok(Target::Git(Box::new(target)))
    }

    fn workflow(
        &self,
        context: &PromotionContext,
        secure_data: SecureData,
    ) -> Result<Target, PromotionError> {
        let missing = |field: &str| {
            setting(
                "SECURE_DATA",
                format!(
                    "{field} is missing; put it into the JSON in the key SECURE_DATA of the Secret"
                ),
            )
        };
        let token = secure_data.api_token.ok_or_else(|| missing("apiToken"))?;
        let address = self.repository.as_ref().or(context.repository.as_ref());
        let (owner, repository) = match (secure_data.github_repo_owner, secure_data.github_repo) {
            (Some(owner), Some(repository)) => (owner, repository),
            (owner, repository) => {
                let (from_owner, from_repository) =
                    address.and_then(|url| owner_and_name(url)).unzip();
                (
                    owner
                        .or(from_owner)
                        .ok_or_else(|| missing("githubRepoOwner"))?,
                    repository
                        .or(from_repository)
                        .ok_or_else(|| missing("githubRepo"))?,
                )
            }
        };
        let mut inputs = BTreeMap::new();
        for input in &self.inputs {
            let (name, template) = input
                .split_once('=')
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| setting("--input", format!("`{input}` is not NAME=TEMPLATE")))?;
            inputs.insert(name.to_owned(), template.to_owned());
        }
        Ok(Target::GithubWorkflow(Box::new(GithubWorkflow {
            api_url: self.api_url.clone(),
            owner,
            repository,
            workflow: self.workflow.clone(),
            reference: self
                .base_branch
                .clone()
                .unwrap_or_else(|| "main".to_owned()),
            inputs,
            trace_parent_input: Some(self.trace_parent_input.clone())
                .filter(|name| !name.is_empty()),
            token,
            timeout: self.timeout,
        })))
    }
}

/// The last two parts of a repository's address: `https://github.com/owner/name.git`.
fn owner_and_name(address: &str) -> Option<(String, String)> {
    let url: RepositoryUrl = address.parse().ok()?;
    let path = url.as_str().trim_end_matches('/').trim_end_matches(".git");
    let mut parts = path.rsplit(['/', ':']);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let owner = parts.next().filter(|owner| !owner.is_empty())?;
    Some((owner.to_owned(), name.to_owned()))
}

fn setting(setting: &'static str, problem: String) -> PromotionError {
    PromotionError::Setting { setting, problem }
}

/// The default of `--timeout` is a text; this keeps it equal to the constant.
const _: () = assert!(DEFAULT_TIMEOUT.as_secs() == 60);

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        promote: PromoteArguments,
    }

    fn parse(line: &str) -> Result<PromoteArguments, clap::Error> {
        Program::try_parse_from(line.split_whitespace()).map(|program| program.promote)
    }

    fn context() -> PromotionContext {
        PromotionContext {
            app: Some("simple-go".into()),
            stage: Some("dev".into()),
            revision: Some("abc".into()),
            repository: Some("https://github.com/o/r.git".into()),
            secure_data: Some(Secret::new(r#"{"apiToken":"s3cret"}"#)),
            ..PromotionContext::default()
        }
    }

    const FILES: &str =
        "promote --to-stage prod --from-file dev.yaml --to-file prod.yaml --key a.b";

    #[test]
    fn the_demo_charts_command_line_is_a_branch_in_the_plans_repository() {
        let (promotion, target) = parse(FILES).unwrap().resolve(&context()).unwrap();
        assert_eq!(promotion.app, "simple-go");
        assert_eq!(promotion.source_stage, "dev");
        assert_eq!(
            promotion.branch().unwrap().as_str(),
            "promotion/simple-go/prod"
        );
        let Target::Git(git) = target else { panic!() };
        assert_eq!(git.repository.as_str(), "https://github.com/o/r.git");
        assert_eq!(git.mode, GitMode::Branch);
        assert_eq!(git.credentials.unwrap().username, "x-access-token");
    }

    #[test]
    fn a_workflow_takes_owner_and_name_from_the_secret_or_the_address() {
        let arguments =
            parse("promote --to-stage prod --mode github-workflow --input a={{app}}=x").unwrap();
        let (_, target) = arguments.resolve(&context()).unwrap();
        let Target::GithubWorkflow(workflow) = &target else {
            panic!()
        };
        assert_eq!(
            (workflow.owner.as_str(), workflow.repository.as_str()),
            ("o", "r")
        );
        assert_eq!(workflow.inputs["a"], "{{app}}=x");
        assert_eq!(workflow.reference, "main");
        assert!(!format!("{target:?}").contains("s3cret"));

        let mut own = context();
        own.secure_data = Some(Secret::new(
            r#"{"apiToken":"t","githubRepo":"n","githubRepoOwner":"me"}"#,
        ));
        let Target::GithubWorkflow(workflow) = arguments.resolve(&own).unwrap().1 else {
            panic!()
        };
        assert_eq!(
            (workflow.owner.as_str(), workflow.repository.as_str()),
            ("me", "n")
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        for line in [
            "promote --from-file a --to-file b --key c",
            "promote --to-stage prod --from-file a --to-file b --key a..b",
            "promote --to-stage prod --mode nothing",
            "promote --to-stage prod --mode github-workflow --timeout soon",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        let nothing = PromotionContext::default();
        for (line, context, setting) in [
            (FILES.to_owned(), &nothing, "--app: no app is known"),
            (format!("{FILES} --app a"), &nothing, "--from-stage: "),
            (
                format!("{FILES} --app a --from-stage dev"),
                &nothing,
                "--repository: ",
            ),
            (
                format!("{FILES} --repository=ext::x"),
                &context(),
                "--repository: only paths",
            ),
            (
                format!("{FILES} --base-branch a..b"),
                &context(),
                "--base-branch: `a..b`",
            ),
            (
                format!("{FILES} --trace-parent-key a..b"),
                &context(),
                "--trace-parent-key: ",
            ),
            (
                "promote --to-stage p --from-file a --to-file b".to_owned(),
                &context(),
                "--key: is needed",
            ),
            (
                "promote --to-stage p --mode direct --from-file a --key c".to_owned(),
                &context(),
                "--to-file: is needed",
            ),
            (
                "promote --to-stage p --mode github-workflow --app a --from-stage d".to_owned(),
                &nothing,
                "SECURE_DATA: apiToken is missing",
            ),
            (
                "promote --to-stage p --mode github-workflow --input x".to_owned(),
                &context(),
                "--input: `x` is not NAME=TEMPLATE",
            ),
        ] {
            let error = parse(&line).unwrap().resolve(context).unwrap_err();
            assert!(error.to_string().starts_with(setting), "{line}: {error}");
            assert!(error.is_usage() && !error.is_worth_another_try());
        }
    }
}
