//! A way to the API server that stops at one request, for a test to kill who asked, or that answers otherwise
//! than the API server would.
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
use std::time::Duration;

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

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The API server answers it.
    Passes,
    /// It waits for the test.
    Stops(Moment),
    /// It is answered with this status, and the API server never hears of it.
    Refused(u16),
    /// The connection breaks, before the API server hears of it or when it has done it.
    Broken(Moment),
    /// Half of the answer comes, and then no more.
    Cut,
    /// A watch begins, and tells at once that what it asked for is too old.
    Expired,
    /// It takes a while to get there, and the answer as long to get back.
    Slow(Duration),
}

/// What becomes of each request: by its number, from 1, and `<method> <path>`. What is done for events has the
/// number 0: it comes at any time, beside the delivery.
pub(crate) type Ways = Arc<dyn Fn(usize, &str) -> Way + Send + Sync>;

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
        let way = move |number, _: &str| match stop {
            Some((at, moment)) if at == number => Way::Stops(moment),
            _ => Way::Passes,
        };
        Self::with_ways(application, plain, Arc::new(way))
    }

    /// Lets requests go their ways.
    pub(crate) fn with_ways(application: &Application, plain: &Plain, ways: Ways) -> Self {
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
                let (sender, ways) = (sender.clone(), Arc::clone(&ways));
                std::thread::spawn(move || {
                    // Either side may go away: that is what is tried here.
                    let _ = serve(client?, upstream, &ways, &sender, &counted, &count);
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

    /// `<method> <path>` of what was asked for, in order, but for events.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// True for what is done for events.
fn is_beside(what: &str) -> bool {
    what.starts_with("POST ") && what.contains("/events")
        || what.starts_with("GET ") && what.contains("/deployments/")
}

/// Serves one request, and closes the connection, so that each is counted.
fn serve(
    mut client: TcpStream,
    upstream: u16,
    ways: &Ways,
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

    let mut number = 0;
    if !is_beside(&what) {
        counted.lock().unwrap().push(what.clone());
        number = count.fetch_add(1, Ordering::SeqCst) + 1;
    }
    let way = ways(number, &what);
    match way {
        Way::Stops(Moment::Before) => {
            wait_for_the_test(sender);
            return Ok(());
        }
        Way::Broken(Moment::Before) => return Ok(()),
        Way::Refused(status) => return client.write_all(refusal(status).as_bytes()),
        Way::Expired => return client.write_all(EXPIRED.as_bytes()),
        Way::Slow(pause) => std::thread::sleep(pause),
        _ => {}
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
    server.write_all(request.as_bytes())?;
    server.write_all(&body)?;
    match way {
        Way::Stops(Moment::After) | Way::Broken(Moment::After) => {
            // A watch has no end to wait for; anything else is done when it is answered.
            let mut answer = [0; 1];
            server.read_exact(&mut answer)?;
            if way == Way::Stops(Moment::After) {
                wait_for_the_test(sender);
            }
            return Ok(());
        }
        Way::Cut => {
            let mut answer = Vec::new();
            // A watch is cut off when it has told something.
            if what.contains("watch=true") {
                answer.resize(CUT_WATCH, 0);
                server.read_exact(&mut answer)?;
            } else {
                server.read_to_end(&mut answer)?;
                let head = answer.windows(4).position(|end| end == b"\r\n\r\n");
                let head = head.unwrap_or_default() + 4;
                answer.truncate(head + (answer.len() - head) / 2);
            }
            return client.write_all(&answer);
        }
        Way::Slow(pause) => std::thread::sleep(pause),
        _ => {}
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

/// Bytes of the answer to a watch after which it is cut off: its head and a part of the first event.
const CUT_WATCH: usize = 600;

/// What the API server sends to a watch that begins at what it has forgotten.
const EXPIRED: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\
    {\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\
    \"message\":\"too old resource version\",\"reason\":\"Expired\",\"code\":410}}\n";

/// The API server's way to say no.
fn refusal(status: u16) -> String {
    let reason = match status {
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "",
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "not now", "reason": reason, "code": status,
    })
    .to_string();
    let again = if status == 429 {
        "Retry-After: 1\r\n"
    } else {
        ""
    };
    format!(
        "HTTP/1.1 {status} No\r\nContent-Type: application/json\r\n{again}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn wait_for_the_test(sender: &SyncSender<SyncSender<()>>) {
    let (go_on, wait) = sync_channel(1);
    if sender.send(go_on).is_ok() {
        let _ = wait.recv();
    }
}
