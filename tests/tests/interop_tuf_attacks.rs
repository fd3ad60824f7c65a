//! The attack matrix of TUF, played to our client and to python-tuf from the very same folders: both must come to the
//! same verdict for the same reason, and where both accept they must see the same targets.
//!
//! The attacks are in `interop/tuf_cases.py`. A step that says how the two differ on purpose is checked, not counted.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tests::programs;
use trust::{Client, Error, FetchError, FolderTransport, LoadRequest, Transport};

/// No target of the matrix is larger.
const TARGET_BYTES_MAX: u64 = 1 << 20;

#[tokio::test]
async fn the_attack_matrix_has_the_verdicts_of_python_tuf() {
    let base = tempfile::tempdir().unwrap();
    let (mut equal, mut compared, mut wrong) = (0, 0, Vec::new());
    for case in cases(base.path()) {
        let name = case["name"].as_str().unwrap();
        assert_eq!(case["outside"], json!([]), "{name} wrote outside of its folder");
        for (number, step) in case["steps"].as_array().unwrap().iter().enumerate() {
            let ours = load(&case, step).await;
            let theirs = &step["python"];
            let what = format!("{name}, load {}: ours {ours}, python-tuf {theirs}", number + 1);
            if ours["verdict"] != step["right"] {
                wrong.push(format!("{what}; right is {}", step["right"]));
            }
            if let Some(why) = step["differs"].as_str() {
                println!("{what}; on purpose: {why}");
                continue;
            }
            compared += 1;
            let same = ["verdict", "root", "targets"].iter().all(|key| ours[*key] == theirs[*key]);
            equal += u64::from(same);
            if !same {
                wrong.push(what);
            }
        }
    }
    proof::count(proof::Line::TufVerdicts, equal, compared);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(compared >= 60, "only {compared} loads were compared");
    assert!(evil(base.path()).is_empty(), "something was written by a target's name");
}

/// Lets python make every repository and read it; a line each.
fn cases(base: &Path) -> Vec<Value> {
    let output = programs::script("tuf_matrix.py").arg(base.join("cases")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// One load by our client, whose state stays in the case's folder.
async fn load(case: &Value, step: &Value) -> Value {
    let state_dir = PathBuf::from(case["folder"].as_str().unwrap()).join("our-state");
    if step["tear"] == true {
        let file = state_dir.join("trusted.json");
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..40]).unwrap();
    }
    let installed = state_dir.exists();
    let root = fs::read(case["root"].as_str().unwrap()).unwrap();
    let now: DateTime<Utc> = step["now"].as_str().unwrap().parse().unwrap();
    let request = LoadRequest { trusted_root: &root, state_dir: &state_dir, now, built_at: None, installed };
    match read(Folder::of(step), request, &step["targets"]).await {
        Err(error) => json!({ "verdict": error.code(), "words": error.to_string() }),
        Ok(client) => {
            said(step, &client);
            let targets: BTreeMap<&str, String> = client
                .target_names()
                .map(|name| {
                    (name, client.entry(name).unwrap().sha256.iter().map(|b| format!("{b:02x}")).collect())
                })
                .collect();
            json!({ "verdict": "OK", "root": client.root_version(), "targets": targets })
        }
    }
}

async fn read(folder: Folder, request: LoadRequest<'_>, targets: &Value) -> Result<Client, Error> {
    let client = Client::load(Arc::new(folder), request).await?;
    for name in targets.as_array().unwrap() {
        client.target(name.as_str().unwrap(), TARGET_BYTES_MAX).await?;
    }
    Ok(client)
}

/// What must be said although the repository is believed.
fn said(step: &Value, client: &Client) {
    let codes: Vec<&str> = client.warnings().iter().map(trust::Warning::code).collect();
    let fault = step["faults"]["metadata/2.root.json"].as_str();
    if fault.is_some_and(|fault| !["403", "404"].contains(&fault)) {
        assert!(codes.contains(&"ROOT_UNCHECKED"), "{codes:?}");
    }
    if step["tear"] == true {
        assert!(codes.contains(&"TRUST_STATE_MISSING"), "{codes:?}");
    }
}

/// Serves a folder, but for the paths at which it was told to fail.
#[derive(Debug)]
struct Folder {
    files: FolderTransport,
    faults: BTreeMap<String, String>,
}

impl Folder {
    fn of(step: &Value) -> Self {
        let faults = serde_json::from_value(step["faults"].clone()).unwrap();
        Self { files: FolderTransport::new(step["repo"].as_str().unwrap()), faults }
    }
}

#[async_trait]
impl Transport for Folder {
    async fn fetch(&self, path: &str, limit: u64) -> Result<bytes::Bytes, FetchError> {
        match self.faults.get(path).map(String::as_str) {
            None => self.files.fetch(path, limit).await,
            Some("403" | "404") => Err(FetchError::NotFound),
            Some(fault) => Err(FetchError::Network { source: fault.to_owned().into() }),
        }
    }
}

/// Files of the name that the attack with a path tries to write, where our client could have.
fn evil(base: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![base.to_path_buf()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() && !path.ends_with("python-out") {
                open.push(path);
            } else if path.file_name().unwrap().to_string_lossy().starts_with("evil") {
                found.push(path);
            }
        }
    }
    found
}
