//! A game that runs: followed through what it starts, known again by the next launcher, ended as a whole, and its crash said with its
//! last words.
#![cfg(unix)]

use engine::{game::Play, snapshot::Action};
use std::{fs, path::Path, time::Instant};
use tests::{
    child::eventually,
    played::{LIMIT, Scene, kept, lives, still},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_only_starts_another_is_not_the_end_of_the_game() {
    let scene = Scene::of("#!/bin/sh\n./world.sh &\nexit 0\n");
    let opened = scene.installed().await;
    opened.game.act(Action::Play);
    let seen = opened.until("what it started is followed", |snapshot| !still(snapshot).is_empty()).await;
    assert!(still(&seen).iter().any(|name| name.starts_with("world.sh (")), "{seen:?}");
    assert_eq!(seen.secondary.as_ref().unwrap().label, "still_running");
    let refused = opened.game.perform(Action::Repair).await.unwrap_err();
    assert_eq!(refused.code, "GAME_RUNNING");
    scene.leave();
    let over = opened.until_over().await;
    assert!(!over.last_exit.unwrap().bad);
    opened.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_of_its_own_does_not_hide_a_child_of_the_game() {
    // The starter clears what it was given, and stays long enough to be seen as the parent.
    let scene = Scene::of("#!/bin/sh\n(env -i PATH=\"$PATH\" ./world.sh; true) &\nexit 0\n");
    let opened = scene.installed().await;
    opened.game.act(Action::Play);
    let world = scene.world();
    let named = format!("world.sh ({world})");
    opened.until("the child", |snapshot| still(snapshot).contains(&named)).await;
    opened.game.act(Action::StopGame);
    let over = opened.until_over().await;
    assert!(!lives(&world), "force quit ends all of it");
    assert!(!over.last_exit.unwrap().bad, "the player asked for it");
    opened.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_launcher_knows_the_game_that_runs() {
    let scene = Scene::of("#!/bin/sh\nexec ./world.sh\n");
    let opened = scene.installed().await;
    opened.game.act(Action::Play);
    let world = scene.world();
    opened.end().await;
    assert!(lives(&world), "the launcher ends, the game does not");

    let next = scene.open(kept());
    let seen = next.until("known again", |snapshot| !still(snapshot).is_empty()).await;
    assert!(still(&seen).contains(&format!("world.sh ({world})")), "{seen:?}");
    assert_eq!(next.game.perform(Action::Play).await.unwrap_err().code, "GAME_RUNNING");
    scene.leave();
    next.until_over().await;
    assert!(!scene.runs().join("running.json").exists(), "nothing is remembered of what is over");
    next.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_number_that_is_anothers_by_now_is_not_the_game() {
    let scene = Scene::of("#!/bin/sh\nexec ./world.sh\n");
    let opened = scene.installed().await;
    opened.game.act(Action::Play);
    let world = scene.world();
    opened.end().await;
    let record = scene.runs().join("running.json");
    let remembered = fs::read_to_string(&record).unwrap();
    scene.leave();
    eventually(LIMIT, "the game ends by itself", || !lives(&world));

    // Ours, which lives and began at another time.
    let reused = remembered.replace(&format!("\"pid\":{world}"), &format!("\"pid\":{}", std::process::id()));
    assert_ne!(reused, remembered);
    fs::write(&record, reused).unwrap();
    let next = scene.open(kept());
    next.until_over().await;
    assert!(!record.exists());
    next.end().await;

    for torn in ["", "{\"run\":", "[]"] {
        fs::write(&record, torn).unwrap();
        let next = scene.open(kept());
        next.until_over().await;
        next.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_who_says_that_it_does_not_run_is_believed() {
    let scene = Scene::of("#!/bin/sh\n./world.sh &\nexit 0\n");
    let opened = scene.installed().await;
    opened.game.act(Action::Play);
    let world = scene.world();
    opened.until("what it left", |snapshot| !still(snapshot).is_empty()).await;
    opened.game.perform(Action::NotRunning).await.unwrap();
    let seen = opened.until_over().await;
    assert!(seen.last_exit.is_none(), "{:?}", seen.last_exit);
    assert!(lives(&world), "what the player speaks of is left alone");
    opened.game.perform(Action::Repair).await.unwrap();
    scene.leave();
    opened.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_within_seconds_is_said_with_its_code_and_last_words() {
    let cases = [
        ("echo to stdout; echo to stderr >&2; exit 139", Some(139), None),
        ("echo to stdout; echo to stderr >&2; kill -SEGV $$", None, Some(11)),
    ];
    for (script, code, signal) in cases {
        let scene = Scene::of(&format!("#!/bin/sh\n{script}\n"));
        let opened = scene.installed().await;
        let outcome = opened.game.perform(Action::Play).await.unwrap();
        assert_eq!(outcome.exit_code, code);
        let exit = opened.until("an end", |snapshot| snapshot.last_exit.is_some()).await.last_exit.unwrap();
        assert_eq!((exit.code, exit.signal, exit.bad), (code, signal, true));
        assert_eq!(exit.crash.as_ref().unwrap().code, "GAME_CRASHED", "{exit:?}");
        assert_eq!(exit.words, ["to stdout", "to stderr"]);
        opened.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_game_says_is_bounded_while_it_runs_and_ends_nothing_when_the_launcher_does() {
    // 8 MB at once, then a line now and then for as long as it runs.
    let scene = Scene::of(
        "#!/bin/sh\nhead -c 8000000 /dev/zero | tr '\\0' x\n./world.sh &\nwhile [ -e stay ]; do echo still here || exit 5; sleep 0.05; done\n",
    );
    let opened = scene.installed().await;
    opened.game.act(Action::Play);
    let world = scene.world();
    let size = |name: &str| fs::metadata(scene.runs().join(name)).map_or(0, |found| found.len());
    eventually(LIMIT, "the file is kept short", || size("game.1.log") > 0 && size("game.log") < 3_000_000);
    opened.end().await;
    let before = size("game.log");
    eventually(LIMIT, "the game goes on saying things", || size("game.log") > before + 30);
    assert!(lives(&world));
    scene.leave();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_players_arguments_come_after_the_manifests_and_through_no_shell() {
    let scene = Scene::of("#!/bin/sh\nprintf '%s\\0' \"$@\" > arguments\n");
    let opened = scene.installed().await;
    let typed = r#"-w "two words" '$HOME' `id` ; touch pwned"#;
    let arguments = engine::game::arguments(typed).unwrap();
    opened.game.set_play(Play { arguments, ..kept() });
    let begun = Instant::now();
    opened.game.perform(Action::Play).await.unwrap();
    assert!(begun.elapsed() < LIMIT);
    let given = fs::read_to_string(scene.dir().join("arguments")).unwrap();
    let given: Vec<&str> = given.trim_end_matches('\0').split('\0').collect();
    assert_eq!(given, ["--signed", "-w", "two words", "$HOME", "`id`", ";", "touch", "pwned"]);
    assert!(!Path::new(&scene.dir().join("pwned")).exists());
    opened.end().await;
}
