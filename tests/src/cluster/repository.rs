//! A repository on the rig's git server.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Cluster, copy, unique};

/// A bare repository that Argo CD and promotions reach over HTTP, and a work tree to change it from.
#[derive(Debug)]
pub struct Repository {
    bare: PathBuf,
    work: tempfile::TempDir,
    url: String,
}

impl Repository {
    /// An empty one.
    ///
    /// # Panics
    /// When git or the disk does not work.
    pub fn new(cluster: &Cluster, prefix: &str) -> Self {
        let name = format!("{}.git", unique(prefix));
        let folder = Path::new(cluster.address("RIG_GIT_FOLDER"));
        crate::git(folder, &["init", "-q", "--bare", "-b", "main", &name]);
        let work = match tempfile::tempdir() {
            Ok(work) => work,
            Err(error) => unreachable!("no temporary folder: {error}"),
        };
        let bare = folder.join(&name);
        crate::git(work.path(), &["init", "-q", "-b", "main"]);
        crate::git(
            work.path(),
            &["remote", "add", "origin", &bare.to_string_lossy()],
        );
        Self {
            url: format!("{}/{name}", cluster.address("RIG_GIT_FROM_PODS")),
            bare,
            work,
        }
    }

    /// Its address for Argo CD and for pods.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A file or folder of the work tree.
    pub fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// Puts a copy of a folder into the work tree.
    ///
    /// # Panics
    /// When the disk does not work.
    pub fn add_folder(&self, from: &Path, to: &str) {
        let target = self.path(to);
        if let Some(parent) = target.parent() {
            let _ = std::fs::create_dir_all(parent);
        }
        copy(from, &target);
    }

    /// Writes a file of the work tree.
    ///
    /// # Panics
    /// When the disk does not work.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, content));
        if let Err(error) = written {
            unreachable!("{} cannot be written: {error}", path.display());
        }
    }

    /// Replaces a text in a file of the work tree.
    ///
    /// # Panics
    /// When the text is not there.
    pub fn replace(&self, name: &str, old: &str, new: &str) {
        let content = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        assert!(content.contains(old), "{name} has no {old}: {content}");
        self.write(name, &content.replace(old, new));
    }

    /// Commits all and pushes it to `main`; the commit.
    ///
    /// # Panics
    /// When git fails.
    pub fn push(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&[
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@example.com",
            "-c",
            "commit.gpgsign=false",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            message,
        ]);
        self.git(&["push", "-q", "origin", "HEAD:main"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Merges a branch of the server into `main`, as a person does who accepts a promotion; the commit.
    ///
    /// # Panics
    /// When git fails.
    pub fn merge(&self, branch: &str) -> String {
        self.git(&["fetch", "-q", "origin"]);
        self.git(&[
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@example.com",
            "-c",
            "commit.gpgsign=false",
            "merge",
            "-q",
            "--no-ff",
            "-m",
            "Merge the promotion",
            &format!("origin/{branch}"),
        ]);
        self.git(&["push", "-q", "origin", "HEAD:main"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// The branches on the server, but for `main`.
    pub fn branches(&self) -> Vec<String> {
        let listed = crate::git(
            &self.bare,
            &["for-each-ref", "--format=%(refname:short)", "refs/heads"],
        );
        let branches = listed.lines().filter(|branch| *branch != "main");
        branches.map(str::to_owned).collect()
    }

    /// The commits of a branch of the server that `main` does not have, the newest first.
    pub fn commits(&self, branch: &str) -> Vec<String> {
        let listed = crate::git(&self.bare, &["rev-list", branch, "^main"]);
        listed.lines().map(str::to_owned).collect()
    }

    /// A file as it is on a branch of the server.
    ///
    /// # Panics
    /// When it is not there.
    pub fn show(&self, branch: &str, file: &str) -> String {
        crate::git(&self.bare, &["show", &format!("{branch}:{file}")])
    }

    fn git(&self, arguments: &[&str]) -> String {
        crate::git(self.work.path(), arguments)
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = Command::new("rm").arg("-rf").arg(&self.bare).output();
        }
    }
}
