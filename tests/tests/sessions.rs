//! A session in the real window, when things go wrong around it: no secret store, a locked one, a provider that is down, a session
//! that was ended there. The game that is installed can be played every time.

use std::collections::BTreeSet;
use tests::{
    browser::Driven,
    desktop::Desktop,
    secrets::{issued, nowhere},
    studio::{LIMIT, Studio, sign_in, sign_in_elsewhere, until},
};

#[tokio::test]
async fn without_a_secret_store_it_is_kept_in_memory_and_said_so() {
    let mut studio = Studio::open();
    let desktop = Desktop::without_keys(&studio.path("player"));
    let window = studio.launcher(&desktop, &[("MUSTER_LOG", "trace")]).await;
    window.wait_for("primary", "data-action", "install", LIMIT).await;
    sign_in_elsewhere(&studio, &window).await;
    assert_eq!(window.invoke("account").await["kept"], "memory");
    window.click("account-menu").await;
    until("the menu says so", async || window.text().await.contains("until you close the launcher")).await;
    window.close().await;
    let tokens = issued(&mut studio);
    assert!(tokens.len() >= 3, "access, refresh and ID token: {}", tokens.len());
    nowhere(&tokens, &desktop, &BTreeSet::new());
    let window = studio.launcher(&desktop, &[]).await;
    window.wait_for("primary", "data-action", "install", LIMIT).await;
    assert_eq!(window.invoke("account").await["state"], "signed_out", "it was for that run");
    window.close().await;
}

#[tokio::test]
async fn a_locked_store_a_provider_that_is_down_and_a_session_that_was_ended() {
    let mut studio = Studio::open();
    let mut desktop = Desktop::start(&studio.path("player"));
    let window = studio.launcher(&desktop, &[]).await;
    window.wait_for("primary", "data-action", "install", LIMIT).await;
    sign_in(&studio, &window).await;
    window.click("primary").await;
    window.wait_for("primary", "data-action", "play", LIMIT).await;
    window.close().await;

    studio.stop_provider();
    let window = studio.launcher(&desktop, &[]).await;
    in_trouble(&window, "SIGN_IN_UNREACHABLE").await;
    window.close().await;

    studio.restart_provider();
    desktop.lock_keys();
    let window = studio.launcher(&desktop, &[]).await;
    in_trouble(&window, "SIGN_IN_LOCKED").await;
    window.close().await;

    desktop.unlock_again();
    let window = studio.launcher(&desktop, &[]).await;
    until("signed out", async || window.invoke("account").await["failure"]["code"] == "SIGN_IN_EXPIRED")
        .await;
    window.wait_for("primary", "data-action", "play", LIMIT).await;
    until("it is said", async || window.text().await.contains("You were signed out.")).await;
    std::fs::remove_file(studio.note()).unwrap();
    window.click("banner-account-action").await;
    until("the provider's page is opened", async || studio.note().exists()).await;
    window.close().await;
}

/// Whoever was signed in stays so by name, the menu says what is wrong, and the game can be played.
async fn in_trouble(window: &Driven, code: &str) {
    until(code, async || window.invoke("account").await["trouble"]["code"] == code).await;
    let account = window.invoke("account").await;
    assert_eq!((&account["state"], &account["name"]), (&"signed_in".into(), &"Ada".into()), "{account}");
    window.click("account-menu").await;
    window.wait_for("account-trouble", "data-code", code, LIMIT).await;
    window.wait_for("primary", "data-action", "play", LIMIT).await;
}
