//! The demo's git repository: a bare one that stands for the server, a clone that stands for a
//! person's, and checkouts that stand for Argo CD's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow};

use crate::exit::{CommandError, OrFault as _};

/// Every file of the demo repository's first commit.
const FILES: &[(&str, &str)] = &[
    (
        ".github/workflows/promote.yaml",
        include_str!("../../../charts/demo-repository/.github/workflows/promote.yaml"),
    ),
    (
        "charts/simple-go-dev/Chart.yaml",
        include_str!("../../../charts/simple-go-dev/Chart.yaml"),
    ),
    (
        "charts/simple-go-dev/values.yaml",
        include_str!("../../../charts/simple-go-dev/values.yaml"),
    ),
    (
        "charts/simple-go-dev/templates/backend.yaml",
        include_str!("../../../charts/simple-go-dev/templates/backend.yaml"),
    ),
    (
        "charts/simple-go-dev/templates/keptnappcontext.yaml",
        include_str!("../../../charts/simple-go-dev/templates/keptnappcontext.yaml"),
    ),
    (
        "charts/simple-go-dev/templates/metrics.yaml",
        include_str!("../../../charts/simple-go-dev/templates/metrics.yaml"),
    ),
    (
        "charts/simple-go-dev/templates/promote.yaml",
        include_str!("../../../charts/simple-go-dev/templates/promote.yaml"),
    ),
    (
        "charts/simple-go-dev/templates/service.yaml",
        include_str!("../../../charts/simple-go-dev/templates/service.yaml"),
    ),
    (
        "charts/simple-go-dev/templates/tasks.yaml",
        include_str!("../../../charts/simple-go-dev/templates/tasks.yaml"),
    ),
    (
        "charts/simple-go-prod/Chart.yaml",
        include_str!("../../../charts/simple-go-prod/Chart.yaml"),
    ),
    (
        "charts/simple-go-prod/values.yaml",
        include_str!("../../../charts/simple-go-prod/values.yaml"),
    ),
    (
        "charts/simple-go-prod/templates/backend.yaml",
        include_str!("../../../charts/simple-go-prod/templates/backend.yaml"),
    ),
    (
        "charts/simple-go-prod/templates/keptnappcontext.yaml",
        include_str!("../../../charts/simple-go-prod/templates/keptnappcontext.yaml"),
    ),
    (
        "charts/simple-go-prod/templates/metrics.yaml",
        include_str!("../../../charts/simple-go-prod/templates/metrics.yaml"),
    ),
    (
        "charts/simple-go-prod/templates/service.yaml",
        include_str!("../../../charts/simple-go-prod/templates/service.yaml"),
    ),
    (
        "charts/simple-go-prod/templates/tasks.yaml",
        include_str!("../../../charts/simple-go-prod/templates/tasks.yaml"),
    ),
];

/// The repositories of a demo.
#[derive(Debug)]
pub(crate) struct Repository {
    /// The bare repository, which stands for the server.
    pub(crate) origin: PathBuf,
    /// The person's clone.
    clone: PathBuf,
    /// Where checkouts for Argo CD are made.
    checkouts: PathBuf,
}

impl Repository {
    /// Makes the repository with its first commit, "v1".
    pub(crate) fn create(folder: &Path) -> Result<Self, CommandError> {
        let repository = Self {
            origin: folder.join("repository.git"),
            clone: folder.join("clone"),
            checkouts: folder.join("checkouts"),
        };
        fs::create_dir_all(&repository.checkouts)
            .with_context(|| format!("{} cannot be made", repository.checkouts.display()))
            .or_environment()?;
        let origin = repository.origin.to_string_lossy().into_owned();
        let clone = repository.clone.to_string_lossy().into_owned();
        git(
            folder,
            &[
                "init",
                "--quiet",
                "--bare",
                "--initial-branch=main",
                &origin,
            ],
        )?;
        git(folder, &["clone", "--quiet", &origin, &clone])?;
        git(
            &repository.clone,
            &["symbolic-ref", "HEAD", "refs/heads/main"],
        )?;
        for (path, content) in FILES {
            write(&repository.clone.join(path), content)?;
        }
        git(&repository.clone, &["add", "--all"])?;
        repository.commit_and_push("Deliver simple-go v1")?;
        Ok(repository)
    }

    /// Sets both services of dev to a version, as a person would, and pushes; gives the commit.
    pub(crate) fn commit_dev_version(&self, version: &str) -> Result<String, CommandError> {
        let path = self.clone.join("charts/simple-go-dev/values.yaml");
        let values = fs::read_to_string(&path).or_environment()?;
        let edited: String = values
            .lines()
            .map(|line| match line.split_once(':') {
                Some((key @ ("serviceVersion" | "backendServiceVersion"), _)) => {
                    format!("{key}: {version}\n")
                }
                _ => format!("{line}\n"),
            })
            .collect();
        write(&path, &edited)?;
        git(&self.clone, &["add", "--all"])?;
        self.commit_and_push(&format!("Deliver simple-go {version} to dev"))
    }

    /// Merges a branch into main and deletes it, as a person would on a forge; gives the commit.
    pub(crate) fn merge(&self, branch: &str) -> Result<String, CommandError> {
        git(&self.clone, &["fetch", "--quiet", "origin"])?;
        let subject = git(
            &self.clone,
            &["log", "-1", "--format=%s", &format!("origin/{branch}")],
        )?;
        let message = format!("Merge branch '{branch}'\n\n{subject}");
        let remote = format!("origin/{branch}");
        git(
            &self.clone,
            &["merge", "--quiet", "--no-ff", "-m", &message, &remote],
        )?;
        git(&self.clone, &["push", "--quiet", "origin", "main"])?;
        git(
            &self.clone,
            &["push", "--quiet", "origin", "--delete", branch],
        )?;
        self.head()
    }

    /// Branches other than main.
    pub(crate) fn open_branches(&self) -> Result<Vec<String>, CommandError> {
        let branches = git(
            &self.origin,
            &["for-each-ref", "--format=%(refname:short)", "refs/heads"],
        )?;
        Ok(branches
            .lines()
            .filter(|branch| *branch != "main")
            .map(str::to_owned)
            .collect())
    }

    /// The newest commit of main.
    pub(crate) fn head(&self) -> Result<String, CommandError> {
        git(&self.origin, &["rev-parse", "main"])
    }

    /// A folder with a commit's files, as Argo CD's repo-server has it.
    pub(crate) fn checkout(&self, commit: &str) -> Result<PathBuf, CommandError> {
        let folder = self.checkouts.join(commit);
        if !folder.exists() {
            let origin = self.origin.to_string_lossy().into_owned();
            let path = folder.to_string_lossy().into_owned();
            git(
                &self.checkouts,
                &["clone", "--quiet", "--no-checkout", &origin, &path],
            )?;
            git(&folder, &["checkout", "--quiet", "--detach", commit])?;
        }
        Ok(folder)
    }

    fn commit_and_push(&self, message: &str) -> Result<String, CommandError> {
        git(&self.clone, &["commit", "--quiet", "-m", message])?;
        git(&self.clone, &["push", "--quiet", "origin", "main"])?;
        self.head()
    }
}

fn write(path: &Path, content: &str) -> Result<(), CommandError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, content))
        .with_context(|| format!("{} cannot be written", path.display()))
        .or_environment()
}

/// Runs git without the user's configuration, so that the demo is the same everywhere.
fn git(folder: &Path, arguments: &[&str]) -> Result<String, CommandError> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_AUTHOR_NAME", "Stagelink demo")
        .env("GIT_AUTHOR_EMAIL", "demo@stagelink.invalid")
        .env("GIT_COMMITTER_NAME", "Stagelink demo")
        .env("GIT_COMMITTER_EMAIL", "demo@stagelink.invalid")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .context("git cannot be run; the demo needs it")
        .or_environment()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(CommandError::environment(anyhow!(
            "git {} failed: {}",
            arguments.first().unwrap_or(&""),
            stderr.trim()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
