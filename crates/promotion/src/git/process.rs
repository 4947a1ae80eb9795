//! Running the `git` program: nothing of the user's settings, no questions, no hooks, no end that
//! never comes, and no secret on a command line.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::askpass::{PLACES, Variables};
use super::location::{Credentials, RepositoryUrl};
use crate::PromotionError;
use crate::promotion::GitTarget;

/// The most that is read from git's standard output: a values file of the largest size, and room.
const MAX_STDOUT: u64 = 8 * 1024 * 1024;
/// The most that is read from git's standard error.
const MAX_STDERR: u64 = 64 * 1024;
/// How long git may take to end after it was asked to.
const GRACE: Duration = Duration::from_millis(500);

/// What of the user's environment git is given: how to find programs, the network and certificates.
const INHERITED: [&str; 17] = [
    "PATH",
    "TMPDIR",
    "USER",
    "LOGNAME",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "GIT_EXEC_PATH",
];

/// A temporary repository and the settings that every `git` is run with.
#[derive(Debug)]
pub(super) struct Git<'a> {
    program: &'a Path,
    folder: tempfile::TempDir,
    environment: Vec<(&'static str, OsString)>,
    credentials: Vec<Credentials>,
    started: Instant,
    timeout: Duration,
    cancel: &'a CancellationToken,
}

/// How a `git` ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    /// Without secrets and control characters, but with line breaks.
    pub(super) stderr: String,
}

impl Ended {
    /// Standard output as text, without white space around it.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }
}

impl<'a> Git<'a> {
    /// Makes the temporary repository. It is removed when this is dropped.
    pub(super) async fn new(
        target: &'a GitTarget,
        cancel: &'a CancellationToken,
    ) -> Result<Self, PromotionError> {
        let folder = tempfile::Builder::new()
            .prefix("stagelink-promotion-")
            .tempdir()?;
        let mut git = Self {
            program: &target.git,
            environment: environment(folder.path(), target)?,
            credentials: Vec::new(),
            folder,
            started: Instant::now(),
            timeout: target.timeout,
            cancel,
        };
        // Not `core.hooksPath`: a repository on this machine would be pushed to without its hooks.
        // The temporary repository has none to begin with (`--template=`).
        let mut config = String::from(
            "[core]\n\tattributesFile = /dev/null\n\texcludesFile = /dev/null\n\
             [gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[protocol]\n\tversion = 2\n\
             [transfer]\n\tcredentialsInUrl = die\n",
        );
        for url in [Some(&target.repository), target.source_repository.as_ref()]
            .into_iter()
            .flatten()
        {
            git.add_credentials(url, target, &mut config)?;
        }
        std::fs::write(git.folder.path().join("config"), config)?;
        let repository = git.repository().into_os_string();
        git.run(
            "init",
            &["init", "--quiet", "--bare", "--template="],
            &[repository],
            None,
        )
        .await?
        .success("init")?;
        Ok(git)
    }

    /// Sees to it that git is told the credentials of a repository: only for its host, and by a
    /// helper or a program that reads them from its environment, so that they are in no file.
    fn add_credentials(
        &mut self,
        url: &RepositoryUrl,
        target: &GitTarget,
        config: &mut String,
    ) -> Result<(), PromotionError> {
        let Some(credentials) = target.credentials.as_ref().or(url.credentials()) else {
            return Ok(());
        };
        if !matches!(
            url.transport(),
            super::Transport::Https | super::Transport::Http
        ) {
            return Ok(());
        }
        url.accepts_credentials()
            .map_err(|error| PromotionError::Setting {
                setting: "--repository",
                problem: error.to_string(),
            })?;
        let Variables {
            origin: origin_name,
            username: user,
            password,
        } = PLACES[self.credentials.len().min(PLACES.len() - 1)];
        let origin = url.origin();
        if target.askpass.is_some() {
            self.environment
                .extend(origin.map(|origin| (origin_name, origin.into())));
        } else if let Some(origin) = origin {
            config.push_str(&format!(
                "[credential \"{origin}\"]\n\thelper = \"!f() {{ test \\\"$1\\\" = get || exit 0; \
                 printf 'username=%s\\\\npassword=%s\\\\n' \\\"${user}\\\" \\\"${password}\\\"; }}; f\"\n"
            ));
        }
        self.environment
            .push((user, credentials.username.clone().into()));
        self.environment
            .push((password, credentials.password.expose().into()));
        self.credentials.push(credentials.clone());
        Ok(())
    }

    /// The temporary repository.
    fn repository(&self) -> PathBuf {
        self.folder.path().join("repository.git")
    }

    /// How much time is left.
    pub(super) fn time_left(&self) -> Duration {
        self.timeout.saturating_sub(self.started.elapsed())
    }

    /// Waits, unless the time is up or the promotion is to stop.
    pub(super) async fn pause(&self, wait: Duration) -> Result<(), PromotionError> {
        tokio::select! {
            () = self.cancel.cancelled() => Err(PromotionError::Cancelled),
            () = tokio::time::sleep(wait.min(self.time_left())) => Ok(()),
        }
    }

    /// Runs git to its end. `step` names it in errors; `paths` come after `arguments`.
    pub(super) async fn run(
        &self,
        step: &'static str,
        arguments: &[&str],
        paths: &[OsString],
        stdin: Option<&[u8]>,
    ) -> Result<Ended, PromotionError> {
        if self.cancel.is_cancelled() {
            return Err(PromotionError::Cancelled);
        }
        let mut command = Command::new(self.program);
        command
            .args(arguments)
            .args(paths)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(if stdin.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that what git starts (ssh, git-remote-https) ends with it.
            .process_group(0)
            .kill_on_drop(true);
        if step != "init" {
            command.env("GIT_DIR", self.repository());
        }
        let mut child = command.spawn().map_err(|source| PromotionError::NoGit {
            program: self.program.display().to_string(),
            source,
        })?;
        let group = Group(child.id());
        let mut input = child.stdin.take();
        let stdout = bounded(child.stdout.take(), MAX_STDOUT);
        let stderr = bounded(child.stderr.take(), MAX_STDERR);
        let feed = async {
            if let (Some(pipe), Some(bytes)) = (input.as_mut(), stdin) {
                // A git that ends early says why on standard error.
                let _ = pipe.write_all(bytes).await;
            }
            drop(input.take());
        };
        let work = async { tokio::join!(feed, stdout, stderr, child.wait()) };
        let ended = tokio::select! {
            ended = work => ended,
            () = self.cancel.cancelled() => {
                end(&group, &mut child).await;
                return Err(PromotionError::Cancelled);
            }
            () = tokio::time::sleep(self.time_left()) => {
                end(&group, &mut child).await;
                return Err(PromotionError::Timeout {
                    what: format!("the promotion (in git {step})"),
                    limit: self.timeout,
                });
            }
        };
        let ((), stdout, stderr, status) = ended;
        group.done();
        let (stdout, overflow) = stdout?;
        if overflow {
            return Err(PromotionError::Git {
                step,
                detail: format!("more than {} MiB of output", MAX_STDOUT / 1024 / 1024),
            });
        }
        Ok(Ended {
            status: status?,
            stdout,
            stderr: self.clean(&String::from_utf8_lossy(&stderr?.0)),
        })
    }

    /// What git said, without secrets and without characters that a terminal would obey.
    fn clean(&self, text: &str) -> String {
        let mut text: String = text
            .chars()
            .map(|c| if c == '\r' { '\n' } else { c })
            .filter(|c| *c == '\n' || !c.is_control())
            .collect();
        for credentials in &self.credentials {
            text = credentials.password.redact(&text);
        }
        text
    }
}

impl Ended {
    /// An error of a step that has no reason to fail, unless it did not.
    pub(super) fn success(self, step: &'static str) -> Result<Self, PromotionError> {
        if self.status.success() {
            return Ok(self);
        }
        Err(PromotionError::Git {
            step,
            detail: one_line(&self.stderr),
        })
    }
}

/// What git said in one line of bounded length: the first line that names an error.
pub(super) fn one_line(stderr: &str) -> String {
    let lines = || {
        stderr
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    let line = lines()
        .find(|line| {
            ["fatal:", "error:", "ERROR:", "remote: "]
                .iter()
                .any(|start| line.starts_with(start))
        })
        .or_else(|| lines().next_back())
        .unwrap_or("it gave no reason");
    line.trim_start_matches("fatal: ")
        .trim_start_matches("error: ")
        .chars()
        .take(300)
        .collect()
}

/// The environment of every git.
fn environment(
    folder: &Path,
    target: &GitTarget,
) -> Result<Vec<(&'static str, OsString)>, PromotionError> {
    let mut environment: Vec<(&'static str, OsString)> = INHERITED
        .iter()
        .filter_map(|name| std::env::var_os(name).map(|value| (*name, value)))
        .collect();
    environment.extend([
        // Messages are looked at; and no `.netrc`, no configuration of the user or the machine.
        ("LC_ALL", OsString::from("C")),
        ("HOME", folder.as_os_str().to_owned()),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ("GIT_CONFIG_GLOBAL", folder.join("config").into_os_string()),
        ("GIT_ATTR_NOSYSTEM", "1".into()),
        // Nobody is there to answer.
        ("GIT_TERMINAL_PROMPT", "0".into()),
        (
            "GIT_ASKPASS",
            target
                .askpass
                .as_ref()
                .map_or_else(|| "true".into(), |program| program.as_os_str().to_owned()),
        ),
        ("SSH_ASKPASS", "true".into()),
        ("GIT_ALLOW_PROTOCOL", "file:http:https:ssh".into()),
        ("GIT_LITERAL_PATHSPECS", "1".into()),
        ("GIT_NO_REPLACE_OBJECTS", "1".into()),
        ("GIT_OPTIONAL_LOCKS", "0".into()),
        ("GIT_INDEX_FILE", folder.join("index").into_os_string()),
        ("GIT_SSH_COMMAND", ssh_command(target)?.into()),
        ("GIT_AUTHOR_NAME", target.identity.name.clone().into()),
        ("GIT_AUTHOR_EMAIL", target.identity.email.clone().into()),
        ("GIT_COMMITTER_NAME", target.identity.name.clone().into()),
        ("GIT_COMMITTER_EMAIL", target.identity.email.clone().into()),
    ]);
    Ok(environment)
}

/// The ssh that git starts: never asks, and gives up on a host that does not answer.
fn ssh_command(target: &GitTarget) -> Result<String, PromotionError> {
    let seconds = target.timeout.as_secs().clamp(1, 20);
    let mut command = format!("ssh -o BatchMode=yes -o ConnectTimeout={seconds}");
    let mut option = |setting: &'static str, before: &str, path: &Option<PathBuf>, after: &str| {
        let Some(path) = path else { return Ok(()) };
        let text = path
            .to_str()
            .filter(|text| !text.contains(['\'', '"', '\\', '%', '\n']))
            .ok_or_else(|| PromotionError::Setting {
                setting,
                problem: "the path has quotes, % or bytes that are not text; rename the file"
                    .to_owned(),
            })?;
        // Relative to where the program runs, and not to the temporary repository.
        let absolute = std::path::absolute(text)?;
        command.push_str(&format!(" '{before}{}{after}'", absolute.display()));
        Ok::<_, PromotionError>(())
    };
    // ssh takes an option's value apart at spaces, unless it has quotes of its own.
    option(
        "--ssh-known-hosts",
        "-oUserKnownHostsFile=\"",
        &target.ssh_known_hosts,
        "\"",
    )?;
    option("--ssh-key", "-i", &target.ssh_key, "")?;
    if target.ssh_key.is_some() {
        command.push_str(" -o IdentitiesOnly=yes");
    }
    Ok(command)
}

/// Reads up to `limit` bytes, and then on to the end without keeping more; true if there was more.
async fn bounded(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    let Some(mut pipe) = pipe else {
        return Ok((bytes, false));
    };
    (&mut pipe).take(limit).read_to_end(&mut bytes).await?;
    let more = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    Ok((bytes, more > 0))
}

/// The process group of a running git; ended when this is dropped before it is done.
struct Group(Option<u32>);

impl Group {
    fn signal(&self, signal: Signal) {
        let id = self
            .0
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(id) = id {
            // It may be gone already.
            let _ = kill_process_group(id, signal);
        }
    }

    /// Git has ended by itself: its number may belong to somebody else soon.
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Asks git to end, so that it removes its lock files, and makes it end if it does not.
async fn end(group: &Group, child: &mut Child) {
    group.signal(Signal::TERM);
    let _ = tokio::time::timeout(GRACE, child.wait()).await;
    group.signal(Signal::KILL);
    let _ = tokio::time::timeout(GRACE, child.wait()).await;
}
