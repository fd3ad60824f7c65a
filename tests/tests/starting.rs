//! How the game is started: by an argument vector from the signed manifest, no shell in between, in an environment that was cleaned,
//! its program hashed just before (U6 of the threat model).
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fs, path::Path};
use tests::{
    muster::{Origin, Outcome, Person, Repository, text},
    tree,
};

/// What would do harm if a shell, or a program that splits words, came to see it.
const ARGUMENTS: [&str; 9] = [
    "; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "two words",
    "--flag=\"quoted\" 'twice'",
    "*",
    "",
    "%PATH% & calc",
    "grüße\\n",
];
/// Writes down each argument and all of its environment; exits as told by nobody.
const GAME: &str = "#!/bin/sh\nfor word in \"$@\"; do printf '%s\\0' \"$word\" >> arguments; done\nenv > environment\npwd > folder\n";

struct Scene {
    _base: tempfile::TempDir,
    _origin: Origin,
    player: Person,
    dir: std::path::PathBuf,
}

/// The game is installed.
fn scene() -> Scene {
    let base = tempfile::tempdir().unwrap();
    let repository = Repository::init(base.path());
    let build = base.path().join("build");
    fs::create_dir(&build).unwrap();
    fs::write(build.join("run.sh"), GAME).unwrap();
    tree::set_executable(&build.join("run.sh"));
    let words = ARGUMENTS.map(|word| serde_json::to_string(word).unwrap()).join(", ");
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let config =
        format!("title = \"Argus\"\n[launch.{platform}]\nexecutable = \"run.sh\"\narguments = [{words}]\n");
    fs::write(build.join("muster.toml"), config).unwrap();
    repository.publish(&build, "argus", "1.0", &[]);
    let origin = repository.serve(&[]);
    let player = Person::at(&base.path().join("player"));
    let dir = base.path().join("game");
    let root = repository.root();
    player.done(&[
        "install",
        &origin.url,
        "--game",
        "argus",
        "--dir",
        text(&dir),
        "--root",
        text(&root),
        "--no-lan",
    ]);
    Scene { _base: base, _origin: origin, player, dir }
}

fn play(scene: &Scene) -> Outcome {
    let mut command = scene.player.command(&["play", text(&scene.dir)]);
    for (name, value) in [
        ("LD_PRELOAD", ""),
        ("LD_LIBRARY_PATH", "/nowhere"),
        ("DYLD_INSERT_LIBRARIES", "/nowhere/evil.dylib"),
        ("MUSTER_TOKEN", "canary"),
        ("AWS_SECRET_ACCESS_KEY", "canary"),
        ("BASH_ENV", "/nowhere/rc"),
        ("XDG_CURRENT_DESKTOP", "test"),
    ] {
        command.env(name, value);
    }
    let mut running = tests::child::Running::start("muster play", &mut command);
    let status = running.wait(std::time::Duration::from_secs(30));
    Outcome::of(&mut running, status.code())
}

#[test]
fn arguments_arrive_as_they_were_signed_and_secrets_do_not_arrive() {
    let scene = scene();
    let played = play(&scene);
    assert_eq!((played.code, played.result()["exit_code"].as_i64()), (0, Some(0)), "{}", played.errors);
    let read = |name: &str| fs::read_to_string(scene.dir.join(name)).unwrap();
    let arguments = read("arguments");
    let arguments: Vec<&str> = arguments.strip_suffix('\0').unwrap().split('\0').collect();
    assert_eq!(arguments, ARGUMENTS);
    assert!(!scene.dir.join("pwned").exists() && !scene.player_has("pwned"));
    assert_eq!(Path::new(read("folder").trim()).canonicalize().unwrap(), scene.dir.canonicalize().unwrap());
    let environment = read("environment");
    let environment: BTreeMap<&str, &str> =
        environment.lines().filter_map(|line| line.split_once('=')).collect();
    for name in [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "DYLD_INSERT_LIBRARIES",
        "MUSTER_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "BASH_ENV",
    ] {
        assert!(!environment.contains_key(name), "{name} reached the game");
    }
    assert_eq!(environment.get("XDG_CURRENT_DESKTOP"), Some(&"test"), "what a game needs does");
    assert!(environment.contains_key("HOME") && environment.contains_key("PATH"));
}

#[test]
fn a_program_that_was_exchanged_is_not_started() {
    let scene = scene();
    let program = scene.dir.join("run.sh");
    let good = fs::read(&program).unwrap();
    let evil = String::from_utf8(good.clone()).unwrap().replace("pwd > folder", "id > pwned  ");
    assert_eq!(evil.len(), good.len());
    let exchanges: [(&str, &dyn Fn()); 4] = [
        ("other bytes of the same length", &|| fs::write(&program, &evil).unwrap()),
        ("a link to another program", &|| {
            fs::write(scene.dir.join("other.sh"), &evil).unwrap();
            tree::set_executable(&scene.dir.join("other.sh"));
            fs::remove_file(&program).unwrap();
            std::os::unix::fs::symlink("other.sh", &program).unwrap();
        }),
        ("a folder", &|| {
            fs::remove_file(&program).unwrap();
            fs::create_dir(&program).unwrap();
        }),
        ("nothing", &|| fs::remove_dir(&program).unwrap()),
    ];
    for (what, exchange) in exchanges {
        exchange();
        let played = play(&scene);
        assert_ne!(played.code, 0, "{what}");
        assert_eq!(played.result()["ok"], false, "{what}");
        assert!(!scene.dir.join("pwned").exists(), "{what} was started");
    }
    scene.player.done(&["repair", text(&scene.dir)]);
    assert_eq!(play(&scene).result()["exit_code"], 0, "mended, it starts");
}

impl Scene {
    /// Whether something was made where the player's commands run.
    fn player_has(&self, name: &str) -> bool {
        self.dir.parent().unwrap().join("player").join(name).exists()
    }
}
