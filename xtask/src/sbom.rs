//! `cargo xtask sbom`: what each shipped program is made of, as CycloneDX 1.5, to be published beside the programs.
//!
//! A program's list holds what is linked into it and nothing else: cargo resolves it for that program alone, on one target,
//! without build programs, macros and what only tests need; the launcher's also has the npm packages in its window. Hashes are
//! those of the lock files, so a list can be made again from a tag and comes out the same, byte for byte.

mod npm;

use crate::{
    failure::{AtPath as _, Failure},
    place,
    process::{capture, cargo, command},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// What is shipped: package, program, and whether a window is in it.
const PROGRAMS: [(&str, &str, bool); 2] =
    [("cli", "muster", false), ("muster-launcher", "muster-launcher", true)];

/// A crate as `cargo tree` names it.
type Crate = (String, String);

/// `cargo xtask sbom [--target TRIPLE]`: a file for each program.
pub(crate) fn command_line(words: &[&str]) -> Result<(), Failure> {
    let target = match words {
        [] => host()?,
        ["--target", target] => (*target).to_owned(),
        _ => return Err(Failure::Usage),
    };
    for (package, program, has_window) in PROGRAMS {
        let list = list(package, program, has_window, &target)?;
        let version = list["metadata"]["component"]["version"].as_str().unwrap_or_default().to_owned();
        let path = folder()?.join(format!("{program}-{version}-{target}.cdx.json"));
        let text = serde_json::to_string_pretty(&list).map_err(|error| unexpected(&error.to_string()))?;
        std::fs::write(&path, text + "\n").at(&path)?;
        println!("{}: {} components", path.display(), list["components"].as_array().map_or(0, Vec::len));
    }
    Ok(())
}

fn folder() -> Result<PathBuf, Failure> {
    let dir = place::target().join("sbom");
    std::fs::create_dir_all(&dir).at(&dir)?;
    Ok(dir)
}

/// The document for one program on one target.
fn list(package: &str, program: &str, has_window: bool, target: &str) -> Result<Value, Failure> {
    let tree = Tree::of(package, target)?;
    let checksums = checksums()?;
    let mut components = Vec::new();
    for (one, licence) in &tree.licences {
        if *one != tree.top {
            components.push(component(one, licence, checksums.get(one), &tree.ours)?);
        }
    }
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (one, uses) in &tree.uses {
        let used = uses.iter().map(|used| reference(used, &tree.ours));
        graph.entry(reference(one, &tree.ours)).or_default().extend(used);
    }
    if has_window {
        let top = graph.entry(reference(&tree.top, &tree.ours)).or_default();
        for package in npm::components()? {
            top.insert(package["bom-ref"].as_str().unwrap_or_default().to_owned());
            components.push(package);
        }
    }
    let known: Vec<String> =
        components.iter().filter_map(|one| one["bom-ref"].as_str().map(str::to_owned)).collect();
    for one in known {
        graph.entry(one).or_default();
    }
    let dependencies: Vec<Value> =
        graph.into_iter().map(|(one, uses)| json!({ "ref": one, "dependsOn": uses })).collect();
    let licence = tree.licences.get(&tree.top).cloned().unwrap_or_default();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": reference(&tree.top, &tree.ours),
                "group": "muster",
                "name": program,
                "version": tree.top.1,
                "licenses": [{ "expression": licence }],
            },
            "properties": [
                { "name": "cdx:rustc:sbom:target:triple", "value": target },
                { "name": "muster:rustc", "value": rustc()? },
            ],
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

fn component(
    one: &Crate,
    licence: &str,
    checksum: Option<&String>,
    ours: &BTreeSet<Crate>,
) -> Result<Value, Failure> {
    let (name, version) = one;
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(one, ours),
        "name": name,
        "version": version,
        "licenses": [{ "expression": licence }],
        "scope": "required",
    });
    if ours.contains(one) {
        // No package URL: crates of the registry bear some of the same names.
        component["group"] = json!("muster");
    } else {
        let checksum =
            checksum.ok_or_else(|| unexpected(&format!("{name} {version} has no hash in Cargo.lock")))?;
        component["purl"] = json!(reference(one, ours));
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    Ok(component)
}

fn reference((name, version): &Crate, ours: &BTreeSet<Crate>) -> String {
    let from = if ours.contains(&(name.clone(), version.clone())) { "muster/" } else { "pkg:cargo/" };
    // The one character of versions that package URLs escape.
    format!("{from}{name}@{}", version.replace('+', "%2B"))
}

/// What `cargo tree` says of one package.
#[derive(Debug, Default)]
struct Tree {
    top: Crate,
    ours: BTreeSet<Crate>,
    licences: BTreeMap<Crate, String>,
    uses: BTreeMap<Crate, BTreeSet<Crate>>,
}

impl Tree {
    fn of(package: &str, target: &str) -> Result<Self, Failure> {
        let mut tree = cargo(&["tree", "--locked", "--package", package, "--target", target]);
        tree.args(["--edges", "normal,no-proc-macro", "--prefix", "depth", "--format", "|{p}|{l}|"]);
        Self::read(&capture(&mut tree)?)
    }

    /// Lines such as `2|serde v1.0.229|MIT OR Apache-2.0|`, each below the nearest line before it with a lesser depth.
    fn read(text: &str) -> Result<Self, Failure> {
        let (mut tree, mut open) = (Self::default(), Vec::<Crate>::new());
        for line in text.lines().filter(|line| !line.is_empty()) {
            let not_read = || unexpected(&format!("a line of cargo tree: {line}"));
            let mut parts = line.split('|');
            let (Some(depth), Some(named), Some(licence)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(not_read());
            };
            let depth: usize = depth.parse().map_err(|_| not_read())?;
            let mut words = named.split(' ');
            let (name, version) = words.next().zip(words.next()).ok_or_else(not_read)?;
            let one = (name.to_owned(), version.trim_start_matches('v').to_owned());
            if named.contains('(') {
                tree.ours.insert(one.clone());
            }
            if licence.is_empty() {
                return Err(unexpected(&format!("{name} names no licence")));
            }
            tree.licences.insert(one.clone(), licence.replace('/', " OR "));
            open.truncate(depth);
            if let Some(user) = open.last() {
                tree.uses.entry(user.clone()).or_default().insert(one.clone());
            } else {
                tree.top = one.clone();
            }
            open.push(one);
        }
        Ok(tree)
    }
}

/// Hashes of the registry's crates, as the lock file has them.
fn checksums() -> Result<BTreeMap<Crate, String>, Failure> {
    let path = place::root().join("Cargo.lock");
    let text = std::fs::read_to_string(&path).at(&path)?;
    let mut sums = BTreeMap::new();
    for package in text.split("[[package]]").skip(1) {
        let field = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
            line.and_then(|rest| rest.strip_suffix('"')).map(str::to_owned)
        };
        if let (Some(name), Some(version), Some(checksum)) =
            (field("name"), field("version"), field("checksum"))
        {
            sums.insert((name, version), checksum);
        }
    }
    Ok(sums)
}

fn host() -> Result<String, Failure> {
    let text = capture(command("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| unexpected("rustc names no host"))
}

fn rustc() -> Result<String, Failure> {
    Ok(capture(command("rustc").arg("-V"))?.trim().to_owned())
}

fn unexpected(what: &str) -> Failure {
    Failure::Unexpected { what: what.to_owned() }
}

#[cfg(test)]
mod tests;
