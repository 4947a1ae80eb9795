//! A real Prometheus, if one is installed (Debian's package `prometheus`).

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A Prometheus on loopback with its data in a temporary folder; both go when this is dropped.
pub(crate) struct RealPrometheus {
    process: Child,
    pub(crate) port: u16,
    _folder: TempDir,
}

impl Drop for RealPrometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a Prometheus that holds `data` (OpenMetrics) and does what `configuration` says. Further
/// files for the folder of its configuration are made by `more`, which gives further arguments.
///
/// None, with a message, if it is not installed.
pub(crate) fn start(
    data: Option<&str>,
    configuration: &str,
    more: impl FnOnce(&Path) -> Option<Vec<String>>,
) -> Option<RealPrometheus> {
    let installed = |program: &str| {
        let started = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        started.is_ok_and(|status| status.success())
    };
    if !installed("prometheus") || !installed("promtool") {
        eprintln!(
            "skipped: prometheus and promtool are not installed (Debian: apt-get install prometheus)"
        );
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("prometheus.yml"), configuration).unwrap();
    std::fs::create_dir(path("data")).unwrap();
    if let Some(data) = data {
        std::fs::write(path("data.om"), data).unwrap();
        let made = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([path("data.om"), path("data")])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
    }
    let arguments = more(folder.path())?;
    // Between this and its own use somebody else could take the port; nobody does so at once.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let log = std::fs::File::create(path("log")).unwrap();
    let process = Command::new("prometheus")
        .arg(format!(
            "--config.file={}",
            path("prometheus.yml").display()
        ))
        .arg(format!("--storage.tsdb.path={}", path("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut server = RealPrometheus {
        process,
        port,
        _folder: folder,
    };
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = server.process.try_wait().unwrap();
        let log = std::fs::read_to_string(server._folder.path().join("log")).unwrap();
        assert!(ended.is_none(), "Prometheus ended: {log}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(server)
}
