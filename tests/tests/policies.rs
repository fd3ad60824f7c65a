//! What a player allows when, seen from outside: somebody who asks for blocks gets them, or does not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use engine::{
    game::{Game, GameConfig, GameLink, Import, Ledger, Policy, TrustedRoot, Urgency, Window},
    session::{Session, SessionConfig},
    snapshot::{Action, Limits, SharingMode, SharingPause, Snapshot},
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tests::{
    muster::{Person, Repository, TorrentPeer},
    tree,
};

const LIMIT: Duration = Duration::from_secs(60);
/// Long enough for a start and some blocks, which takes a tenth of it where blocks are given.
const PATIENCE: Duration = Duration::from_secs(3);
const BYTES: usize = 6 << 20;

/// A player who has the game, and passes it on as long as the policy lets him.
struct Sharer {
    base: tempfile::TempDir,
    torrent: PathBuf,
    session: Session,
    game: Game,
    _origin: tests::muster::Origin,
}

impl Sharer {
    async fn start(policy: Policy) -> Self {
        let base = tempfile::tempdir().unwrap();
        let build = base.path().join("build");
        tree::write(&build.join("data.bin"), BYTES, &mut fastrand::Rng::with_seed(5));
        let repository = Repository::init(base.path());
        repository.publish(&build, "demo", "1.0", &[]);
        let origin = repository.serve(&["--no-seed"]);
        let torrent = fs::read_dir(repository.dir.join("targets")).unwrap();
        let torrent = torrent.map(|entry| entry.unwrap().path());
        let torrent = torrent.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "torrent"));
        let listen = Some("127.0.0.1:0".parse().unwrap());
        let session =
            Session::start(&SessionConfig { listen, lan: false, ..SessionConfig::default() }).unwrap();
        let link = GameLink {
            repository: origin.url.parse().unwrap(),
            game: "demo".parse().unwrap(),
            channel: "live".parse().unwrap(),
            root: TrustedRoot::Given(fs::read(repository.root()).unwrap()),
        };
        let config = GameConfig {
            dir: base.path().join("game"),
            link: Some(link),
            state_dir: base.path().join("state"),
            sharing: SharingMode::WhileOpen,
            policy,
            ledger: Ledger::default(),
            check_interval: None,
            places: Default::default(),
            urgency: Urgency::Foreground,
            preload: false,
            title: "Demo".into(),
            known_installed: false,
            import: Import::default(),
            play: Default::default(),
        };
        let game = Game::open(config, session.clone());
        game.perform(Action::Install).await.unwrap();
        Self { torrent: torrent.unwrap(), session, game, base, _origin: origin }
    }

    /// Somebody who knows nobody else.
    fn asker(&self, name: &str) -> (TorrentPeer, PathBuf) {
        let place = self.base.path().join(name);
        let person = Person::at(&self.base.path().join("homes").join(name));
        let peers = [self.session.local_addr().to_string()];
        let peers: Vec<&str> = peers.iter().map(String::as_str).collect();
        (TorrentPeer::start(&person, &self.torrent, &place, &peers, &[]), place)
    }

    async fn until(&self, done: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let mut snapshot = self.game.snapshot();
        let seen = tokio::time::timeout(LIMIT, snapshot.wait_for(|snapshot| done(snapshot))).await;
        seen.unwrap_or_else(|_| panic!("{:?}", self.game.snapshot().borrow().sharing)).unwrap().clone()
    }

    fn uploaded(&self) -> u64 {
        self.game.snapshot().borrow().uploaded_bytes
    }

    async fn end(self) {
        self.game.close().await;
        self.session.close().await;
    }
}

fn always(limits: Limits, sharing: bool) -> Window {
    Window { days: [true; 7], from_minute: 0, to_minute: 0, limits, sharing, no_downloads: false }
}

fn arrived(place: &Path) -> u64 {
    let bytes = |path: PathBuf| fs::metadata(path).map_or(0, |found| found.len());
    fs::read_dir(place).unwrap().map(|entry| bytes(entry.unwrap().path().join("data.bin"))).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_without_sharing_give_nothing_and_their_end_gives_all() {
    let closed = Policy { windows: vec![always(Limits::default(), false)], ..Policy::default() };
    let sharer = Sharer::start(closed).await;
    sharer.until(|snapshot| snapshot.sharing.paused_reason == Some(SharingPause::Schedule)).await;
    let (mut asker, place) = sharer.asker("asker");
    tokio::time::sleep(PATIENCE).await;
    assert_eq!(sharer.uploaded(), 0, "nothing at these hours");

    sharer.game.set_policy(Policy::default());
    tokio::task::block_in_place(|| asker.complete(LIMIT));
    assert_eq!(arrived(&place), BYTES as u64);
    let snapshot = sharer.until(|snapshot| snapshot.sharing.month_bytes >= BYTES as u64).await;
    assert!(snapshot.sharing.month_bytes <= BYTES as u64 * 11 / 10, "{:?}", snapshot.sharing);
    sharer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_used_up_ends_the_upload_where_it_stands() {
    let budget = 2_000_000;
    let slowly = Limits { up: Some(1_000_000), down: None };
    let limited = Policy { limits: slowly, month_upload: Some(budget), ..Policy::default() };
    let sharer = Sharer::start(limited).await;
    let (_asker, _) = sharer.asker("asker");
    let snapshot =
        sharer.until(|snapshot| snapshot.sharing.paused_reason == Some(SharingPause::Budget)).await;
    let at_the_end = snapshot.sharing.month_bytes;
    // A tick of the actor and the blocks under way: half a second at the cap.
    assert!((budget..budget + 500_000).contains(&at_the_end), "{at_the_end}");
    tokio::time::sleep(PATIENCE).await;
    let later = sharer.game.ledger().borrow().used(chrono::Local::now().naive_local());
    assert!(later <= at_the_end + 300_000, "{later} after {at_the_end}");
    assert!(!sharer.game.snapshot().borrow().sharing.active);
    sharer.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_with_a_cap_of_their_own_hold_it() {
    let cap = 400_000;
    let limits = Limits { up: Some(cap), down: None };
    let sharer = Sharer::start(Policy { windows: vec![always(limits, true)], ..Policy::default() }).await;
    let (_asker, _) = sharer.asker("asker");
    sharer.until(|snapshot| snapshot.uploaded_bytes > 0).await;
    let (begun, before) = (Instant::now(), sharer.uploaded());
    tokio::time::sleep(PATIENCE).await;
    let rate = (sharer.uploaded() - before) as f64 / begun.elapsed().as_secs_f64();
    // What is told is renewed five times a second, so the ends are not sharp.
    assert!((0.5..=1.2).contains(&(rate / cap as f64)), "{rate} of {cap}");
    sharer.end().await;
}
