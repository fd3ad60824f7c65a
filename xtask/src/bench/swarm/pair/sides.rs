//! How each client is started, as a seed and as a peer.

use super::Wares;
use crate::{
    bench::{
        fleet::Fleet,
        netns::Node,
        payload::Scratch,
        swarm::{
            Context,
            client::{Client, Job, PEER_PORT},
            origin, rqbit,
        },
    },
    failure::{AtPath, Failure},
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const LOOPBACK: &str = "127.0.0.1";
const START_LIMIT: Duration = Duration::from_secs(120);

/// One run's people.
pub(super) struct Sides<'a> {
    pub(super) client: Client,
    pub(super) context: &'a Context,
    pub(super) wares: &'a Wares,
    pub(super) run: &'a Scratch,
    pub(super) node: &'a Node,
}

impl Sides<'_> {
    /// Starts whoever has everything, and waits until it listens.
    pub(super) fn start_seed(&self, fleet: &mut Fleet, logs: &Path) -> Result<usize, Failure> {
        let home = &self.wares.goods.home;
        match self.client {
            Client::Curl => origin::http_at(fleet, self.node, LOOPBACK, home, logs),
            Client::Aria2 => {
                let tracker = &self.wares.v1_infohash;
                origin::tracker_at(fleet, self.node, LOOPBACK, tracker, logs)?;
                // Believes what it has, as the others' seeds do.
                let mut seed = self.aria2(PEER_PORT, home);
                let seed =
                    fleet.start("aria2", seed.args(["--seed-ratio=0", "--bt-seed-unverified=true"]))?;
                origin::listens(fleet.id(seed), PEER_PORT)?;
                // Time to tell the tracker of itself.
                std::thread::sleep(Duration::from_secs(2));
                Ok(seed)
            }
            Client::Rqbit => {
                let (torrent, own) = (self.wares.torrent(self.client), self.run.folder("rqbit")?);
                let seed = fleet.start("rqbit", &mut rqbit::seed(self.node, torrent, home, &own)?)?;
                origin::listens(fleet.id(seed), rqbit::SEED_PORT)?;
                rqbit::wait_until_live(fleet, seed)?;
                Ok(seed)
            }
            _ => {
                let seed = fleet.start(
                    "seed",
                    &mut self.job(PEER_PORT, home.clone()).command(self.client, self.node, self.context),
                )?;
                if self.client.waits_for_word() {
                    fleet.all_said(&[seed], "prepared", START_LIMIT)?;
                    fleet.tell(seed, "go")?;
                }
                fleet.all_said(&[seed], "ready", START_LIMIT)?;
                Ok(seed)
            }
        }
    }

    /// Starts whoever wants everything; says from when its time counts.
    pub(super) fn start_peer(&self, fleet: &mut Fleet) -> Result<(usize, Instant), Failure> {
        let folder = self.run.folder("peer")?;
        match self.client {
            Client::Curl => {
                let mut curl = self.curl(&folder)?;
                let started = Instant::now();
                Ok((fleet.start_to_end("curl", &mut curl)?, started))
            }
            Client::Aria2 => {
                let mut peer = self.aria2(PEER_PORT + 1, &folder);
                let started = Instant::now();
                Ok((fleet.start_to_end("aria2", peer.arg("--seed-time=0"))?, started))
            }
            Client::Rqbit => {
                let home = self.run.folder("rqbit-peer")?;
                let mut peer = rqbit::peer(self.node, self.wares.torrent(self.client), &folder, &home)?;
                let started = Instant::now();
                Ok((fleet.start_to_end("rqbit", &mut peer)?, started))
            }
            _ => {
                let seed = vec![format!("{LOOPBACK}:{PEER_PORT}")];
                let job = Job { peers: seed, trust: false, ..self.job(PEER_PORT + 1, folder) };
                let mut command = job.command(self.client, self.node, self.context);
                let mut started = Instant::now();
                let peer = fleet.start("peer", &mut command)?;
                if self.client.waits_for_word() {
                    fleet.all_said(&[peer], "prepared", START_LIMIT)?;
                    started = Instant::now();
                    fleet.tell(peer, "go")?;
                }
                Ok((peer, started))
            }
        }
    }

    fn job(&self, port: u16, folder: PathBuf) -> Job {
        Job {
            torrent: self.wares.torrent(self.client).to_path_buf(),
            folder,
            home: self.run.path("home"),
            listen: Some(format!("{LOOPBACK}:{port}")),
            trust: true,
            ..Job::default()
        }
    }

    fn aria2(&self, port: u16, folder: &Path) -> Command {
        let mut aria2 = self.node.command("aria2c");
        aria2.args(["--no-conf", "--quiet", "--enable-dht=false", "--enable-peer-exchange=false"]);
        aria2.args(["--bt-enable-lpd=false", "--file-allocation=none", "--allow-overwrite=true"]);
        aria2.arg(format!("--listen-port={port}")).arg("--dir").arg(folder);
        aria2.arg(format!("--bt-tracker=http://{LOOPBACK}:{}/announce", origin::TRACKER_PORT));
        aria2.arg(self.wares.torrent(self.client));
        aria2
    }

    /// Every file by one connection, as `curl` does when it is given a list.
    fn curl(&self, folder: &Path) -> Result<Command, Failure> {
        let mut list = String::new();
        let share = self.wares.goods.home.join("share");
        let mut open = vec![share.clone()];
        while let Some(place) = open.pop() {
            for entry in std::fs::read_dir(&place).at(&place)? {
                let path = entry.at(&place)?.path();
                if path.is_dir() {
                    open.push(path);
                } else if let Ok(inside) = path.strip_prefix(&self.wares.goods.home) {
                    let (url, port, out) = (inside.display(), origin::HTTP_PORT, folder.join(inside));
                    list += &format!("url = http://{LOOPBACK}:{port}/{url}\noutput = {}\n", out.display());
                }
            }
        }
        let config = self.run.path("curl.list");
        std::fs::write(&config, list).at(&config)?;
        let mut curl = self.node.command("curl");
        curl.args(["--silent", "--show-error", "--fail", "--create-dirs", "--config"]).arg(config);
        Ok(curl)
    }
}
