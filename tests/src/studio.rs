//! Everything on the other side of the launcher's window: a studio with its repository, origin, identity provider and news, and the
//! player who signs in there.

use crate::{
    browser::{Driven, note_taking_browser},
    child::{Running, eventually},
    desktop::Desktop,
    muster::{Origin, Person, Repository, text},
    programs,
    web::WebServer,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// The demo's game.
pub const GAME: &str = "emberfall";
/// Who signs in.
pub const PLAYER: &str = "Ada";
/// Where its launcher keeps the settings, below the home folder.
pub const SETTINGS: &str = ".config/muster/emberfall/settings.json";
/// The longest wait of a test with a window.
pub const LIMIT: Duration = Duration::from_secs(90);

/// Everything on the other side of the window.
#[derive(Debug)]
pub struct Studio {
    base: tempfile::TempDir,
    repository: Repository,
    /// What players ask.
    pub origin: Origin,
    /// The identity provider; each answer to a request for tokens is a line of its output.
    pub provider: Running,
    issuer: String,
    feed: WebServer,
}

impl Studio {
    /// With release 1.0 of the demo game, which plays by itself for some seconds.
    #[must_use]
    pub fn open() -> Self {
        let base = tempfile::tempdir().unwrap();
        let repository = Repository::init(base.path());
        build(base.path(), "1.0");
        repository.publish(&base.path().join("build-1.0"), GAME, "1.0", &[]);
        let origin = repository.serve(&[]);
        let (provider, issuer) = provider("0");
        let feed = feed(&base.path().join("feed"));
        Self { base, repository, origin, provider, issuer, feed }
    }

    /// A place in the studio's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    /// Where the launcher's browser writes where it was sent.
    #[must_use]
    pub fn note(&self) -> PathBuf {
        self.path("note")
    }

    /// The build folder of a version.
    #[must_use]
    pub fn build(&self, version: &str) -> PathBuf {
        self.path(&format!("build-{version}"))
    }

    /// Makes and publishes a version.
    pub fn publish(&self, version: &str) {
        build(self.base.path(), version);
        self.repository.publish(&self.build(version), GAME, version, &[]);
    }

    /// Ends the identity provider, and with it every session there.
    pub fn stop_provider(&mut self) {
        self.provider.end();
    }

    /// The identity provider is there again, at its old address, and knows nobody.
    pub fn restart_provider(&mut self) {
        let port = self.issuer.rsplit(':').next().unwrap().to_owned();
        self.provider = provider(&port).0;
    }

    /// The torrent of a version.
    #[must_use]
    pub fn torrent(&self, version: &str) -> PathBuf {
        let suffix = format!(".{GAME}~{version}.torrent");
        let all =
            fs::read_dir(self.repository.dir.join("targets")).unwrap().map(|entry| entry.unwrap().path());
        all.into_iter().find(|path| path.to_str().unwrap().ends_with(&suffix)).unwrap()
    }

    /// Where the feed and its pictures lie.
    #[must_use]
    pub fn feed_dir(&self) -> PathBuf {
        self.path("feed")
    }

    /// The launcher's window, with more variables if any.
    pub async fn launcher(&self, desktop: &Desktop, more: &[(&str, &str)]) -> Driven {
        let script = self.path("browser.sh");
        note_taking_browser(&script, &self.note());
        let root = self.repository.root();
        let brand = programs::root().join("demo/brand");
        let feed = format!("{}feed.json", self.feed.url());
        // The router of the network that this machine is on is no part of the test.
        let settings = desktop.home().join(SETTINGS);
        if !settings.exists() {
            fs::create_dir_all(settings.parent().unwrap()).unwrap();
            fs::write(&settings, r#"{"map_port":false}"#).unwrap();
        }
        let variables = [
            ("BROWSER", text(&script)),
            ("MUSTER_REPOSITORY", &self.origin.url),
            ("MUSTER_ROOT", text(&root)),
            ("MUSTER_FEED", &feed),
            ("MUSTER_ISSUER", &self.issuer),
            ("MUSTER_BRAND_DIR", text(&brand)),
        ];
        Driven::launcher(desktop, &[&variables, more].concat()).await
    }
}

/// The demo's identity provider on this port, and its address.
fn provider(port: &str) -> (Running, String) {
    let mut node = Command::new("node");
    node.arg(programs::root().join("demo/idp/server.mjs")).args([port, "--tell-tokens"]);
    let mut provider = Running::start("identity provider", &mut node);
    let issuer = provider.wait_for(LIMIT, "issuer", |line| {
        Some(serde_json::from_str::<Value>(line).ok()?["issuer"].as_str()?.to_owned())
    });
    (provider, issuer)
}

/// A build of the demo game that plays by itself for some seconds.
fn build(base: &Path, version: &str) {
    let dir = base.join(format!("build-{version}"));
    let mut make = Command::new(programs::demo_assets());
    make.args(["--version", version, "--game-bin"]).arg(programs::demo_game()).arg("--out").arg(&dir);
    let made = make.output().unwrap();
    assert!(made.status.success(), "demo-assets: {}", String::from_utf8_lossy(&made.stderr));
    let config = dir.join("muster.toml");
    let text = fs::read_to_string(&config).unwrap();
    let autoplay = text.replace("arguments = [", "arguments = [\"--autoplay\", \"6\", ");
    assert_ne!(text, autoplay, "the launch command takes arguments: {text}");
    fs::write(&config, autoplay).unwrap();
}

/// The demo's news, with the address that only we know now.
fn feed(dir: &Path) -> WebServer {
    let source = programs::root().join("demo/feed");
    fs::create_dir_all(dir).unwrap();
    let server = WebServer::folder(dir);
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, dir.join(path.file_name().unwrap())).unwrap();
        }
    }
    let file = dir.join("feed.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("http://feed.invalid/", &server.url())).unwrap();
    server
}

/// In the real provider's pages, by a browser of its own.
pub async fn sign_in(studio: &Studio, window: &Driven) {
    window.click("sign-in").await;
    eventually(LIMIT, "the browser was sent to the provider", || studio.note().exists());
    let address = fs::read_to_string(studio.note()).unwrap();
    let browser = Driven::chromium(&Person::at(&studio.path("browser"))).await;
    browser.client.goto(&address).await.unwrap();
    browser.fill("input[name=login]", PLAYER).await;
    browser.fill("input[name=password]", "any").await;
    browser.click_css("form[action$=login] button").await;
    browser.click_css("form[action$=consent] button").await;
    until("signed in", async || window.invoke("account").await["state"] == "signed_in").await;
    browser.close().await;
    let account = window.invoke("account").await;
    assert_eq!((&account["name"], &account["kept"]), (&PLAYER.into(), &"secret_store".into()), "{account}");
    assert!(window.text().await.contains(PLAYER), "the window greets the player");
}

/// By a code, which is typed into the real provider's page by a browser elsewhere. The code comes in place of a page that was opened.
pub async fn sign_in_elsewhere(studio: &Studio, window: &Driven) {
    window.click("sign-in").await;
    window.click("sign-in-elsewhere").await;
    let account = async || window.invoke("account").await;
    until("a code", async || account().await["code"].as_str().is_some_and(|code| !code.is_empty())).await;
    let shown = account().await;
    let code = shown["code"].as_str().unwrap();
    assert!(window.text().await.contains(code), "the window shows the code");
    let browser = Driven::chromium(&Person::at(&studio.path("telephone"))).await;
    browser.client.goto(shown["url"].as_str().unwrap()).await.unwrap();
    browser.fill("input[name=user_code]", code).await;
    browser.click_css("button[form='op.deviceInputForm']").await;
    browser.click_css("button[form='op.deviceConfirmForm']:not([name])").await;
    browser.fill("input[name=login]", PLAYER).await;
    browser.fill("input[name=password]", "any").await;
    browser.click_css("form[action$=login] button").await;
    browser.click_css("form[action$=consent] button").await;
    until("signed in", async || account().await["state"] == "signed_in").await;
    browser.close().await;
    assert_eq!(account().await["name"], PLAYER);
}

/// Waits until it is so.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !so().await {
        assert!(started.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
