//! The help section of the real window: a check of the surroundings, and a report that holds no secret.

use serde_json::Value;
use std::fs;
use tests::{
    desktop::Desktop,
    muster::text,
    studio::{LIMIT, Studio, until},
};

#[tokio::test]
async fn a_check_and_a_report_of_the_real_window() {
    let studio = Studio::open();
    let desktop = Desktop::start(&studio.path("player"));
    // As talkative as can be: what any library says goes through the same hands.
    let window = studio.launcher(&desktop, &[("MUSTER_LOG", "trace")]).await;
    window.click("nav-settings").await;
    window.click("check-network").await;
    // Whether players can connect is never known on loopback.
    window.wait_for("diagnosis", "data-verdict", "note", LIMIT).await;
    let found = window.invoke("check_network").await;
    for (check, code) in [
        ("origin", "ORIGIN_ANSWERS"),
        ("repository", "REPOSITORY_TRUSTED"),
        ("clock", "CLOCK_RIGHT"),
        ("tracker", "TRACKER_ANSWERS"),
        ("folder", "FOLDER_FINE"),
    ] {
        let all = found["findings"].as_array().unwrap();
        assert!(all.iter().any(|one| one["check"] == check && one["code"] == code), "{check}: {found:#}");
    }

    window.click("report-show").await;
    let shown = async || {
        let script = "return document.querySelector('[data-testid=report]')?.value ?? ''";
        window
            .client
            .execute(script, Vec::<Value>::new())
            .await
            .unwrap()
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    until("the report is shown", async || shown().await.contains("== Log ==")).await;
    let report = shown().await;
    for part in ["== System ==", "\"kind\": \"not_installed\"", "\"map_port\": false", "answers as it should"]
    {
        assert!(report.contains(part), "{part} is not in:\n{report}");
    }
    let home = text(desktop.home());
    assert!(!report.contains(home), "the home folder has a name");
    assert!(report.contains("the launcher starts"), "the log is in it");
    window.click("part-log").await;
    until("the log is left out", async || !shown().await.contains("== Log ==")).await;
    assert!(shown().await.contains("== Settings =="));
    window.close().await;

    let log =
        fs::read_to_string(desktop.home().join(".local/state/muster/emberfall/logs/launcher.log")).unwrap();
    assert!(!log.contains(home), "nor does the log say it");
}
