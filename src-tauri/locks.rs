//! The window's locks, as a test: it fails when the content policy, the capabilities or the navigation rules are loosened, or when a
//! plugin that reaches the disk, the network or other programs is let in. Whoever means to loosen one changes this file too.

use serde_json::Value;
use std::{collections::BTreeSet, fs, path::PathBuf};

/// Everything the window may do, by name.
const PERMISSIONS: [&str; 15] = [
    "allow-account",
    "allow-act",
    "allow-brand",
    "allow-cancel-sign-in",
    "allow-news",
    "allow-open-folder",
    "allow-open-news",
    "allow-pick-folder",
    "allow-save-settings",
    "allow-settings",
    "allow-sign-in",
    "allow-sign-out",
    "allow-snapshot",
    "core:event:allow-listen",
    "core:event:allow-unlisten",
];

/// The content policy, directive by directive.
const POLICY: [(&str, &str); 10] = [
    ("base-uri", "'none'"),
    ("connect-src", "ipc: http://ipc.localhost"),
    ("default-src", "'self'"),
    ("font-src", "'self'"),
    ("form-action", "'none'"),
    ("frame-src", "'none'"),
    ("img-src", "'self' muster: http://muster.localhost"),
    ("object-src", "'none'"),
    ("script-src", "'self'"),
    ("style-src", "'self'"),
];

fn read(path: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn config() -> Value {
    serde_json::from_str(&read("tauri.conf.json")).unwrap()
}

#[test]
fn the_content_policy_is_this_strict() {
    let config = config();
    let security = &config["app"]["security"];
    let policy = security["csp"].as_str().unwrap();
    let mut directives: Vec<_> =
        policy.split(';').map(|directive| directive.trim().split_once(' ').unwrap()).collect();
    directives.sort_unstable();
    assert_eq!(directives, POLICY);
    assert!(security["devCsp"].is_null() || security["devCsp"] == security["csp"]);
    assert!(security["dangerousDisableAssetCspModification"].is_null());
}

#[test]
fn the_window_has_no_open_doors() {
    let config = config();
    let app = &config["app"];
    assert_eq!(app["withGlobalTauri"], Value::Bool(false));
    assert_eq!(app["security"]["freezePrototype"], Value::Bool(true));
    assert!(app["security"]["assetProtocol"].is_null(), "no files by path");
    assert!(config["plugins"].is_null(), "no plugin is configured for the window");
    assert!(config["build"]["devUrl"].is_null(), "the page is the built-in one");
    let windows = app["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 1);
    assert_eq!(windows[0]["create"], Value::Bool(false), "built in Rust, with its locks");
    assert!(windows[0]["url"].is_null() && windows[0]["devtools"].is_null());
}

#[test]
fn one_capability_with_these_permissions_for_one_window() {
    let config = config();
    assert_eq!(config["app"]["security"]["capabilities"], serde_json::json!(["main"]));
    let capability: Value = serde_json::from_str(&read("src-tauri/capabilities/main.json")).unwrap();
    let keys: Vec<_> = capability.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["description", "identifier", "permissions", "windows"], "no remote page, no platform");
    assert_eq!(capability["windows"], serde_json::json!(["main"]));
    let mut permissions: Vec<_> =
        capability["permissions"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    permissions.sort_unstable();
    assert_eq!(permissions, PERMISSIONS);
    let files =
        fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src-tauri/capabilities")).unwrap();
    assert_eq!(files.count(), 1);
}

#[test]
fn every_command_is_a_permission_and_the_other_way_round() {
    let handler = read("src-tauri/app.rs");
    let listed = handler.split("generate_handler![").nth(1).unwrap().split(']').next().unwrap();
    let commands: BTreeSet<String> = listed
        .split(',')
        .filter_map(|path| path.trim().strip_prefix("commands::"))
        .map(|name| format!("allow-{}", name.replace('_', "-")))
        .collect();
    let allowed = PERMISSIONS.iter().filter(|name| name.starts_with("allow-")).map(|name| (*name).to_owned());
    assert_eq!(commands, allowed.collect());
}

#[test]
fn navigation_new_windows_and_developer_tools_are_locked_in_rust() {
    let app = read("src-tauri/app.rs");
    for lock in [
        ".on_navigation(webview::may_navigate)",
        "NewWindowResponse::Deny",
        ".devtools(cfg!(debug_assertions))",
    ] {
        assert!(app.contains(lock), "{lock}");
    }
    let first = app.find(".plugin(").unwrap();
    assert!(
        app[first..].starts_with(".plugin(tauri_plugin_single_instance"),
        "the single instance comes first"
    );
}

#[test]
fn no_plugin_that_reaches_further() {
    let manifest = read("Cargo.toml");
    for plugin in ["fs", "shell", "http", "process", "opener", "upload", "websocket", "sql", "store"] {
        assert!(!manifest.contains(&format!("tauri-plugin-{plugin}")), "{plugin}");
    }
    let tauri = manifest.lines().find(|line| line.starts_with("tauri = ")).unwrap();
    for feature in ["devtools", "protocol-asset", "isolation", "unstable"] {
        assert!(!tauri.contains(feature), "{feature}");
    }
}
