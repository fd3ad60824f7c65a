//! What keeps the window locked, read from where it is written down: content policy, capabilities, permissions, plugins, the page
//! itself (U1, U2 of the threat model). Each rule is shown to fail when what it guards is loosened.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path};
use tests::programs::root;

/// The content policy, directive by directive. Whoever changes it changes it here too, and says why.
const POLICY: [(&str, &[&str]); 10] = [
    ("default-src", &["'self'"]),
    ("script-src", &["'self'"]),
    ("style-src", &["'self'"]),
    ("img-src", &["'self'", "muster:", "http://muster.localhost"]),
    ("font-src", &["'self'"]),
    ("connect-src", &["ipc:", "http://ipc.localhost"]),
    ("object-src", &["'none'"]),
    ("frame-src", &["'none'"]),
    ("base-uri", &["'none'"]),
    ("form-action", &["'none'"]),
];
/// The launcher's own commands, all that a page can call.
const COMMANDS: [&str; 20] = [
    "snapshot",
    "act",
    "settings",
    "save_settings",
    "pick_folder",
    "look_at_folder",
    "open_folder",
    "account",
    "sign_in",
    "sign_in_elsewhere",
    "cancel_sign_in",
    "sign_out",
    "news",
    "open_news",
    "brand",
    "open_link",
    "check_network",
    "support_report",
    "save_report",
    "open_logs",
];
/// What stands in the code that makes the window.
const LOCKS: [&str; 4] = [
    ".on_navigation(webview::may_navigate)",
    "NewWindowResponse::Deny",
    ".devtools(cfg!(debug_assertions))",
    // The first of the plugins, or a second start would do something before it is noticed.
    "::default()\n        .plugin(tauri_plugin_single_instance::init(",
];
/// Beside the launcher's own commands the window may hear events, and nothing else.
const CORE_PERMISSIONS: [&str; 2] = ["core:event:allow-listen", "core:event:allow-unlisten"];
/// The plugins that are compiled in; a folder dialog and a second start are no doors into the system.
const PLUGINS: [&str; 2] = ["tauri-plugin-dialog", "tauri-plugin-single-instance"];
/// Features of Tauri that would open something: its own tools in a release, files by their paths, a server of its own.
const FEATURES_REFUSED: [&str; 6] =
    ["devtools", "protocol-asset", "localhost", "macos-private-api", "native-tls", "unstable"];
/// Ways in which a page makes markup or code out of text.
const UNSAFE_PAGE: [&str; 9] = [
    "{@html",
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "eval(",
    "new Function",
    "<iframe",
    "javascript:",
];

/// All that the rules look at.
#[derive(Clone)]
struct House {
    config: Value,
    capabilities: Vec<Value>,
    permissions: String,
    handlers: BTreeSet<String>,
    maker: String,
    features: BTreeSet<String>,
    plugins: BTreeSet<String>,
    page: String,
    sources: Vec<(String, String)>,
}

impl House {
    fn read() -> Self {
        let root = root();
        let folder = root.join("src-tauri/capabilities");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let manifest = text(&root.join("Cargo.toml"));
        let maker = text(&root.join("src-tauri/app.rs"));
        Self {
            config: json_file(&root.join("tauri.conf.json")),
            capabilities: files.map(|path| json_file(&path)).collect(),
            permissions: text(&root.join("src-tauri/permissions/commands.toml")),
            handlers: handlers(&maker),
            maker,
            features: features(&manifest),
            plugins: words_that_begin(&manifest, "tauri-plugin-"),
            page: text(&root.join("ui/index.html")),
            sources: page_sources(&root.join("ui/src")),
        }
    }

    /// What stands wrong, a sentence each.
    fn faults(&self) -> Vec<String> {
        [
            self.policy(),
            self.settings(),
            self.doors(),
            self.commands(),
            self.what_is_compiled_in(),
            self.markup(),
        ]
        .concat()
    }

    fn policy(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let security = &self.config["app"]["security"];
        let Some(policy) = security["csp"].as_str() else { return vec!["no content policy".into()] };
        let said: Vec<(String, BTreeSet<&str>)> = policy
            .split(';')
            .map(|directive| {
                let mut words = directive.split_whitespace();
                (words.next().unwrap_or_default().to_owned(), words.collect())
            })
            .collect();
        for (name, sources) in POLICY {
            let wanted: BTreeSet<&str> = sources.iter().copied().collect();
            let found: Vec<_> = said.iter().filter(|(said, _)| said == name).collect();
            if found.len() != 1 || found[0].1 != wanted {
                faults.push(format!("{name} is {found:?}"));
            }
        }
        if said.len() != POLICY.len() {
            faults.push(format!("{} directives", said.len()));
        }
        for loose in ["devCsp", "dangerousDisableAssetCspModification", "assetProtocol", "headers"] {
            if !security[loose].is_null() {
                faults.push(format!("{loose} is set"));
            }
        }
        faults
    }

    fn settings(&self) -> Vec<String> {
        let app = &self.config["app"];
        let mut faults = Vec::new();
        if app["security"]["freezePrototype"] != true {
            faults.push("prototypes can be changed".into());
        }
        if app["withGlobalTauri"] != false {
            faults.push("the interface is a global of the page".into());
        }
        if app["security"]["capabilities"] != json!(["main"]) {
            faults.push("capabilities are not listed by name".into());
        }
        let windows = app["windows"].as_array().map_or(&[][..], Vec::as_slice);
        if windows.len() != 1 || windows[0]["create"] != false {
            faults.push("the one window is not made by us, where its navigation is locked".into());
        }
        let loose =
            ["url", "devtools", "additionalBrowserArgs", "dragDropEnabled", "proxyUrl", "dataDirectory"];
        for key in loose.into_iter().filter(|key| windows.iter().any(|window| !window[key].is_null())) {
            faults.push(format!("the window's {key} is set"));
        }
        if !self.config["build"]["devUrl"].is_null() || !self.config["plugins"].is_null() {
            faults.push("a page from a server, or a plugin's settings".into());
        }
        faults
    }

    fn doors(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let [main] = &self.capabilities[..] else { return vec!["not one capability file".into()] };
        if main["identifier"] != "main" || main["windows"] != json!(["main"]) {
            faults.push("a capability of more than the one window".into());
        }
        for key in ["remote", "webviews", "platforms", "local"] {
            if !main[key].is_null() {
                faults.push(format!("the capability's {key} is set"));
            }
        }
        let given = main["permissions"].as_array().cloned().unwrap_or_default();
        let given: BTreeSet<String> =
            given.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect();
        let own = self.handlers.iter().map(|name| format!("allow-{}", name.replace('_', "-")));
        let wanted: BTreeSet<String> = own.chain(CORE_PERMISSIONS.map(str::to_owned)).collect();
        faults.extend(given.symmetric_difference(&wanted).map(|one| format!("permission {one}")));
        faults
    }

    fn commands(&self) -> Vec<String> {
        let parsed: Vec<&str> = self.permissions.split("commands.allow = [").skip(1).collect();
        let allowed: BTreeSet<String> = parsed
            .iter()
            .flat_map(|rest| rest.split(']').next().unwrap_or_default().split(','))
            .map(|name| name.trim().trim_matches('"').to_owned())
            .collect();
        let known: BTreeSet<String> = COMMANDS.map(str::to_owned).into();
        let unlisted = allowed.symmetric_difference(&self.handlers);
        let new = known.symmetric_difference(&self.handlers);
        let open =
            LOCKS.iter().filter(|lock| !self.maker.contains(*lock)).map(|lock| format!("not there: {lock}"));
        unlisted.chain(new).map(|name| format!("command {name}")).chain(open).collect()
    }

    fn what_is_compiled_in(&self) -> Vec<String> {
        let wanted: BTreeSet<String> = PLUGINS.map(str::to_owned).into();
        let plugins = self.plugins.symmetric_difference(&wanted).map(|one| format!("plugin {one}"));
        let refused = self.features.iter().filter(|one| FEATURES_REFUSED.contains(&one.as_str()));
        plugins.chain(refused.map(|one| format!("Tauri's feature {one}"))).collect()
    }

    fn markup(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.page.matches("<script").count()
            != self.page.matches("<script type=\"module\" src=\"/").count()
        {
            faults.push("the page has a script inside it, or from elsewhere".into());
        }
        if self.page.contains("<style")
            || self.page.contains("style=\"")
            || self.page.contains(" on") && has_handler(&self.page)
        {
            faults.push("the page has a style or a handler inside it".into());
        }
        for (name, source) in &self.sources {
            faults.extend(
                UNSAFE_PAGE.iter().filter(|bad| source.contains(*bad)).map(|bad| format!("{name}: {bad}")),
            );
        }
        faults
    }
}

#[test]
fn the_window_is_locked() {
    let house = House::read();
    assert_eq!(house.faults(), [] as [&str; 0]);
    assert!(house.handlers.len() > 10 && house.sources.len() > 20, "the rules looked at what there is");
}

/// A way to open something.
type Loosen = fn(&mut House);

#[test]
fn whatever_is_loosened_is_seen() {
    let whole = House::read();
    let loosened: [(&str, Loosen); 24] = [
        ("unsafe-inline", |house| {
            replace(&mut house.config, "script-src 'self'", "script-src 'self' 'unsafe-inline'")
        }),
        ("unsafe-eval", |house| {
            replace(&mut house.config, "script-src 'self'", "script-src 'self' 'unsafe-eval'")
        }),
        ("pictures from anywhere", |house| replace(&mut house.config, "img-src 'self'", "img-src *")),
        ("inline styles", |house| {
            replace(&mut house.config, "style-src 'self'", "style-src 'self' 'unsafe-inline'")
        }),
        ("talking to the network", |house| {
            replace(&mut house.config, "connect-src ipc:", "connect-src https: ipc:")
        }),
        ("frames", |house| replace(&mut house.config, "frame-src 'none'; ", "")),
        ("a directive twice", |house| {
            replace(&mut house.config, "form-action 'none'", "form-action 'none'; script-src *")
        }),
        ("no policy", |house| house.config["app"]["security"]["csp"] = Value::Null),
        ("another policy while developing", |house| {
            house.config["app"]["security"]["devCsp"] = json!("default-src *")
        }),
        ("no hashes of our own scripts", |house| {
            house.config["app"]["security"]["dangerousDisableAssetCspModification"] = json!(true);
        }),
        ("files by their paths", |house| {
            house.config["app"]["security"]["assetProtocol"] = json!({ "enable": true })
        }),
        ("prototypes", |house| house.config["app"]["security"]["freezePrototype"] = json!(false)),
        ("a global interface", |house| house.config["app"]["withGlobalTauri"] = json!(true)),
        ("every capability file", |house| house.config["app"]["security"]["capabilities"] = json!([])),
        ("a window made before it is locked", |house| {
            house.config["app"]["windows"][0]["create"] = json!(true)
        }),
        ("a page from a server", |house| {
            house.config["app"]["windows"][0]["url"] = json!("https://studio.example")
        }),
        ("pages from outside may call", |house| {
            house.capabilities[0]["remote"] = json!({ "urls": ["https://studio.example"] });
        }),
        ("one permission more", |house| {
            house.capabilities[0]["permissions"]
                .as_array_mut()
                .unwrap()
                .push(json!("core:window:allow-create"));
        }),
        ("a second capability", |house| house.capabilities.push(json!({ "identifier": "more" }))),
        ("a plugin that starts programs", |house| {
            house.plugins.insert("tauri-plugin-shell".into());
        }),
        ("a command that nobody thought about", |house| {
            house.handlers.insert("run".into());
            house.permissions.push_str("commands.allow = [\"run\"]");
            house.capabilities[0]["permissions"].as_array_mut().unwrap().push(json!("allow-run"));
        }),
        ("navigation", |house| {
            house.maker = house.maker.replace(".on_navigation(webview::may_navigate)", "")
        }),
        ("its tools in a release", |house| {
            house.features.insert("devtools".into());
        }),
        ("text that becomes markup", |house| house.sources.push(("news".into(), "{@html item.body}".into()))),
    ];
    for (what, loosen) in loosened {
        let mut house = whole.clone();
        loosen(&mut house);
        assert!(!house.faults().is_empty(), "{what} would not be seen");
    }
}

/// Changes the content policy, which must hold what is replaced.
fn replace(config: &mut Value, from: &str, to: &str) {
    let policy = config["app"]["security"]["csp"].as_str().unwrap();
    assert!(policy.contains(from), "{from}");
    config["app"]["security"]["csp"] = json!(policy.replace(from, to));
}

fn has_handler(page: &str) -> bool {
    page.split(" on").skip(1).any(|rest| {
        rest.split(['=', ' ', '>']).next().is_some_and(|name| rest[name.len()..].starts_with('='))
    })
}

/// The commands that the program answers.
fn handlers(app: &str) -> BTreeSet<String> {
    let list = app.split("generate_handler![").nth(1).unwrap().split(']').next().unwrap();
    // Whatever module it stands in.
    let names = list.split(',').map(|path| path.trim().rsplit("::").next().unwrap_or_default());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The features of Tauri that the launcher asks for.
fn features(manifest: &str) -> BTreeSet<String> {
    let line = manifest.lines().find(|line| line.starts_with("tauri = ")).unwrap();
    let list = line.split("features = [").nth(1).unwrap().split(']').next().unwrap();
    list.split(',').map(|name| name.trim().trim_matches('"').to_owned()).collect()
}

fn words_that_begin(text: &str, start: &str) -> BTreeSet<String> {
    let words = text.lines().filter_map(|line| line.split([' ', '=', '.']).next());
    words.filter(|word| word.starts_with(start)).map(str::to_owned).collect()
}

/// The sources of the page that is shipped; what only tests use is left out.
fn page_sources(dir: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() {
                open.push(path);
            } else if [".svelte", ".ts"].iter().any(|ending| name.ends_with(ending))
                && !name.contains(".test.")
            {
                found.push((name, text(&path)));
            }
        }
    }
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json_file(path: &Path) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
