//! The exchange of keys, and everything that can be wrong with a root that travels as a file.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use trust::ceremony::{self, Change, Draft, KeyRole, PublicKey};
use trust::{EditError, FolderTransport};

use crate::support::{World, codes, later, now, refusal, replace_online_key};

fn rotate(roles: &[KeyRole]) -> Change {
    Change { rotate: roles.to_vec(), ..Change::default() }
}

impl World {
    fn key(&self, name: &str) -> PathBuf {
        self.keys().join(format!("{name}.key"))
    }

    fn prepare(&self, change: &Change) -> Draft {
        ceremony::prepare(&self.repo(), &self.keys(), change, now()).unwrap().0
    }

    fn publish_root(&self, draft: &Draft) -> Result<ceremony::Published, EditError> {
        ceremony::publish(&self.repo(), &self.keys(), draft, now())
    }

    /// Prepared, signed by the first two root keys, published.
    fn change(&self, change: &Change) -> ceremony::Published {
        let mut draft = self.prepare(change);
        for name in ["root-1", "root-2"] {
            draft.sign(&self.key(name)).unwrap();
        }
        self.publish_root(&draft).unwrap()
    }

    fn key_id(&self, role: KeyRole, number: usize) -> String {
        let overview = ceremony::overview(&self.repo(), &self.keys()).unwrap();
        overview.roles.into_iter().find(|view| view.role == role).unwrap().keys[number].0.clone()
    }
}

/// A draft as it would come back after somebody changed its file.
fn edited(draft: &Draft, edit: impl FnOnce(&mut Value)) -> Result<Draft, EditError> {
    let mut value: Value = serde_json::from_slice(&draft.encode().unwrap()).unwrap();
    edit(&mut value);
    Draft::parse(&serde_json::to_vec(&value).unwrap())
}

#[tokio::test]
async fn every_key_but_the_roots_is_replaced_and_players_of_both_kinds_follow() {
    let world = World::new();
    world.load().await.unwrap();
    let published = world.change(&rotate(&[KeyRole::Targets, KeyRole::Online]));
    assert!(published.targets_signed && published.online_signed && published.seamless);
    let client = world.load().await.unwrap();
    assert_eq!((client.root_version(), codes(&client).len()), (2, 0));
    assert_eq!(client.target("hello", 100).await.unwrap(), b"hello, player");
    let mut editor = world.editor();
    editor.put_target("more", vec![1]).unwrap();
    assert!(editor.commit(now()).unwrap());
}

#[tokio::test]
async fn player_meets_a_readable_repository_between_any_two_writes() {
    let world = World::new();
    let mut draft = world.prepare(&rotate(&[KeyRole::Targets, KeyRole::Online]));
    draft.sign(&world.key("root-1")).unwrap();
    draft.sign(&world.key("root-3")).unwrap();
    world.publish_root(&draft).unwrap();
    // All but the last write, which is that of the root.
    fs::rename(world.metadata("2.root.json"), world.metadata("away")).unwrap();
    assert_eq!(world.load().await.unwrap().root_version(), 1);
    fs::rename(world.metadata("away"), world.metadata("2.root.json")).unwrap();
    assert_eq!(world.load().await.unwrap().root_version(), 2);
}

#[tokio::test]
async fn publication_that_was_cut_off_is_done_again() {
    let world = World::new();
    let before = fs::read(world.metadata("timestamp.json")).unwrap();
    let mut draft = world.prepare(&rotate(&[KeyRole::Online]));
    draft.sign(&world.key("root-1")).unwrap();
    draft.sign(&world.key("root-2")).unwrap();
    // Without the old key there is no way but the root first.
    fs::rename(world.key("online-1"), world.keys().join("away")).unwrap();
    assert!(!world.publish_root(&draft).unwrap().seamless);
    fs::write(world.metadata("timestamp.json"), before).unwrap();
    refusal(world.load().await);
    let again = world.publish_root(&draft).unwrap();
    assert!(again.online_signed);
    assert_eq!(world.load().await.unwrap().root_version(), 2);
    assert!(!world.publish_root(&draft).unwrap().online_signed, "and once more there is nothing to do");
}

#[tokio::test]
async fn refresh_after_a_publication_that_was_cut_off_leaves_no_targets_that_players_refuse() {
    let world = World::new();
    let before = world.stolen();
    world.change(&rotate(&[KeyRole::Targets]));
    // Only the root had come.
    for file in ["timestamp.json", "2.snapshot.json", "2.targets.json"] {
        fs::copy(before.metadata(file), world.metadata(file)).unwrap();
    }
    refusal(world.load().await);
    let new = fs::read_dir(world.keys()).unwrap().map(|entry| entry.unwrap().path());
    let new: Vec<_> = new.filter(|path| path.to_string_lossy().contains("targets-v2")).collect();
    for path in &new {
        fs::rename(path, path.with_extension("away")).unwrap();
    }
    assert_eq!(world.editor().refresh(now()).unwrap_err().code(), "KEY_REVOKED");
    for path in &new {
        fs::rename(path.with_extension("away"), path).unwrap();
    }
    world.editor().refresh(now()).unwrap();
    assert_eq!(world.load().await.unwrap().root_version(), 2);
}

#[tokio::test]
async fn root_key_is_replaced_by_one_made_elsewhere() {
    let world = World::new();
    world.load().await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let made = ceremony::new_key(elsewhere.path(), "carol-2").unwrap();
    let add = vec![(KeyRole::Root, PublicKey::read(&made.public).unwrap())];
    let lost = world.key_id(KeyRole::Root, 2);
    let mut draft = world.prepare(&Change { add, remove: vec![lost[..8].to_owned()], ..Change::default() });
    let summary = draft.summary().unwrap();
    assert_eq!((&summary.roles[0].added, &summary.roles[0].removed), (&vec![made.id], &vec![lost]));
    draft.sign(&world.key("root-1")).unwrap();
    draft.sign(&made.private).unwrap();
    // Two of the next root's, but one of the present one's.
    assert_eq!(world.publish_root(&draft).unwrap_err().code(), "ROOT_UNSIGNED");
    draft.sign(&world.key("root-2")).unwrap();
    let published = world.publish_root(&draft).unwrap();
    assert!(!published.online_signed, "no other key is needed for it");
    assert_eq!(world.load().await.unwrap().root_version(), 2);
    // The next ceremony needs two of three again, and the new key is one.
    let mut draft = world.prepare(&Change::default());
    draft.sign(&made.private).unwrap();
    draft.sign(&world.key("root-2")).unwrap();
    world.publish_root(&draft).unwrap();
    assert_eq!(world.load().await.unwrap().root_version(), 3);
}

#[tokio::test]
async fn expired_root_is_renewed() {
    let world = World::new();
    assert_eq!(world.editor().refresh(later(400)).unwrap_err().code(), "META_EXPIRED");
    let (mut draft, made) =
        ceremony::prepare(&world.repo(), &world.keys(), &Change::default(), later(400)).unwrap();
    assert!(made.is_empty());
    draft.sign(&world.key("root-2")).unwrap();
    draft.sign(&world.key("root-3")).unwrap();
    ceremony::publish(&world.repo(), &world.keys(), &draft, later(400)).unwrap();
    world.editor().refresh(later(400)).unwrap();
    assert_eq!(world.load_at(later(401)).await.unwrap().root_version(), 2);
    let stale = ceremony::publish(&world.repo(), &world.keys(), &draft, later(2000));
    assert_eq!(stale.unwrap_err().code(), "META_EXPIRED", "a draft that was left lying for years");
}

#[test]
fn half_signed_root_is_refused_and_changes_nothing() {
    let world = World::new();
    let mut draft = world.prepare(&rotate(&[KeyRole::Online]));
    assert_eq!(world.publish_root(&draft).unwrap_err().code(), "ROOT_UNSIGNED");
    assert!(draft.sign(&world.key("root-1")).unwrap().added);
    assert!(!draft.sign(&world.key("root-1")).unwrap().added, "the same key again counts once");
    let summary = draft.summary().unwrap();
    assert_eq!((summary.old_missing, summary.new_missing, summary.is_complete()), (1, 1, false));
    let error = world.publish_root(&draft).unwrap_err();
    assert!(matches!(error, EditError::RootUnsigned { old_missing: 1, new_missing: 1 }), "{error}");
    assert!(!world.metadata("2.root.json").exists());
}

#[test]
fn root_signed_by_the_wrong_keys_is_refused() {
    let world = World::new();
    let mut draft = world.prepare(&Change::default());
    for name in ["targets-1", "online-1"] {
        assert_eq!(draft.sign(&world.key(name)).unwrap_err().code(), "KEY_NOT_NAMED");
    }
    let stranger = World::new();
    assert_eq!(draft.sign(&stranger.key("root-1")).unwrap_err().code(), "KEY_NOT_NAMED");
    assert_eq!(draft.sign(&world.metadata("1.root.json")).unwrap_err().code(), "KEY_INVALID");
    draft.sign(&world.key("root-1")).unwrap();
    let renamed = edited(&draft, |value| value["signatures"][0]["keyid"] = "ab".repeat(32).into());
    assert_eq!(renamed.unwrap_err().code(), "KEY_NOT_NAMED");
    let twice = edited(&draft, |value| {
        let one = value["signatures"][0].clone();
        value["signatures"].as_array_mut().unwrap().push(one);
    });
    assert_eq!(twice.unwrap_err().code(), "ROOT_DRAFT");
}

#[test]
fn file_changed_between_two_signers_is_refused() {
    let world = World::new();
    let mut draft = world.prepare(&Change::default());
    draft.sign(&world.key("root-1")).unwrap();
    edited(&draft, |_| ()).unwrap();
    let expiry = |value: &mut Value| value["signed"]["expires"] = "2099-01-01T00:00:00Z".into();
    assert_eq!(edited(&draft, expiry).unwrap_err().code(), "ROOT_DRAFT_CHANGED");
    let threshold = |value: &mut Value| value["signed"]["roles"]["root"]["threshold"] = 1.into();
    assert_eq!(edited(&draft, threshold).unwrap_err().code(), "ROOT_DRAFT_CHANGED");
    let previous = |value: &mut Value| value["previous"]["signed"]["expires"] = "2099-01-01T00:00:00Z".into();
    assert_eq!(edited(&draft, previous).unwrap_err().code(), "ROOT_DRAFT");
}

#[test]
fn skipped_version_is_refused() {
    let world = World::new();
    let draft = world.prepare(&Change::default());
    for version in [1, 3, 1000] {
        let skipped = edited(&draft, |value| value["signed"]["version"] = version.into());
        assert_eq!(skipped.unwrap_err().code(), "ROOT_VERSION", "{version}");
    }
}

#[test]
fn draft_of_a_repository_that_has_moved_on_is_refused() {
    let world = World::new();
    let mut draft = world.prepare(&Change::default());
    draft.sign(&world.key("root-1")).unwrap();
    draft.sign(&world.key("root-2")).unwrap();
    replace_online_key(&world.keys(), &world.repo(), now()).unwrap();
    assert_eq!(world.publish_root(&draft).unwrap_err().code(), "ROOT_DRAFT_STALE");
    let other = World::new();
    assert_eq!(other.publish_root(&draft).unwrap_err().code(), "ROOT_DRAFT_STALE", "another studio's");
}

#[test]
fn file_that_is_no_draft_is_refused() {
    let world = World::new();
    for bytes in [&b""[..], b"{}", b"[]", b"\xff", &world.root] {
        assert_eq!(Draft::parse(bytes).unwrap_err().code(), "ROOT_DRAFT");
    }
    let path = world.metadata("huge");
    fs::write(&path, vec![b' '; 1 << 20]).unwrap();
    assert_eq!(Draft::read(&path).unwrap_err().code(), "ROOT_DRAFT");
    assert_eq!(PublicKey::read(&world.key("root-1")).unwrap_err().code(), "ROOT_DRAFT");
}

#[test]
fn role_that_nobody_could_sign_is_refused() {
    let world = World::new();
    let two = vec![world.key_id(KeyRole::Root, 0), world.key_id(KeyRole::Root, 1)];
    let code =
        |change: &Change| ceremony::prepare(&world.repo(), &world.keys(), change, now()).unwrap_err().code();
    assert_eq!(code(&Change { remove: two, ..Change::default() }), "ROOT_ROLES");
    assert_eq!(code(&rotate(&[KeyRole::Root])), "ROOT_ROLES");
    for unknown in ["abc", "0123456789abcdef", "zzzzzzzzz", ""] {
        let change = Change { remove: vec![unknown.to_owned()], ..Change::default() };
        assert_eq!(code(&change), "KEY_NOT_NAMED", "{unknown}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let made = ceremony::new_key(elsewhere.path(), "both").unwrap();
    let key = PublicKey::read(&made.public).unwrap();
    let add = vec![(KeyRole::Root, key.clone()), (KeyRole::Targets, key)];
    assert_eq!(code(&Change { add, ..Change::default() }), "ROOT_ROLES", "one key for two roles");
    let keys = fs::read_dir(world.keys()).unwrap().count();
    assert_eq!(keys, 6, "what was refused made no keys");
}

#[test]
fn one_key_under_two_names_is_refused() {
    let world = World::new();
    let draft = world.prepare(&Change::default());
    let named_twice = edited(&draft, |value| {
        let id = value["signed"]["roles"]["root"]["keyids"][0].as_str().unwrap().to_owned();
        let mut key = value["signed"]["keys"][&id].clone();
        key["note"] = "again".into();
        value["signed"]["keys"]["00".repeat(32)] = key;
    });
    assert_eq!(named_twice.unwrap_err().code(), "ROOT_DRAFT", "its name is not its hash");
    let noted = edited(&draft, |value| {
        let id = value["signed"]["roles"]["root"]["keyids"][0].as_str().unwrap().to_owned();
        value["signed"]["keys"][&id]["note"] = "again".into();
    });
    assert_eq!(noted.unwrap_err().code(), "ROOT_DRAFT");
}

#[test]
fn key_is_never_made_inside_a_repository_or_over_another() {
    let world = World::new();
    let inside = world.repo().join("keys");
    assert_eq!(ceremony::new_key(&inside, "root-4").unwrap_err().code(), "KEY_IN_REPO");
    assert_eq!(ceremony::new_key(&world.keys(), "root-1").unwrap_err().code(), "KEYS_EXIST");
    assert_eq!(ceremony::new_key(&world.keys(), "../root-4").unwrap_err().code(), "TARGET_NAME");
    fs::copy(world.key("root-1"), world.repo().join("root-1.key")).unwrap();
    let error = ceremony::prepare(&world.repo(), &world.keys(), &Change::default(), now()).unwrap_err();
    assert_eq!(error.code(), "KEY_IN_REPO");
}

#[tokio::test]
async fn stolen_online_key_is_revoked_and_replaced() {
    let world = World::new();
    let thief = world.stolen();
    let stolen = world.key_id(KeyRole::Online, 0);
    let published = world.change(&Change { remove: vec![stolen.clone()], ..Change::default() });
    assert!(published.online_signed && !published.targets_signed);
    assert_ne!(world.key_id(KeyRole::Online, 0), stolen);
    world.load().await.unwrap();
    thief.editor().refresh(later(1)).unwrap();
    let error = refusal(world.load_through(FolderTransport::new(thief.repo()), later(1), true).await);
    assert!(["META_SIGNATURE", "META_ROLLBACK"].contains(&error.code()), "{error}");
}

#[test]
fn revoked_key_signs_nothing_and_is_named() {
    let world = World::new();
    let published = world.change(&rotate(&[KeyRole::Targets]));
    assert!(published.targets_signed);
    for entry in fs::read_dir(world.keys()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("targets-v2") {
            fs::remove_file(path).unwrap();
        }
    }
    let mut editor = world.editor();
    editor.put_target("more", vec![1]).unwrap();
    let error = editor.commit(now()).unwrap_err();
    assert_eq!(error.code(), "KEY_REVOKED");
    assert!(error.to_string().contains("targets-1.key"), "{error}");
    drop(editor);
    let overview = ceremony::overview(&world.repo(), &world.keys()).unwrap();
    let revoked: Vec<_> = overview.unnamed.iter().filter(|held| held.revoked).collect();
    assert_eq!(revoked.len(), 2);
}

#[test]
fn key_that_lies_in_two_files_signs_once() {
    let world = World::new();
    fs::copy(world.key("targets-1"), world.keys().join("backup-of-targets-1.key")).unwrap();
    let mut editor = world.editor();
    editor.put_target("more", vec![1]).unwrap();
    assert!(editor.commit(now()).unwrap());
}

#[test]
fn root_that_players_would_refuse_is_not_built_upon() {
    let world = World::new();
    let other = World::new();
    replace_online_key(&other.keys(), &other.repo(), now()).unwrap();
    fs::copy(other.metadata("2.root.json"), world.metadata("2.root.json")).unwrap();
    let error = trust::Editor::open(&world.repo(), &world.keys()).err().unwrap();
    assert_eq!(error.code(), "REPO_DAMAGED");
    fs::rename(world.metadata("2.root.json"), world.metadata("3.root.json")).unwrap();
    let error = trust::Editor::open(&world.repo(), &world.keys()).err().unwrap();
    assert_eq!(error.code(), "REPO_DAMAGED", "{error}");
}
