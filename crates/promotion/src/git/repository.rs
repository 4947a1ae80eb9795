//! What a promotion does with a repository: fetch, look at a file, commit, push.

use std::ffi::OsString;

use super::location::{RepositoryUrl, Transport};
use super::process::Git;
use super::refusal::{self, Push};
use crate::PromotionError;
use crate::branch::BranchName;
use crate::promotion::GitTarget;

/// The largest values file, as for charts.
const MAX_FILE: usize = 5 * 1024 * 1024;

/// Where the branches of a repository are.
#[derive(Debug)]
pub(super) struct Heads {
    /// The base branch.
    pub(super) base_branch: BranchName,
    /// Its commit.
    pub(super) base: String,
    /// The commit of the promotion's own branch, if there is one.
    pub(super) own: Option<String>,
}

/// A file in a commit.
#[derive(Debug)]
pub(super) struct File {
    /// `100644` or `100755`.
    pub(super) mode: String,
    /// What is in it.
    pub(super) text: String,
}

/// What is looked at, for errors.
pub(super) struct Place<'a> {
    /// The repository.
    pub(super) repository: &'a RepositoryUrl,
    /// `branch main`, `revision abc`.
    pub(super) at: String,
    /// The setting that names the file.
    pub(super) setting: &'static str,
}

/// True for a path that can only mean a file inside of a repository.
pub(super) fn is_file_path(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= 4096
        && !path.contains(['\0', '\n', '\\'])
        && path
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.eq_ignore_ascii_case(".git"))
}

impl Git<'_> {
    /// Fetches a revision and gives its commit.
    pub(super) async fn fetch_revision(
        &self,
        repository: &RepositoryUrl,
        revision: &str,
    ) -> Result<String, PromotionError> {
        const KEPT_AS: &str = "refs/stagelink/source";
        let none = |detail: &str| PromotionError::NoRevision {
            repository: repository.to_string(),
            revision: revision
                .chars()
                .take(100)
                .flat_map(char::escape_debug)
                .collect(),
            detail: detail.to_owned(),
        };
        let is_id = matches!(revision.len(), 40 | 64)
            && revision.bytes().all(|digit| digit.is_ascii_hexdigit());
        let wanted = if is_id {
            revision.to_ascii_lowercase()
        } else {
            self.find_reference(repository, revision)
                .await?
                .ok_or_else(|| {
                    none("it is no full commit id, and no branch or tag has this name")
                })?
        };
        let refspec = format!("+{wanted}:{KEPT_AS}");
        let fetched = self.fetch(repository, &["--depth=1"], &[&refspec]).await?;
        if !fetched.status.success() {
            let refused = |text| fetched.stderr.contains(text);
            if refused("not our ref") || refused("unadvertised object") {
                // Old servers only give out what a branch or tag names: look in all of them.
                self.fetch(
                    repository,
                    &[],
                    &[
                        "+refs/heads/*:refs/stagelink/heads/*",
                        "+refs/tags/*:refs/stagelink/tags/*",
                    ],
                )
                .await?;
                let known = self
                    .run(
                        "cat-file",
                        &["cat-file", "-e", &format!("{wanted}^{{commit}}")],
                        &[],
                        None,
                    )
                    .await?;
                return if known.status.success() {
                    Ok(wanted)
                } else {
                    Err(none("it is not there (any more)"))
                };
            }
            if refused("couldn't find remote ref") {
                return Err(none("it is not there (any more)"));
            }
            return Err(refusal::remote("fetch", &fetched, repository));
        }
        let commit = self
            .run(
                "rev-parse",
                &[
                    "rev-parse",
                    "--verify",
                    "--quiet",
                    &format!("{KEPT_AS}^{{commit}}"),
                ],
                &[],
                None,
            )
            .await?;
        if commit.status.success() {
            Ok(commit.text())
        } else {
            Err(none("it is no commit"))
        }
    }

    /// The whole name of the tag or branch with this short name.
    async fn find_reference(
        &self,
        repository: &RepositoryUrl,
        revision: &str,
    ) -> Result<Option<String>, PromotionError> {
        if revision == "HEAD" {
            return Ok(Some("HEAD".to_owned()));
        }
        let short = revision
            .trim_start_matches("refs/tags/")
            .trim_start_matches("refs/heads/");
        if short.parse::<BranchName>().is_err() {
            return Ok(None);
        }
        let candidates = [format!("refs/tags/{short}"), format!("refs/heads/{short}")];
        let references = self
            .list(repository, &[&candidates[0], &candidates[1]])
            .await?;
        Ok(candidates.into_iter().find(|name| {
            name.ends_with(revision) && references.iter().any(|(_, found)| found == name)
        }))
    }

    /// Fetches the heads of the base branch and of the promotion's own branch. `None` if they were
    /// changed while they were looked at.
    pub(super) async fn fetch_heads(
        &self,
        target: &GitTarget,
        own: Option<&BranchName>,
    ) -> Result<Option<Heads>, PromotionError> {
        let repository = &target.repository;
        let own_reference = own.map(BranchName::reference);
        let base_reference = target.base_branch.as_ref().map(BranchName::reference);
        let mut patterns = vec!["HEAD"];
        patterns.extend(base_reference.as_deref());
        patterns.extend(own_reference.as_deref());
        let references = self.list(repository, &patterns).await?;
        let base_branch = match &target.base_branch {
            Some(branch) => branch.clone(),
            None => references
                .iter()
                .find_map(|(value, name)| {
                    let head = value.strip_prefix("ref: refs/heads/")?;
                    (name == "HEAD").then(|| head.parse().ok())?
                })
                .ok_or_else(|| PromotionError::NoDefaultBranch {
                    repository: repository.to_string(),
                })?,
        };
        // Without the base branch in the settings, its commit is that of HEAD.
        let base_name = base_reference.as_deref().unwrap_or("HEAD");
        let there = |wanted: &str| {
            references
                .iter()
                .any(|(value, name)| name == wanted && !value.starts_with("ref:"))
        };
        if !there(base_name) {
            return Err(PromotionError::NoBranch {
                repository: repository.to_string(),
                branch: base_branch.to_string(),
            });
        }
        let own_reference = own_reference.filter(|name| there(name));
        let mut refspecs = vec![format!("+{}:refs/stagelink/base", base_branch.reference())];
        if let Some(name) = &own_reference {
            refspecs.push(format!("+{name}:refs/stagelink/own"));
        }
        let refspecs: Vec<&str> = refspecs.iter().map(String::as_str).collect();
        // Two, so that the commit before a merge can be looked at.
        let fetched = self.fetch(repository, &["--depth=2"], &refspecs).await?;
        if !fetched.status.success() {
            if fetched.stderr.contains("couldn't find remote ref") {
                return Ok(None);
            }
            return Err(refusal::remote("fetch", &fetched, repository));
        }
        let base = self.resolve("refs/stagelink/base").await?;
        let own = match own_reference {
            Some(_) => Some(self.resolve("refs/stagelink/own").await?),
            None => None,
        };
        Ok(Some(Heads {
            base_branch,
            base,
            own,
        }))
    }

    /// The file in a commit.
    pub(super) async fn file(
        &self,
        commit: &str,
        path: &str,
        place: &Place<'_>,
    ) -> Result<File, PromotionError> {
        let wrong = |problem| PromotionError::File {
            file: path.to_owned(),
            problem,
            at: place.at.clone(),
            repository: place.repository.to_string(),
            setting: place.setting,
        };
        let listed = self
            .run(
                "ls-tree",
                &["ls-tree", "-z", commit, "--"],
                &[path.into()],
                None,
            )
            .await?
            .success("ls-tree")?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        // `<mode> <type> <id>\t<path>\0`
        let mut entry = listed
            .split(['\t', '\0'])
            .next()
            .unwrap_or_default()
            .split(' ');
        let (Some(mode), Some(kind), Some(id)) = (entry.next(), entry.next(), entry.next()) else {
            return Err(wrong("is not there"));
        };
        match (kind, mode) {
            ("blob", "120000") => return Err(wrong("is a symbolic link")),
            ("blob", _) => {}
            ("tree", _) => return Err(wrong("is a folder")),
            _ => return Err(wrong("is a submodule")),
        }
        let size = self
            .run("cat-file", &["cat-file", "-s", id], &[], None)
            .await?
            .success("cat-file")?;
        if !size
            .text()
            .parse::<usize>()
            .is_ok_and(|size| size <= MAX_FILE)
        {
            return Err(wrong("is larger than 5 MiB"));
        }
        let content = self
            .run("cat-file", &["cat-file", "blob", id], &[], None)
            .await?
            .success("cat-file")?;
        Ok(File {
            mode: mode.to_owned(),
            text: String::from_utf8(content.stdout).map_err(|_| wrong("is not UTF-8 text"))?,
        })
    }

    /// What is in the file in a commit; none if it is no readable file.
    pub(super) async fn text(
        &self,
        commit: &str,
        path: &str,
    ) -> Result<Option<String>, PromotionError> {
        let shown = self
            .run(
                "cat-file",
                &["cat-file", "blob", &format!("{commit}:{path}")],
                &[],
                None,
            )
            .await?;
        let text = String::from_utf8(shown.stdout).ok();
        Ok(text.filter(|_| shown.status.success()))
    }

    /// True if a commit was made by this promotion, or is a merge on top of one that was (a forge's
    /// button "update branch").
    pub(super) async fn is_own(
        &self,
        commit: &str,
        trailers: &[(&str, String)],
    ) -> Result<bool, PromotionError> {
        let has_trailers = async |commit: &str| -> Result<bool, PromotionError> {
            let format = "--format=%(trailers:only,unfold)";
            let shown = self
                .run(
                    "log",
                    &["log", "-1", "--no-show-signature", format, commit, "--"],
                    &[],
                    None,
                )
                .await?;
            let text = shown.text();
            Ok(trailers
                .iter()
                .filter(|(name, _)| {
                    matches!(
                        *name,
                        "Stagelink-App" | "Stagelink-Stage" | "Stagelink-File"
                    )
                })
                .all(|(name, value)| text.lines().any(|line| line == format!("{name}: {value}"))))
        };
        if has_trailers(commit).await? {
            return Ok(true);
        }
        let is_merge = self
            .run(
                "rev-parse",
                &["rev-parse", "--verify", "--quiet", &format!("{commit}^2")],
                &[],
                None,
            )
            .await?
            .status
            .success();
        Ok(is_merge && has_trailers(&format!("{commit}^1")).await?)
    }

    /// Makes a commit on top of `parent` in which `path` has another content.
    pub(super) async fn commit(
        &self,
        parent: &str,
        file: &File,
        path: &str,
        content: &str,
        message: &str,
    ) -> Result<String, PromotionError> {
        let blob = self
            .run(
                "hash-object",
                &["hash-object", "-w", "--stdin"],
                &[],
                Some(content.as_bytes()),
            )
            .await?
            .success("hash-object")?
            .text();
        self.run("read-tree", &["read-tree", parent], &[], None)
            .await?
            .success("read-tree")?;
        let cached: OsString = format!("{},{blob},{path}", file.mode).into();
        self.run(
            "update-index",
            &["update-index", "--cacheinfo"],
            &[cached],
            None,
        )
        .await?
        .success("update-index")?;
        let tree = self
            .run("write-tree", &["write-tree"], &[], None)
            .await?
            .success("write-tree")?
            .text();
        let commit = ["commit-tree", &tree, "-p", parent, "-F", "-"];
        let commit = self
            .run("commit-tree", &commit, &[], Some(message.as_bytes()))
            .await?
            .success("commit-tree")?;
        Ok(commit.text())
    }

    /// Pushes a commit to a branch that is expected to be where it was seen, or not to be there.
    pub(super) async fn push(
        &self,
        repository: &RepositoryUrl,
        commit: &str,
        branch: &BranchName,
        expected: Option<&str>,
    ) -> Result<Push, PromotionError> {
        let reference = branch.reference();
        let lease = format!(
            "--force-with-lease={reference}:{}",
            expected.unwrap_or_default()
        );
        let pushed = self
            .run(
                "push",
                &[
                    "push",
                    "--porcelain",
                    "--no-verify",
                    "--no-signed",
                    &lease,
                    "--",
                ],
                &[address(repository), format!("{commit}:{reference}").into()],
                None,
            )
            .await?;
        refusal::push(&pushed, repository, branch)
    }

    async fn fetch(
        &self,
        repository: &RepositoryUrl,
        options: &[&str],
        refspecs: &[&str],
    ) -> Result<super::process::Ended, PromotionError> {
        let mut arguments = vec![
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
        ];
        arguments.extend(options);
        arguments.push("--");
        let mut paths = vec![address(repository)];
        paths.extend(refspecs.iter().map(OsString::from));
        self.run("fetch", &arguments, &paths, None).await
    }

    /// The references of a repository: value (`<id>` or `ref: <name>`) and name.
    async fn list(
        &self,
        repository: &RepositoryUrl,
        patterns: &[&str],
    ) -> Result<Vec<(String, String)>, PromotionError> {
        let mut paths = vec![address(repository)];
        paths.extend(patterns.iter().map(OsString::from));
        let listed = self
            .run(
                "ls-remote",
                &["ls-remote", "--quiet", "--symref", "--"],
                &paths,
                None,
            )
            .await?;
        if !listed.status.success() {
            return Err(refusal::remote("ls-remote", &listed, repository));
        }
        Ok(listed
            .text()
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(value, name)| (value.to_owned(), name.to_owned()))
            .collect())
    }

    async fn resolve(&self, name: &str) -> Result<String, PromotionError> {
        let resolved = self
            .run(
                "rev-parse",
                &["rev-parse", "--verify", &format!("{name}^{{commit}}")],
                &[],
                None,
            )
            .await?
            .success("rev-parse")?;
        Ok(resolved.text())
    }
}

/// What git is given for a repository: git runs elsewhere, so a relative path is made absolute.
fn address(repository: &RepositoryUrl) -> OsString {
    let text = repository.as_str();
    if repository.transport() == Transport::Local
        && !text.contains("://")
        && let Ok(absolute) = std::path::absolute(text)
    {
        return absolute.into_os_string();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside_of_the_repository() {
        for path in [
            "values.yaml",
            "charts/prod/values.yaml",
            "a b/ü.yaml",
            "..a/b..yaml",
        ] {
            assert!(is_file_path(path), "{path}");
        }
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "./a",
            "a//b",
            "a/",
            ".git/config",
            "a/.GIT/b",
            "a\0b",
            "a\nb",
            "a\\b",
        ] {
            assert!(!is_file_path(path), "{path}");
        }
    }
}
