use std::fs;

use publisher::PublishRequest;

use crate::support::{Studio, run, tree};

/// Publishes 1.0, lets `spoil` break something, and expects `code` and an untouched repository.
fn check(code: &str, says: &str, spoil: impl FnOnce(&Studio, &mut PublishRequest)) {
    let studio = Studio::new();
    studio.publish("1.0");
    let mut request = studio.request("1.1");
    spoil(&studio, &mut request);
    let before = tree(&studio.repo());
    let error = run(&request).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(says), "{error:?} does not say {says:?}");
    assert!(tree(&studio.repo()) == before, "{code}: the repository changed");
}

#[test]
fn builds_that_cannot_travel() {
    check("BUILD_EMPTY", "holds no files", |studio, _| {
        fs::remove_dir_all(studio.build()).unwrap();
        studio.write("muster.toml", b"");
    });
    check("BUILD_NAME", "aux.txt", |studio, _| studio.write("data/aux.txt", b"x"));
    check("BUILD_NAME", ".muster", |studio, _| studio.write(".muster/state.json", b"x"));
    check("RELEASE_INVALID", "ata/TEXT.pak", |studio, _| studio.write("data/TEXT.pak", b"x"));
    check("BUILD_IO", "build", |studio, _| fs::remove_dir_all(studio.build()).unwrap());
}

#[cfg(unix)]
#[test]
fn links_special_files_and_names_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    check("BUILD_LINK", "data/link", |studio, _| {
        std::os::unix::fs::symlink("/etc/passwd", studio.build().join("data/link")).unwrap();
    });
    check("BUILD_LINK", "folder-link", |studio, _| {
        std::os::unix::fs::symlink(studio.build(), studio.build().join("folder-link")).unwrap();
    });
    check("BUILD_NAME", "a:b", |studio, _| studio.write("a:b", b"x"));
    check("BUILD_SPECIAL", "socket", |studio, _| {
        drop(std::os::unix::net::UnixListener::bind(studio.build().join("socket")).unwrap());
    });
    check("BUILD_NAME", "Unicode", |studio, _| {
        fs::write(studio.build().join(std::ffi::OsStr::from_bytes(b"bad\xff")), b"x").unwrap();
    });
    // What is ignored may be anything.
    let studio = Studio::new();
    fs::create_dir_all(studio.build().join("cache")).unwrap();
    std::os::unix::fs::symlink("/nowhere", studio.build().join("cache/link")).unwrap();
    fs::write(studio.build().join("con.pdb"), b"x").unwrap();
    studio.publish("1.0");
}

#[test]
fn configurations() {
    check("CONFIG_INVALID", "muster.toml", |studio, _| studio.write("muster.toml", b"titel = \"typo\""));
    check("CONFIG_INVALID", "no such file", |studio, request| {
        request.config = Some(studio.outside("none.toml"))
    });
    check("CONFIG_INVALID", "reserved", |studio, _| {
        studio.write("muster.toml", b"[launch.linux-x86_64]\nexecutable = \".muster/x\"");
    });
    check("LAUNCH_OPTIONAL", "bin/game", |studio, _| {
        let optional = "[launch.linux-x86_64]\nexecutable = \"bin/game\"\n[[files]]\nmatch = \"bin/**\"\nset = \"optional\"";
        studio.write("muster.toml", optional.as_bytes())
    });
    check("LAUNCH_MISSING", "windows-x86_64", |studio, _| {
        studio.write("muster.toml", b"[launch.windows-x86_64]\nexecutable = \"bin/game.exe\"");
    });
    check("LAUNCH_MISSING", "bin/game.pdb", |studio, _| {
        studio.write("muster.toml", b"ignore = ['*.pdb']\n[launch.any]\nexecutable = \"bin/game.pdb\"");
    });
}

#[test]
fn version_with_other_content() {
    check("VERSION_TAKEN", "1.0", |studio, request| {
        request.version = "1.0".parse().unwrap();
        studio.write("data/text.pak", b"other");
    });
}

#[test]
fn keys_and_folders_in_each_other() {
    check("KEY_IN_REPO", "targets-1.key", |studio, request| {
        fs::copy(request.keys_dir.join("targets-1.key"), studio.repo().join("targets-1.key")).unwrap();
    });
    check("FOLDERS_NESTED", "repo", |studio, request| request.build_dir = studio.outside("."));
    check("FOLDERS_NESTED", "keys", |studio, request| {
        request.keys_dir = studio.build().join("keys");
        fs::create_dir_all(&request.keys_dir).unwrap();
    });
    check("FOLDERS_NESTED", "repo", |studio, request| {
        request.build_dir = studio.repo().join("targets");
    });
    check("KEY_MISSING", "targets", |studio, request| {
        studio.write("data/new", b"would be stored");
        fs::remove_file(request.keys_dir.join("targets-1.key")).unwrap();
    });
    check("REPO_MISSING", "keys init", |studio, request| request.repo_dir = studio.outside("nothing"));
}

#[test]
fn addresses_and_patches() {
    for tracker in ["ftp://x/announce", "", "two words", "https://"] {
        check("ADDRESS_INVALID", "tracker", |_, request| request.trackers = vec![tracker.to_owned()]);
    }
    check("ADDRESS_INVALID", "mirror", |_, request| request.mirrors = vec!["udp://x:1".to_owned()]);
    for version in ["0.9", "1.1"] {
        check("PATCH_FROM_UNKNOWN", version, |_, request| {
            request.patch_from = vec![version.parse().unwrap()]
        });
    }
}
