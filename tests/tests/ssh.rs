//! A promotion over ssh, with a real server on loopback.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use stagelink_tests::{Stage, output, peer, stderr, wait_until};

/// An ssh server of this test's own, ended with it. Only `key` in its folder may log in.
struct Server {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Server {
    fn start(program: &Path, folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        for name in ["host", "key", "stranger"] {
            let made = output(
                Command::new("ssh-keygen")
                    .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                    .arg(folder.join(name)),
            );
            assert!(made.status.success(), "{}", stderr(&made));
        }
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let config = format!(
            "ListenAddress {address}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/key.pub\n\
             PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n",
            folder = folder.display()
        );
        fs::write(folder.join("sshd_config"), config).unwrap();
        let host = fs::read_to_string(folder.join("host.pub")).unwrap();
        let known = format!("[127.0.0.1]:{} {host}", address.port());
        fs::write(folder.join("known_hosts"), known).unwrap();
        fs::set_permissions(folder.join("key"), Permissions::from_mode(0o600)).unwrap();
        // It insists on an absolute path of its own.
        let child = Command::new(fs::canonicalize(program).unwrap())
            .arg("-D")
            .arg("-f")
            .arg(folder.join("sshd_config"))
            .arg("-E")
            .arg(folder.join("log"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self {
            child,
            address,
            folder,
        };
        wait_until("the ssh server answers", || {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "the ssh server ended: {}", server.log());
            TcpStream::connect(server.address).is_ok()
        });
        server
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Arguments of a promotion to a repository behind this server.
    fn promotion(&self, repository: &Path, key: &str, known_hosts: &str) -> Vec<String> {
        let user = output(Command::new("id").arg("-un"));
        let user = String::from_utf8(user.stdout).unwrap();
        vec![
            format!(
                "--repository=ssh://{}@{}{}",
                user.trim(),
                self.address,
                repository.display()
            ),
            format!("--ssh-key={}", self.folder.join(key).display()),
            format!(
                "--ssh-known-hosts={}",
                self.folder.join(known_hosts).display()
            ),
        ]
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_promotion_goes_through_a_real_ssh_server() {
    let Some(program) = peer("sshd", "the promotion over ssh") else {
        return;
    };
    let stage = Stage::new();
    let server = Server::start(&program, stage.path("ssh"));
    fs::write(server.folder.join("nobody"), "").unwrap();

    let deliver = |version: &str, key: &str, known_hosts: &str| -> (bool, Value) {
        let arguments = server.promotion(&stage.path("remote.git"), key, known_hosts);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        stage.commit(version, &[], &arguments);
        let delivered = stage.deliver();
        let summary = serde_json::from_slice(&delivered.stdout).unwrap_or_else(|error| {
            unreachable!("{error}: {} {}", stderr(&delivered), server.log())
        });
        (delivered.status.success(), summary)
    };
    let branches = || stage.remote(&["for-each-ref", "--format=%(refname:short)", "refs/heads"]);

    // Neither who is not let in, nor a server that is not known, gets a commit.
    for (version, key, known_hosts, reason) in [
        ("v2", "stranger", "known_hosts", "refuses these credentials"),
        (
            "v3",
            "key",
            "nobody",
            "give its host key (--ssh-known-hosts)",
        ),
    ] {
        let (passed, summary) = deliver(version, key, known_hosts);
        assert!(!passed, "{summary}");
        let told = summary["reason"].as_str().unwrap();
        assert!(told.contains(reason), "{told}");
        assert_eq!(branches(), "main");
    }

    let (passed, summary) = deliver("v4", "key", "known_hosts");
    assert!(passed, "{summary:#} {}", server.log());
    let branches = branches();
    let branch = branches.lines().find(|branch| *branch != "main").unwrap();
    let values = stage.remote(&["show", &format!("{branch}:prod/values.yaml")]);
    assert!(values.contains("version: v4\n"), "{values}");
    assert!(
        values.contains(summary["trace_id"].as_str().unwrap()),
        "{values}"
    );
}
