//! Brands: the demo's two, as `muster brand check` judges them and as the real window wears them; and such as are refused.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::{fs, path::Path};
use tests::{
    desktop::Desktop,
    muster::{Outcome, Person, text},
    programs::root,
    studio::{LIMIT, SETTINGS, Studio},
};

fn checked(dir: &Path) -> Outcome {
    let home = tempfile::tempdir().unwrap();
    Person::at(home.path()).run(&["brand", "check", text(dir)])
}

fn codes(outcome: &Outcome) -> Vec<&str> {
    let findings = outcome.lines.iter().filter(|line| line["t"] == "finding");
    findings.map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[test]
fn both_brands_of_the_demo_can_be_shipped() {
    for (name, notes) in [("brand", &["BRAND_ART_2X"][..]), ("brand-tidewrack", &["BRAND_LOGO_MISSING"])] {
        let outcome = checked(&root().join("demo").join(name));
        assert_eq!((outcome.code, codes(&outcome).as_slice()), (0, notes), "{name}: {}", outcome.errors);
        assert_eq!(outcome.result()["bad"], false);
    }
}

#[test]
fn a_brand_that_players_could_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    let refused = |exit: i32, code: &str| {
        let outcome = checked(dir.path());
        assert_eq!(
            (outcome.code, outcome.result()["code"].as_str().unwrap()),
            (exit, code),
            "{}",
            outcome.errors
        );
    };
    refused(22, "BRAND_MISSING");
    write("brand.json", "{");
    refused(22, "BRAND_INVALID");
    let grey = r##"{ "id": "b", "name": "N", "game": "g", "title": "T", "accent": "#ff9d4d", "channels": ["live"],
        "colours": { "text": "#333333" } }"##;
    write("brand.json", grey);
    write("key-art.png", "no picture");
    let outcome = checked(dir.path());
    assert_eq!((outcome.code, &outcome.result()["bad"]), (30, &Value::Bool(true)));
    assert!(codes(&outcome).contains(&"BRAND_CONTRAST") && codes(&outcome).contains(&"BRAND_ART_BROKEN"));
    assert!(outcome.errors.contains("text #333333 on ground #080b11"), "{}", outcome.errors);
    write("words.de.json", r#"{ "button.play": "{jetzt" }"#);
    refused(22, "BRAND_WORDS");
    fs::write(dir.path().join("words.de.json"), vec![b' '; 1 << 20]).unwrap();
    refused(1, "BRAND_IO");
}

#[tokio::test]
async fn the_second_brand_dresses_the_real_window() {
    let studio = Studio::open();
    let desktop = Desktop::start(&studio.path("player"));
    let settings = desktop.home().join(SETTINGS);
    fs::create_dir_all(settings.parent().unwrap()).unwrap();
    fs::write(settings, r#"{"map_port":false,"welcomed":false}"#).unwrap();
    let brand = root().join("demo/brand-tidewrack");
    let window = studio.launcher(&desktop, &[("MUSTER_BRAND_DIR", text(&brand))]).await;
    window.wait_for("welcome", "data-step", "language", LIMIT).await;
    assert!(window.text().await.contains("on machines of your own"), "the licence is to be read first");
    let asked = |script: &str| {
        let (client, script) = (window.client.clone(), script.to_owned());
        async move { client.execute(&script, Vec::<Value>::new()).await.unwrap() }
    };
    assert_eq!(asked("return document.documentElement.dataset.scheme").await, "light");
    let ground =
        asked("return getComputedStyle(document.documentElement).getPropertyValue('--ground')").await;
    assert_eq!(ground, "#e9efec");
    let begun = window.invoke("settings").await;
    assert_eq!((begun["limit_up"].as_u64(), begun["sharing"].as_str()), (Some(200_000), Some("lan")));
    window.click("welcome-skip").await;
    window.wait_for("primary", "data-action", "play", LIMIT).await;
    assert!(window.text().await.contains("Set sail"), "in the studio's own words: {}", window.text().await);
    window.close().await;
}
