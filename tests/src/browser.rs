//! Windows driven over WebDriver: the launcher's own, and the system browser in which people sign in.

use crate::{child::Running, desktop::Desktop, muster::Person, programs};
use fantoccini::{Client, ClientBuilder, Locator, wd::Capabilities};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::{
    net::TcpListener,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const READY_LIMIT: Duration = Duration::from_secs(30);

/// A driven window.
#[derive(Debug)]
pub struct Driven {
    /// The session.
    pub client: Client,
    _driver: Running,
}

impl Driven {
    /// The launcher, opened on `desktop` with these variables.
    pub async fn launcher(desktop: &Desktop, variables: &[(&str, &str)]) -> Self {
        let port = free_port();
        let mut driver = Command::new("WebKitWebDriver");
        driver.args([&format!("--port={port}"), "--host=127.0.0.1"]);
        desktop.lend(&mut driver);
        driver.envs(variables.iter().copied());
        // The default renderer's pictures lag behind the page.
        driver.env("TAURI_WEBVIEW_AUTOMATION", "true").env("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
        let driver = Running::start("WebKitWebDriver", &mut driver);
        let options = json!({ "binary": programs::launcher(), "args": [] });
        let wanted = [("webkitgtk:browserOptions".to_owned(), options)];
        Self { client: connect(port, wanted.into_iter().collect()).await, _driver: driver }
    }

    /// Chromium without a window, for `person`.
    pub async fn chromium(person: &Person) -> Self {
        let port = free_port();
        let mut driver = Command::new("chromedriver");
        driver.arg(format!("--port={port}"));
        person.at_home(&mut driver);
        let driver = Running::start("chromedriver", &mut driver);
        // Its sandbox refuses to run as root, which CI is.
        let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let wanted = [("goog:chromeOptions".to_owned(), json!({ "args": arguments }))];
        Self { client: connect(port, wanted.into_iter().collect()).await, _driver: driver }
    }

    /// The element with this `data-testid`, clicked as soon as it is there and lets itself be clicked.
    pub async fn click(&self, testid: &str) {
        let css = format!("[data-testid=\"{testid}\"]:not([disabled])");
        self.click_css(&css).await;
    }

    /// The element that `css` finds, clicked as soon as it is there.
    pub async fn click_css(&self, css: &str) {
        let until = Instant::now() + READY_LIMIT;
        loop {
            // An element may be replaced between finding and clicking; then it is looked for again.
            if let Ok(element) = self.client.find(Locator::Css(css)).await
                && element.click().await.is_ok()
            {
                return;
            }
            assert!(Instant::now() < until, "no {css} to click; the page: {}", self.text().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Types into the field that `css` finds, in place of what is there.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.client.wait().at_most(READY_LIMIT).for_element(Locator::Css(css)).await;
        let field = field.unwrap_or_else(|error| panic!("no field {css}: {error}"));
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// The attribute of the element with this `data-testid`, if it is there.
    pub async fn attribute(&self, testid: &str, name: &str) -> Option<String> {
        let css = format!("[data-testid=\"{testid}\"]");
        let element = self.client.find(Locator::Css(&css)).await.ok()?;
        element.attr(name).await.ok().flatten()
    }

    /// Waits until the attribute is `value`.
    pub async fn wait_for(&self, testid: &str, name: &str, value: &str, limit: Duration) {
        let until = Instant::now() + limit;
        let mut last = None;
        while last.as_deref() != Some(value) {
            assert!(
                Instant::now() < until,
                "{testid}: {name} is {last:?}, not {value}, after {limit:?}; the page: {}",
                self.text().await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
            last = self.attribute(testid, name).await;
        }
    }

    /// The element with this `data-testid`, reached with the tabulator key and pressed with the return key.
    ///
    /// # Panics
    /// When no round through the page comes to it.
    pub async fn press(&self, testid: &str) {
        const STOPS_MAX: usize = 60;
        self.wait_until_there(testid).await;
        for _ in 0..STOPS_MAX {
            let here = "return document.activeElement?.dataset.testid ?? ''";
            if self.client.execute(here, vec![]).await.unwrap() == testid {
                return self.client.active_element().await.unwrap().send_keys("\u{E007}").await.unwrap();
            }
            self.client.active_element().await.unwrap().send_keys("\u{E004}").await.unwrap();
        }
        panic!("{testid} is not reached by the keyboard; the page: {}", self.text().await);
    }

    async fn wait_until_there(&self, testid: &str) {
        let css = format!("[data-testid=\"{testid}\"]:not([disabled])");
        self.client.wait().at_most(READY_LIMIT).for_element(Locator::Css(&css)).await.unwrap();
    }

    /// What the page says.
    pub async fn text(&self) -> String {
        let body = self.client.execute("return document.body.innerText", vec![]).await;
        body.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// What a command of the launcher answers.
    pub async fn invoke(&self, command: &str) -> Value {
        let script =
            "const [command, done] = arguments; window.__TAURI_INTERNALS__.invoke(command).then(done)";
        self.client.execute_async(script, vec![json!(command)]).await.unwrap()
    }

    /// Closes the window and ends the driver.
    pub async fn close(self) {
        // A window that is gone already is closed.
        let _closed = self.client.close().await;
    }
}

async fn connect(port: u16, wanted: Capabilities) -> Client {
    let url = format!("http://127.0.0.1:{port}");
    let until = Instant::now() + READY_LIMIT;
    loop {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        match builder.capabilities(wanted.clone()).connect(&url).await {
            Ok(client) => return client,
            Err(error) if Instant::now() > until => panic!("no session at {url}: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A browser for the launcher that only writes down where it was sent.
pub fn note_taking_browser(script: &Path, note: &Path) {
    let text = format!("#!/bin/sh\nprintf '%s' \"$1\" > '{0}.part' && mv '{0}.part' '{0}'\n", note.display());
    std::fs::write(script, text).unwrap();
    crate::tree::set_executable(script);
}
