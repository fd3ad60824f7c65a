//! The lists against what CycloneDX 1.5 demands (bom-1.5.schema.json), and against what must and must not be in them.

use super::*;

const TARGET: &str = "x86_64-unknown-linux-gnu";

#[test]
fn every_list_is_what_the_format_demands() {
    for (package, program, has_window) in PROGRAMS {
        let list = list(package, program, has_window, TARGET).unwrap();
        assert_eq!(
            (&list["bomFormat"], &list["specVersion"], &list["version"]),
            (&json!("CycloneDX"), &json!("1.5"), &json!(1))
        );
        let top = &list["metadata"]["component"];
        assert_eq!((&top["type"], &top["name"]), (&json!("application"), &json!(program)));
        let components = list["components"].as_array().unwrap();
        let mut references: BTreeSet<&str> = components.iter().map(is_sound).collect();
        assert_eq!(references.len(), components.len(), "{program}: a bom-ref stands twice");
        references.insert(top["bom-ref"].as_str().unwrap());
        let dependencies = list["dependencies"].as_array().unwrap();
        let said: BTreeSet<&str> = dependencies.iter().map(|one| one["ref"].as_str().unwrap()).collect();
        assert_eq!(said, references, "{program}: each component says what it uses, once");
        assert_eq!(said.len(), dependencies.len());
        for used in dependencies.iter().flat_map(|one| one["dependsOn"].as_array().unwrap()) {
            assert!(references.contains(used.as_str().unwrap()), "{program}: {used} is no component");
        }
    }
}

/// Required fields and forms of a component; returns its reference.
fn is_sound(component: &Value) -> &str {
    let text = |field: &str| component[field].as_str().unwrap_or_default();
    assert_eq!(text("type"), "library");
    assert!(!text("name").is_empty() && !text("version").is_empty(), "{component}");
    let licence = &component["licenses"][0];
    let named = licence["expression"].as_str().or(licence["license"]["name"].as_str());
    assert!(named.is_some_and(|named| !named.is_empty()), "{component}");
    if text("group") != "muster" {
        let purl = text("purl");
        assert!(purl.starts_with("pkg:cargo/") || purl.starts_with("pkg:npm/"), "{purl}");
        assert!(purl.ends_with(&text("version").replace('+', "%2B")));
        let hash = &component["hashes"][0];
        let digits = if hash["alg"] == "SHA-256" { 64 } else { 128 };
        let content = hash["content"].as_str().unwrap();
        assert!(content.len() == digits && content.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    }
    text("bom-ref")
}

#[test]
fn a_list_holds_what_is_linked_and_nothing_else() {
    let names = |package, program, has_window, target| -> Vec<String> {
        let list = list(package, program, has_window, target).unwrap();
        list["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let command = names("cli", "muster", false, TARGET);
    let launcher = names("muster-launcher", "muster-launcher", true, TARGET);
    let windows = names("muster-launcher", "muster-launcher", true, "x86_64-pc-windows-msvc");
    let has = |list: &[String], name: &str| list.iter().any(|one| one == name);
    for (list, name) in [
        (&command, "rustls"),
        (&command, "zstd-sys"),
        (&command, "publisher"),
        (&launcher, "wry"),
        (&launcher, "svelte"),
        (&launcher, "@tauri-apps/api"),
        (&windows, "webview2-com"),
    ] {
        assert!(has(list, name), "{name} is linked");
    }
    // Macros, build programs, tests' crates, other systems' crates, another program's crates.
    for absent in
        ["serde_derive", "cc", "proptest", "proof", "libfuzzer-sys", "windows-sys", "tauri", "svelte"]
    {
        assert!(!has(&command, absent), "{absent} is not in the command");
    }
    for absent in ["publisher", "proof", "vite", "webview2-com", "tauri-build"] {
        assert!(!has(&launcher, absent), "{absent} is not in the launcher");
    }
}

#[test]
fn a_line_that_says_something_else_is_an_error() {
    for bad in ["x|a v1|MIT|", "0|a|MIT|", "0|a v1", "0|a v1||"] {
        assert!(Tree::read(bad).is_err(), "{bad}");
    }
    let tree =
        Tree::read("0|a v1 (/x)|MIT|\n1|b v2|MIT/Apache-2.0|\n2|c v3+4|MIT|\n1|c v3+4|MIT| (*)\n").unwrap();
    assert_eq!(tree.top, ("a".into(), "1".into()));
    assert_eq!(tree.uses[&tree.top].len(), 2);
    assert_eq!(reference(&("c".into(), "3+4".into()), &tree.ours), "pkg:cargo/c@3%2B4");
}
