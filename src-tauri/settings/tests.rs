//! The settings file: what is kept, what falls back, what is refused.

use super::*;
use serde_json::json;
use std::fs;

struct Case {
    _dir: tempfile::TempDir,
    path: PathBuf,
    defaults: Settings,
}

fn channels() -> Vec<String> {
    vec!["live".into(), "beta".into()]
}

impl Case {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config/settings.json");
        let defaults = Settings::default_for("live", &dir.path().join("game"));
        Self { path, defaults, _dir: dir }
    }

    fn load(&self) -> SettingsFile {
        SettingsFile::load(self.path.clone(), self.defaults.clone(), &channels())
    }
}

#[test]
fn defaults_without_a_file_share_little_and_only_while_downloading() {
    let case = Case::new();
    let file = case.load();
    assert_eq!(file.current().limit_up, Some(300_000));
    assert_eq!(file.current().sharing, SharingMode::WhileDownloading);
    assert!(!case.path.exists(), "reading writes nothing");
}

#[test]
fn the_first_run_comes_once_and_never_to_who_has_settings() {
    let case = Case::new();
    let mut file = case.load();
    assert!(!file.current().welcomed, "a new player");
    file.save(Settings { welcomed: true, ..case.defaults.clone() }).unwrap();
    assert!(case.load().current().welcomed);
    fs::write(&case.path, r#"{ "version": 1, "limit_up": 50000 }"#).unwrap();
    assert!(case.load().current().welcomed, "settings from before there was a first run");
}

#[test]
fn a_torn_file_falls_back_to_the_last_good_one_and_never_becomes_it() {
    let case = Case::new();
    let mut file = case.load();
    let good = Settings { limit_up: Some(50_000), ..case.defaults.clone() };
    file.save(good.clone()).unwrap();
    file.save(Settings { limit_up: Some(60_000), ..good.clone() }).unwrap();
    let whole = fs::read(&case.path).unwrap();
    fs::write(&case.path, &whole[..whole.len() / 2]).unwrap();

    let mut file = case.load();
    assert_eq!(file.current(), &good, "the copy before the torn one");
    file.save(Settings { limit_up: Some(70_000), ..good.clone() }).unwrap();
    fs::write(&case.path, b"").unwrap();
    assert_eq!(case.load().current(), &good, "the torn file did not push out the good copy");
}

#[test]
fn unknown_keys_survive_a_save() {
    let case = Case::new();
    fs::create_dir_all(case.path.parent().unwrap()).unwrap();
    let written = json!({ "version": 2, "limit_up": 40_000, "autostart": { "on": true } });
    fs::write(&case.path, written.to_string()).unwrap();
    let mut file = case.load();
    assert_eq!(file.current().limit_up, Some(40_000));
    let next = Settings { limit_down: Some(9_000_000), ..file.current().clone() };
    file.save(next).unwrap();
    let saved: Value = serde_json::from_slice(&fs::read(&case.path).unwrap()).unwrap();
    assert_eq!(saved["autostart"], json!({ "on": true }));
    assert_eq!(saved["limit_down"], json!(9_000_000));
}

#[test]
fn what_this_version_added_comes_through_an_older_one_and_back() {
    let case = Case::new();
    let chosen = Settings {
        launch_arguments: "--fps 60 \"two words\"".into(),
        after_start: AfterStart::Close,
        updates: Updates::Auto,
        metered: Metered::Pause,
        proxy: ProxyChoice::Address,
        proxy_address: "socks5://127.0.0.1:1080".into(),
        ..case.defaults.clone()
    };
    case.load().save(chosen.clone()).unwrap();
    assert_eq!(case.load().current(), &chosen);
    // A newer one's word for a choice that this one does not know costs only that choice.
    let mut newer: Value = serde_json::from_slice(&fs::read(&case.path).unwrap()).unwrap();
    newer["after_start"] = json!("shrink");
    newer["launch_arguments"] = json!("\"open");
    fs::write(&case.path, newer.to_string()).unwrap();
    let expected = Settings { after_start: AfterStart::Keep, launch_arguments: String::new(), ..chosen };
    assert_eq!(case.load().current(), &expected);
}

#[test]
fn one_bad_value_costs_only_itself() {
    let case = Case::new();
    fs::create_dir_all(case.path.parent().unwrap()).unwrap();
    let written = json!({
        "version": 1, "limit_up": 1, "limit_down": "fast", "sharing": "always",
        "channel": "nightly", "dir": "relative/path", "language": "de"
    });
    fs::write(&case.path, written.to_string()).unwrap();
    let expected = Settings { language: Language::De, welcomed: true, ..case.defaults.clone() };
    assert_eq!(case.load().current(), &expected);
}

fn night(up: Option<u64>) -> Window {
    let limits = engine::snapshot::Limits { up, down: None };
    Window {
        days: [true; 7],
        from_minute: 23 * 60,
        to_minute: 6 * 60,
        limits,
        sharing: true,
        no_downloads: false,
    }
}

#[test]
fn a_schedule_and_a_budget_are_kept() {
    let case = Case::new();
    let mut file = case.load();
    let chosen = Settings {
        schedule: vec![night(Some(50_000)), night(None)],
        month_upload: Some(20_000_000_000),
        limit_up_idle: Some(9_000),
        limit_lan: true,
        map_port: false,
        ..case.defaults.clone()
    };
    file.save(chosen.clone()).unwrap();
    assert_eq!(case.load().current(), &chosen);
}

#[test]
fn what_the_window_may_not_save() {
    let case = Case::new();
    let ok = case.defaults.clone();
    assert!(ok.check(&channels()).is_ok());
    let bad = [
        Settings { version: 2, ..ok.clone() },
        Settings { limit_up: Some(0), ..ok.clone() },
        Settings { limit_down: Some(4_095), ..ok.clone() },
        Settings { limit_up_idle: Some(0), ..ok.clone() },
        Settings { month_upload: Some(999_999), ..ok.clone() },
        Settings { schedule: vec![Window::default()], ..ok.clone() },
        Settings { schedule: vec![night(Some(1))], ..ok.clone() },
        Settings { schedule: vec![night(None); 15], ..ok.clone() },
        Settings { channel: "../live".into(), ..ok.clone() },
        Settings { channel: "nightly".into(), ..ok.clone() },
        Settings { dir: "game".into(), ..ok.clone() },
        Settings { dir: format!("{}\0", ok.dir), ..ok.clone() },
    ];
    for line in ["\"open", "a\nb", &"x".repeat(5_000)] {
        let settings = Settings { launch_arguments: line.to_owned(), ..ok.clone() };
        assert_eq!(settings.check(&channels()).unwrap_err().code, "SETTINGS_ARGUMENTS");
    }
    for address in ["", "no port:", "http://ann:secret@proxy:3128", &"x".repeat(600)] {
        let settings =
            Settings { proxy: ProxyChoice::Address, proxy_address: address.to_owned(), ..ok.clone() };
        assert_eq!(settings.check(&channels()).unwrap_err().code, "SETTINGS_PROXY", "{address}");
    }
    for settings in bad {
        let refused = settings.check(&channels()).unwrap_err();
        assert_eq!(refused.code, "SETTINGS_INVALID", "{settings:?}");
    }
}
