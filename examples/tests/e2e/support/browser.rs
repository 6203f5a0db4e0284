use std::env;
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::error::{WebDriverError, WebDriverResult};
use thirtyfour::session::http::{Body, HttpClient};
use thirtyfour::{
    ChromiumLikeCapabilities as _, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver,
};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};

use super::log::Log;
use super::proxy::folder;
use super::wait::{eventually, soon};

/// One at a time: a browser wants a machine for itself.
static TURN: Mutex<()> = Mutex::const_new(());

/// Chromium's own traffic is left out, and what does not work for root, in a container, or without a screen.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

/// A Chromium without a window, which shows a page as people see it.
pub(crate) struct Browser {
    driver: WebDriver,
    _child: Child,
    _log: [Log; 2],
    _profile: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// `None`, loudly, where there is no browser to be used; in continuous integration that is a failure.
    pub(crate) async fn start() -> Option<Self> {
        let program = |variable| env::var_os(variable).map(PathBuf::from);
        let programs = program("TERRACE_TEST_CHROMIUM").zip(program("TERRACE_TEST_CHROMEDRIVER"));
        let Some((chromium, chromedriver)) = programs else {
            let message = "TERRACE_TEST_CHROMIUM and TERRACE_TEST_CHROMEDRIVER name no browser; `cargo xtask test` sees \
                           to that";
            assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "{message}");
            // Not by a macro: what those print is seen only if the test fails.
            let line = format!("\n*** SKIPPED a test in a browser: {message} ***\n");
            drop(std::io::stderr().write_all(line.as_bytes()));
            return None;
        };
        let turn = TURN.lock().await;
        let profile = folder();
        let mut child = Command::new(chromedriver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Chromium's own folders, too, go away with the test.
            .env("TMPDIR", profile.path())
            .env("HOME", profile.path())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver can be run");
        let log = Log::of(child.stderr.take().expect("stderr is a pipe"));
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
        let port = loop {
            let line = soon("chromedriver's start", lines.next_line()).await;
            let line = line.expect("stdout is text");
            let line = line.unwrap_or_else(|| panic!("chromedriver does not start:\n{log}"));
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let wanted = capabilities(&chromium, profile.path()).expect("capabilities can be written");
        let session = WebDriver::builder(format!("http://127.0.0.1:{port}"), wanted).client(Client);
        let driver = soon("Chromium's start", session.connect()).await;
        Some(Self {
            driver: driver
                .unwrap_or_else(|error| panic!("Chromium does not start: {error}\n{log}")),
            _child: child,
            _log: [log, Log::of(lines.into_inner())],
            _profile: profile,
            _turn: turn,
        })
    }

    pub(crate) async fn open(&self, url: &str) {
        // It has shown a page of its own, which is none of our business.
        self.driver
            .goto("about:blank")
            .await
            .expect("an empty page");
        drop(self.requests().await);
        drop(self.complaints().await);
        let opened = soon("the page", self.driver.goto(url)).await;
        opened.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// A window of that size, in pixels of CSS, in the dark or in the light.
    pub(crate) async fn look(&self, width: u32, height: u32, dark: bool) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.command("Emulation.setDeviceMetricsOverride", size)
            .await;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.command("Emulation.setEmulatedMedia", media).await;
    }

    /// What a function of this body returns, run in the page.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.run_with(script, []).await
    }

    /// As [`run`](Self::run), with `arguments`.
    pub(crate) async fn run_with<const N: usize>(
        &self,
        script: &str,
        arguments: [Value; N],
    ) -> Value {
        let returned = soon("a script", self.driver.execute(script, arguments.to_vec())).await;
        let returned = returned.unwrap_or_else(|error| panic!("{script}: {error}"));
        returned.json().clone()
    }

    /// The text a person sees in what `selector` names first.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        let text = self.run_with(script, [json!(selector)]).await;
        text.as_str().expect("text").to_owned()
    }

    /// Waits until the text of what `selector` names has `part` in it.
    pub(crate) async fn shows(&self, selector: &str, part: &str) {
        eventually(&format!("{selector} shows {part:?}"), async || {
            self.text(selector).await.contains(part)
        })
        .await;
    }

    /// Types `text` over what is in a field.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        let field = self
            .driver
            .find(thirtyfour::By::Css(selector))
            .await
            .expect("the field");
        field.clear().await.expect("it can be cleared");
        field.send_keys(text).await.expect("it can be typed into");
    }

    /// Clicks on what `selector` names, as a person would: it must be seen, and not be covered.
    pub(crate) async fn click(&self, selector: &str) {
        let element = self
            .driver
            .find(thirtyfour::By::Css(selector))
            .await
            .expect("it is there");
        element
            .scroll_into_view()
            .await
            .expect("it can be scrolled to");
        element
            .click()
            .await
            .unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// What is in the window, as a PNG file.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        use base64::Engine as _;
        let asked = json!({ "format": "png" });
        let answer = self.command("Page.captureScreenshot", asked).await;
        let text = answer["data"].as_str().expect("a picture");
        base64::prelude::BASE64_STANDARD
            .decode(text)
            .expect("base 64")
    }

    /// What went wrong in the page since the last look, as its console has it.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self
            .driver
            .browser_log()
            .await
            .expect("the console can be read");
        log.into_iter()
            .map(|it| format!("{}: {}", it.level, it.message))
            .collect()
    }

    /// The URLs that the page asked for since the last look.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let log = self
            .driver
            .get_log("performance")
            .await
            .expect("the network can be watched");
        let messages = log
            .iter()
            .filter_map(|it| serde_json::from_str(&it.message).ok());
        let sent =
            messages.filter(|it: &Value| it["message"]["method"] == "Network.requestWillBeSent");
        let urls = sent.filter_map(|it| {
            Some(
                it["message"]["params"]["request"]["url"]
                    .as_str()?
                    .to_owned(),
            )
        });
        urls.filter(|url| !url.starts_with("data:")).collect()
    }

    /// Ends it; what is dropped instead is killed.
    pub(crate) async fn close(self) {
        soon("Chromium's end", self.driver.quit())
            .await
            .expect("it can be closed");
    }

    async fn command(&self, method: &str, parameters: Value) -> Value {
        let cdp = self.driver.cdp();
        let answer = soon(method, cdp.send_raw(method, parameters)).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }
}

fn capabilities(
    chromium: &Path,
    profile: &Path,
) -> WebDriverResult<thirtyfour::ChromeCapabilities> {
    let mut wanted = DesiredCapabilities::chrome();
    wanted.set_binary(&chromium.to_string_lossy())?;
    for argument in ARGUMENTS {
        wanted.add_arg(argument)?;
    }
    wanted.add_arg(&format!(
        "--user-data-dir={}",
        profile.join("profile").display()
    ))?;
    wanted.set_logging_prefs("browser", LoggingPrefsLogLevel::All)?;
    wanted.set_logging_prefs("performance", LoggingPrefsLogLevel::All)?;
    Ok(wanted)
}

/// What carries the commands to chromedriver.
struct Client;

#[async_trait]
impl HttpClient for Client {
    async fn send(&self, request: Request<Body<'_>>) -> WebDriverResult<Response<Bytes>> {
        let (mut head, body) = request.into_parts();
        let body = match body {
            Body::Empty => Bytes::new(),
            Body::Json(json) => json.to_string().into(),
        };
        let authority = head
            .uri
            .authority()
            .map(ToString::to_string)
            .unwrap_or_default();
        head.uri = head.uri.path().parse().map_err(failed)?;
        head.headers
            .insert(HOST, authority.parse().map_err(failed)?);
        let stream = TcpStream::connect(&authority).await.map_err(failed)?;
        let (mut requests, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(failed)?;
        let answer = async {
            let request = Request::from_parts(head, Full::new(body));
            let (head, body) = requests.send_request(request).await?.into_parts();
            Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
        };
        tokio::select! {
            answer = answer => answer.map_err(|error: hyper::Error| failed(error)),
            ended = connection => Err(failed(format!("{ended:?}"))),
        }
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(Self)
    }
}

const PICTURES: &str = "TERRACE_TEST_PICTURES";

/// Whether somebody wants to look at what the browser shows.
pub(crate) fn are_pictures_wanted() -> bool {
    env::var_os(PICTURES).is_some()
}

/// Keeps a picture of the page, if it is wanted.
pub(crate) async fn keep_picture(browser: &Browser, name: &str) {
    if let Some(folder) = env::var_os(PICTURES) {
        let path = PathBuf::from(folder).join(name).with_extension("png");
        // What the test has come to by keyboard is outlined.
        browser.run("document.activeElement.blur()").await;
        std::fs::write(path, browser.picture().await).expect("room on the disk");
    }
}

fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> WebDriverError {
    WebDriverError::HttpError(error.into().to_string())
}
