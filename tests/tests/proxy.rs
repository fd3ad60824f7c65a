//! A proxy: what is asked of web servers goes through it or not at all.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use engine::{
    proxy::{Proxy, ProxyAddress},
    snapshot::Action,
};
use std::{fs, net::SocketAddr, time::Duration};
use tests::{
    desktop::Desktop,
    played::{BYTES, Scene, kept},
    proxy::CountingProxy,
    studio::{LIMIT, SETTINGS, Studio, until},
};

/// A name that no server of names knows: who does not ask the proxy finds nothing.
const NAME: &str = "origin.invalid";

fn through(text: &str) -> Proxy {
    Proxy::Address(ProxyAddress::parse(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_proxy_goes_all_that_web_servers_are_asked_for_and_nothing_around_it() {
    let scene = Scene::of("#!/bin/sh\nexit 0\n");
    let proxy = CountingProxy::start(NAME, scene.origin_addr());
    for (round, scheme) in ["http", "socks5"].into_iter().enumerate() {
        let before = proxy.count();
        let address = through(&format!("{scheme}://{}", proxy.addr()));
        let opened = scene.open_through(&format!("http://{NAME}/"), address, kept());
        let outcome = opened.game.perform(Action::Install).await.unwrap();
        assert_eq!(outcome.release.as_deref(), Some("1.0"), "{scheme}");
        assert!(outcome.downloaded_bytes.origin > BYTES as u64, "{scheme}: {outcome:?}");
        assert!(proxy.count() > before, "{scheme}");
        opened.game.perform(Action::Uninstall).await.unwrap();
        opened.end().await;
        assert!(!scene.dir().join("data.bin").exists(), "round {round}");
    }
    let asked = proxy.asked();
    assert!(asked.keys().all(|target| target == &format!("{NAME}:80")), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_not_there_is_not_gone_around() {
    let scene = Scene::of("#!/bin/sh\nexit 0\n");
    // Port 1 of this machine: nobody is there. The origin is, and could be asked.
    for scheme in ["http", "socks5"] {
        let url = format!("http://{}/", scene.origin_addr());
        let opened = scene.open_through(&url, through(&format!("{scheme}://127.0.0.1:1")), kept());
        let refused = opened.game.perform(Action::Install).await.unwrap_err();
        assert_eq!(refused.code, "NETWORK", "{scheme}: {refused:?}");
        opened.end().await;
    }
    let url = format!("http://{}/", scene.origin_addr());
    let opened = scene.open_through(&url, Proxy::None, kept());
    opened.game.perform(Action::Install).await.unwrap();
    opened.end().await;
}

#[tokio::test]
async fn the_windows_setting_leads_game_and_news_through_the_proxy_and_back() {
    let studio = Studio::open();
    let desktop = Desktop::start(&studio.path("player"));
    let proxy = CountingProxy::start(NAME, SocketAddr::from(([127, 0, 0, 1], 1)));
    let settings = desktop.home().join(SETTINGS);
    fs::create_dir_all(settings.parent().unwrap()).unwrap();
    let chosen = format!(r#"{{"map_port":false,"proxy":"address","proxy_address":"{}"}}"#, proxy.addr());
    fs::write(settings, chosen).unwrap();
    let window = studio.launcher(&desktop, &[]).await;
    window.wait_for("primary", "data-action", "install", LIMIT).await;
    window.wait_for("news", "data-state", "fresh", LIMIT).await;
    let origin = studio.origin.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let asked = proxy.asked();
    assert!(asked.contains_key(&origin), "the repository: {asked:?}");
    assert!(asked.len() >= 2, "the news: {asked:?}");

    window.click("nav-settings").await;
    window.click("proxy-address").await;
    window.fill("[data-testid=\"proxy-value\"]", "ftp://nowhere").await;
    window.click("metered-ask").await;
    window.wait_for("proxy-value-invalid", "role", "alert", LIMIT).await;
    window.click("proxy-none").await;
    until("saved", async || window.invoke("settings").await["proxy"] == "none").await;
    // What was on its way may still come; then nothing more does, though the channel is read every five seconds.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = proxy.count();
    studio.publish("1.1");
    window.click("nav-game").await;
    window.wait_for("primary", "data-action", "install", LIMIT).await;
    window.click("primary").await;
    window.wait_for("version", "data-version", "1.1", LIMIT).await;
    assert_eq!(proxy.count(), before, "{:?}", proxy.asked());
    window.close().await;
}
