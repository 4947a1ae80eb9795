//! A way to the API server that stops at one request, for a test to kill who asked.
//!
//! `kubectl proxy` speaks TLS with the API server, as an administrator; what is asked for as the hooks'
//! service account stays so, as kubectl passes the headers on.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::application::Application;

/// When the hook dies, seen from a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The API server never hears of the request.
    Before,
    /// The API server has done it, and the hook never hears of that.
    After,
}

/// `kubectl proxy`, ended with the test.
pub(crate) struct Plain {
    child: Child,
    port: u16,
}

impl Plain {
    pub(crate) fn new(application: &Application) -> Self {
        let mut child = application
            .cluster
            .kubectl(&["proxy", "--port=0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (_, port) = line.trim().rsplit_once(':').unwrap();
        let port = port.parse().unwrap();
        Self { child, port }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The way of one hook process to the API server.
pub(crate) struct Proxy {
    /// For the hook.
    pub(crate) kubeconfig: PathBuf,
    /// Says that the request was reached; it goes on when what was received is dropped.
    pub(crate) reached: Receiver<SyncSender<()>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Stops at a request, counted from 1, if there is one to stop at.
    pub(crate) fn new(
        application: &Application,
        plain: &Plain,
        stop: Option<(usize, Moment)>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = fs::read_to_string(application.hooks_kubeconfig()).unwrap();
        let mut config: Value = serde_yaml::from_str(&text).unwrap();
        config["clusters"][0]["cluster"] = json!({"server": format!("http://127.0.0.1:{port}")});
        let user = &config["users"][0]["user"];
        config["users"][0]["user"] = json!({"as": user["as"], "as-groups": user["as-groups"]});
        let kubeconfig = application.folder.path().join(format!("proxy-{port}"));
        fs::write(&kubeconfig, serde_yaml::to_string(&config).unwrap()).unwrap();

        let (sender, reached) = sync_channel(1);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (counted, count) = (Arc::clone(&requests), Arc::new(AtomicUsize::new(0)));
        let upstream = plain.port;
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (counted, count) = (Arc::clone(&counted), Arc::clone(&count));
                let sender = sender.clone();
                std::thread::spawn(move || {
                    // Either side may go away: that is what is tried here.
                    let _ = serve(client?, upstream, stop, &sender, &counted, &count);
                    Ok::<(), std::io::Error>(())
                });
            }
        });
        Self {
            kubeconfig,
            reached,
            requests,
        }
    }

    /// `<method> <path>` of what was asked for, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Serves one request, and closes the connection, so that each is counted.
fn serve(
    mut client: TcpStream,
    upstream: u16,
    stop: Option<(usize, Moment)>,
    sender: &SyncSender<SyncSender<()>>,
    counted: &Mutex<Vec<String>>,
    count: &AtomicUsize,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut request = String::new();
    if reader.read_line(&mut request)? == 0 {
        return Ok(());
    }
    let what = request.rsplit_once(' ').unwrap().0.to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        if !name.eq_ignore_ascii_case("connection") {
            request.push_str(&line);
        }
    }
    request.push_str("Connection: close\r\n\r\n");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;

    counted.lock().unwrap().push(what.clone());
    let number = count.fetch_add(1, Ordering::SeqCst) + 1;
    let moment = stop
        .filter(|(at, _)| *at == number)
        .map(|(_, moment)| moment);
    if moment == Some(Moment::Before) {
        wait_for_the_test(sender);
        return Ok(());
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
    server.write_all(request.as_bytes())?;
    server.write_all(&body)?;
    if moment == Some(Moment::After) {
        // A watch has no end to wait for; anything else is done when it is answered.
        let mut answer = [0; 1];
        server.read_exact(&mut answer)?;
        wait_for_the_test(sender);
        return Ok(());
    }
    // Whoever gives up a watch closes the connection.
    let ended = server.try_clone()?;
    std::thread::spawn(move || {
        let _ = reader.read(&mut [0; 1]);
        let _ = ended.shutdown(Shutdown::Both);
    });
    std::io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Both)
}

fn wait_for_the_test(sender: &SyncSender<SyncSender<()>>) {
    let (go_on, wait) = sync_channel(1);
    if sender.send(go_on).is_ok() {
        let _ = wait.recv();
    }
}
