//! Real repositories to promote in.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use stagelink_promotion::text::Texts;
use stagelink_promotion::{
    GitMode, GitTarget, Promoted, Promotion, PromotionError, Target, Values, promote,
};
use tokio_util::sync::CancellationToken;

pub(crate) const LINK: &str = "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01";
pub(crate) const OTHER_LINK: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
pub(crate) const BRANCH: &str = "promotion/simple-go/prod";

pub(crate) const DEV: &str = "\
# dev
serviceVersion: v1
backendServiceVersion: v1
";
pub(crate) const PROD: &str = "\
# What runs in prod.
serviceVersion: v1 # the service
backendServiceVersion: 'v1'

# The promotion that led here.
traceParent: \"\"
replicas: 3
";

/// Runs git as a person would, and gives what it says.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=Person",
            "-c",
            "user.email=person@example.org",
        ])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// Something to be different in a promotion.
pub(crate) type Change = fn(&mut Promotion);

/// A bare repository with the values of two stages, and a person's clone of it.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let root = world.folder.path();
        git(
            root,
            &[
                "init",
                "--quiet",
                "--bare",
                "--initial-branch=main",
                "remote.git",
            ],
        );
        git(root, &["init", "--quiet", "--initial-branch=main", "clone"]);
        git(
            &world.clone(),
            &["remote", "add", "origin", "../remote.git"],
        );
        world.commit(
            "first",
            &[
                ("dev/values.yaml", DEV),
                ("prod/values.yaml", PROD),
                ("README", "hello\n"),
            ],
        );
        world
    }

    pub(crate) fn remote(&self) -> PathBuf {
        self.folder.path().join("remote.git")
    }

    pub(crate) fn clone(&self) -> PathBuf {
        self.folder.path().join("clone")
    }

    /// Commits files on the clone's branch, pushes, and gives the commit.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        let clone = self.clone();
        for (path, content) in files {
            let path = clone.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        git(&clone, &["add", "-A"]);
        git(
            &clone,
            &["commit", "--quiet", "--allow-empty", "-m", message],
        );
        git(&clone, &["push", "--quiet", "origin", "HEAD"]);
        git(&clone, &["rev-parse", "HEAD"])
    }

    /// Sets both versions in dev.
    pub(crate) fn release(&self, version: &str) -> String {
        self.commit(version, &[("dev/values.yaml", &DEV.replace("v1", version))])
    }

    /// A revision of the remote; none if there is none.
    pub(crate) fn revision(&self, name: &str) -> Option<String> {
        let output = Command::new("git")
            .args(["rev-parse", "--verify", "--quiet", name])
            .current_dir(self.remote())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// A file in the remote.
    pub(crate) fn show(&self, revision: &str, path: &str) -> String {
        let output = Command::new("git")
            .args(["show", &format!("{revision}:{path}")])
            .current_dir(self.remote())
            .output()
            .unwrap();
        assert!(output.status.success(), "{revision}:{path}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A hook of the remote.
    pub(crate) fn hook(&self, name: &str, script: &str) {
        executable(&self.remote().join("hooks").join(name), script);
    }

    pub(crate) fn target(&self) -> GitTarget {
        GitTarget::new(self.remote().to_str().unwrap().parse().unwrap())
    }
}

/// Writes a script that can be run.
pub(crate) fn executable(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A promotion of both versions from dev to prod.
pub(crate) fn promotion(revision: &str) -> Promotion {
    Promotion {
        app: "simple-go".into(),
        source_stage: "dev".into(),
        target_stage: "prod".into(),
        revision: Some(revision.into()),
        delivery: Some("2.1".into()),
        trace_parent: Some(LINK.parse().unwrap()),
        values: Values {
            source_file: "dev/values.yaml".into(),
            target_file: "prod/values.yaml".into(),
            keys: vec![
                "serviceVersion".parse().unwrap(),
                "backendServiceVersion".parse().unwrap(),
            ],
            trace_parent_key: Some("traceParent".parse().unwrap()),
            always_trace_parent: false,
        },
        texts: Texts::default(),
    }
}

pub(crate) async fn run(
    promotion: &Promotion,
    target: &GitTarget,
) -> Result<Promoted, PromotionError> {
    let target = Target::Git(Box::new(target.clone()));
    let cancel = CancellationToken::new();
    // No test may hang, whatever is wrong.
    let ended = promote(promotion, &target, &cancel);
    tokio::time::timeout(Duration::from_secs(120), ended)
        .await
        .unwrap()
}

pub(crate) fn direct(mut target: GitTarget) -> GitTarget {
    target.mode = GitMode::Direct;
    target
}
