//! A browser under control: Chromium through its driver's WebDriver interface
//! (<https://www.w3.org/TR/webdriver2/>), JSON over HTTP on loopback.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stagelink_tests::peer;

/// What is skipped without a browser.
const TEST: &str = "the trace page";

/// Width and height of the window's content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) u32, pub(crate) u32);

/// A browser with one page; it ends with the test.
#[derive(Debug)]
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// `None`, and a message that the test is skipped, if there is no browser.
    pub(crate) fn start(size: Size) -> Option<Self> {
        let driver = peer("chromedriver", TEST)?;
        let chromium = peer("chromium", TEST)?;
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| {
                let rest = line.split_once("successfully on port ")?.1;
                rest.trim_end_matches('.').parse().ok()
            })
            .expect("the driver says its port");
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
            _profile: profile,
        };
        let folder = browser._profile.path().display().to_string();
        let session = browser.call(
            "POST",
            "/session",
            &json!({"capabilities": {"alwaysMatch": {
                "browserName": "chrome",
                "goog:loggingPrefs": {"browser": "ALL"},
                "goog:chromeOptions": {
                    "binary": chromium,
                    "args": [
                        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                        "--disable-background-networking", "--force-prefers-reduced-motion", "--no-first-run",
                        format!("--user-data-dir={folder}"),
                    ],
                },
            }}}),
        );
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        // Not the window's size, which has a lower limit, but the page's.
        browser.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": size.0, "height": size.1, "deviceScaleFactor": 1, "mobile": size.0 < 600}),
        );
        Some(browser)
    }

    pub(crate) fn open(&self, page: &Path) {
        let url = format!("file://{}", page.display());
        self.command("url", &json!({"url": url}));
    }

    /// What a script returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({"script": script, "args": []}))
    }

    /// As [`Browser::run`], with the first `element` of a selector.
    pub(crate) fn run_on(&self, selector: &str, script: &str) -> Value {
        self.run(&format!(
            "const element = document.querySelector({}); {script}",
            Value::from(selector)
        ))
    }

    /// Clicks where a person would: in the middle of what is to be seen.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.command(&format!("element/{element}/click"), &json!({}));
    }

    /// Clicks the longest straight piece of a line.
    pub(crate) fn click_line(&self, selector: &str) {
        let point = self.run_on(
            selector,
            "const line = element.querySelector('.line');
             element.scrollIntoView({block: 'nearest'});
             const scroll = () => line.getPointAtLength(line.getTotalLength() / 2);
             const matrix = line.getScreenCTM();
             let point = scroll().matrixTransform(matrix);
             window.scrollBy({top: point.y - innerHeight / 2, behavior: 'instant'});
             point = scroll().matrixTransform(line.getScreenCTM());
             return [Math.round(point.x), Math.round(point.y)]",
        );
        self.command(
            "actions",
            &json!({"actions": [{"type": "pointer", "id": "mouse", "actions": [
                {"type": "pointerMove", "duration": 0, "x": point[0], "y": point[1]},
                {"type": "pointerDown", "button": 0},
                {"type": "pointerUp", "button": 0},
            ]}]}),
        );
    }

    /// Presses a key by its name in the DOM.
    pub(crate) fn keys(&self, key: &str) {
        let key = match key {
            "ArrowLeft" => "\u{e012}",
            "ArrowUp" => "\u{e013}",
            "ArrowRight" => "\u{e014}",
            "ArrowDown" => "\u{e015}",
            "End" => "\u{e010}",
            "Enter" => "\u{e007}",
            "Escape" => "\u{e00c}",
            other => other,
        };
        self.command(
            "actions",
            &json!({"actions": [{"type": "key", "id": "keyboard", "actions": [
                {"type": "keyDown", "value": key},
                {"type": "keyUp", "value": key},
            ]}]}),
        );
    }

    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.run_on(selector, "return element.innerText");
        text.as_str().unwrap().to_owned()
    }

    pub(crate) fn is_shown(&self, selector: &str) -> bool {
        self.run_on(
            selector,
            "return element !== null && element.offsetHeight > 0",
        ) == true
    }

    pub(crate) fn is_in_view(&self, selector: &str) -> bool {
        self.run_on(
            selector,
            "const box = element.getBoundingClientRect(); return box.height > 0 && box.top >= 0 && box.bottom <= innerHeight",
        ) == true
    }

    /// Selector of the element that has the keyboard.
    pub(crate) fn focused(&self) -> String {
        let id = self.run("return document.activeElement.id");
        format!("#{}", id.as_str().unwrap())
    }

    /// Selector of the span whose details are shown.
    pub(crate) fn chosen(&self) -> String {
        let id = self.run_on("[aria-selected=true]", "return element.id");
        format!("#{}", id.as_str().unwrap())
    }

    /// `light` or `dark`, as the person's system says.
    pub(crate) fn colour_scheme(&self, scheme: &str) {
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        );
    }

    /// What the browser's console holds: errors of scripts, violations of the policy.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", &json!({"type": "browser"}));
        log.as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.command(
            "goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        );
    }

    fn element(&self, selector: &str) -> String {
        let found = self.command(
            "element",
            &json!({"using": "css selector", "value": selector}),
        );
        let reference = found.as_object().unwrap().values().next().unwrap();
        reference.as_str().unwrap().to_owned()
    }

    fn command(&self, command: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{command}", self.session);
        self.call("POST", &path, body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .unwrap();
        // The driver keeps the connection, so its end is not the answer's.
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut header = String::new();
            answer.read_line(&mut header).unwrap();
            if header.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body).unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        let value = answer["value"].clone();
        assert!(value["error"].is_null(), "{path}: {value}");
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.call("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
        // The driver ends its browser when it is asked to end.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = write!(stream, "GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        }
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if matches!(self.driver.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
