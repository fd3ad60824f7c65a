//! A game of scripts in a real engine: installed, started, watched.

use crate::{
    child::eventually,
    muster::{Origin, Repository},
    tree,
};
use engine::{
    game::{Game, GameConfig, GameLink, Import, Ledger, Output, Play, Policy, TrustedRoot, Urgency},
    proxy::Proxy,
    session::{Session, SessionConfig},
    snapshot::{Action, Phase, SharingMode, Snapshot},
};
use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

/// The longest wait.
pub const LIMIT: Duration = Duration::from_secs(30);
/// Bytes of a release that compress to nothing less.
pub const BYTES: usize = 4 << 20;
/// Runs until a file beside it is gone, under its own name. Says which process it is.
const WORLD: &str = "#!/bin/sh\necho $$ > world.pid\nwhile [ -e stay ]; do sleep 0.05; done\n";

/// See the module.
#[derive(Debug)]
pub struct Scene {
    /// Everything lies below it.
    pub base: tempfile::TempDir,
    repository: Repository,
    origin: Origin,
}

impl Scene {
    /// A game whose program is this script; `world.sh` and some megabytes lie beside it.
    #[must_use]
    pub fn of(run: &str) -> Self {
        let base = tempfile::tempdir().unwrap();
        let repository = Repository::init(base.path());
        let origin = repository.serve(&["--no-seed"]);
        let scene = Self { base, repository, origin };
        scene.publish("1.0", run);
        scene
    }

    /// Publishes a version with this program.
    pub fn publish(&self, version: &str, run: &str) {
        let build = self.base.path().join(format!("build-{version}"));
        let seed = version.bytes().map(u64::from).sum();
        tree::write(&build.join("data.bin"), BYTES, &mut fastrand::Rng::with_seed(seed));
        for (name, script) in [("run.sh", run), ("world.sh", WORLD)] {
            fs::write(build.join(name), script).unwrap();
            tree::set_executable(&build.join(name));
        }
        let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        let config = format!(
            "title = \"Orrery\"\n[launch.{platform}]\nexecutable = \"run.sh\"\narguments = [\"--signed\"]\n"
        );
        fs::write(build.join("muster.toml"), config).unwrap();
        self.repository.publish(&build, "orrery", version, &[]);
    }

    /// The game folder.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.base.path().join("game")
    }

    /// Where its repository is asked for.
    #[must_use]
    pub fn origin_addr(&self) -> SocketAddr {
        self.origin.url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap()
    }

    /// Opens the game, started with this.
    #[must_use]
    pub fn open(&self, play: Play) -> Opened {
        self.open_through(&self.origin.url, Proxy::None, play)
    }

    /// The same, its repository at this address and through that proxy.
    #[must_use]
    pub fn open_through(&self, repository: &str, proxy: Proxy, play: Play) -> Opened {
        let listen = Some("127.0.0.1:0".parse().unwrap());
        let config = SessionConfig { listen, lan: false, proxy, ..SessionConfig::default() };
        let session = Session::start(&config).unwrap();
        let link = GameLink {
            repository: repository.parse().unwrap(),
            game: "orrery".parse().unwrap(),
            channel: "live".parse().unwrap(),
            root: TrustedRoot::Given(fs::read(self.repository.root()).unwrap()),
        };
        let config = GameConfig {
            dir: self.dir(),
            link: Some(link),
            state_dir: self.base.path().join("state"),
            sharing: SharingMode::Off,
            policy: Policy::default(),
            ledger: Ledger::default(),
            check_interval: None,
            places: Default::default(),
            urgency: Urgency::Foreground,
            preload: false,
            title: "Orrery".into(),
            known_installed: false,
            import: Import::default(),
            play,
        };
        Opened { game: Game::open(config, session.clone()), session }
    }

    /// Installs the game. What is to stay stays while its file `stay` is there.
    pub async fn installed(&self) -> Opened {
        let opened = self.open(kept());
        opened.game.perform(Action::Install).await.unwrap();
        fs::write(self.dir().join("stay"), "").unwrap();
        opened
    }

    /// Lets what stays end.
    pub fn leave(&self) {
        fs::remove_file(self.dir().join("stay")).unwrap();
    }

    /// The process that `world.sh` is.
    #[must_use]
    pub fn world(&self) -> String {
        let path = self.dir().join("world.pid");
        eventually(LIMIT, "the world begins", || {
            fs::read_to_string(&path).is_ok_and(|pid| pid.ends_with('\n'))
        });
        fs::read_to_string(path).unwrap().trim().to_owned()
    }

    /// Where the run of its game is remembered.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        let runs = fs::read_dir(self.base.path().join("state/runs")).unwrap();
        runs.map(|entry| entry.unwrap().path()).next().unwrap()
    }
}

/// A start whose words are kept.
#[must_use]
pub fn kept() -> Play {
    Play { output: Output::Kept, ..Play::default() }
}

/// Whether a process is there.
#[must_use]
pub fn lives(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// A game that is open.
#[derive(Debug)]
pub struct Opened {
    /// Its handle.
    pub game: Game,
    session: Session,
}

impl Opened {
    /// The first snapshot from now on of which that is so.
    pub async fn until(&self, what: &str, done: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let mut snapshot = self.game.snapshot();
        let seen = tokio::time::timeout(LIMIT, snapshot.wait_for(|snapshot| done(snapshot))).await;
        seen.unwrap_or_else(|_| panic!("{what}: {:?}", self.game.snapshot().borrow().phase)).unwrap().clone()
    }

    /// Waits until the game is over.
    pub async fn until_over(&self) -> Snapshot {
        self.until("over", |snapshot| matches!(snapshot.phase, Phase::Ready | Phase::Offline)).await
    }

    /// Closes it.
    pub async fn end(self) {
        self.game.close().await;
        self.session.close().await;
    }
}

/// What still runs beside the program that was started.
#[must_use]
pub fn still(snapshot: &Snapshot) -> &[String] {
    match &snapshot.phase {
        Phase::Running { still, .. } => still,
        _ => &[],
    }
}
