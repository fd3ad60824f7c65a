//! A capped peer on a cable of its own, with one or twenty others at its other end.

use crate::{
    child::Running,
    muster::{Person, text},
    programs,
    share::Share,
    wire_meter::{Cable, End, Figures, Meter, Trace, Way},
};
use std::{path::Path, time::Duration};

/// Longest until a program says that it listens.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// A start is no measure of a cap: the first windows of TCP are as large as they are.
pub const SETTLED: Duration = Duration::from_secs(3);

/// Who shares, on which cable.
#[derive(Debug)]
pub struct Capped<'a> {
    /// What is shared.
    pub share: &'a Share,
    /// The cable.
    pub cable: Cable,
    others: Vec<Running>,
    /// The peer at the near end, which has the cap.
    pub near: Running,
}

impl<'a> Capped<'a> {
    /// A peer with this cap in bytes per second at the near end, and `peers` without one at the far end. The near one
    /// seeds where its upload is capped, and downloads where its download is.
    #[must_use]
    pub fn start(share: &'a Share, tag: &str, way: Way, cap: u64, peers: usize) -> Self {
        let cable = Cable::lay(tag);
        let limit = cap.to_string();
        match way {
            Way::Up => {
                let words = ["--trust", "--stay", "--limit-up", &limit];
                let (near, listen) = start(share, &cable, End::Near, "near", Some(&share.seed_dir()), &words);
                // Whoever uploads nothing lets the capped one alone serve all.
                let from = ["--peer", &listen, "--stay", "--limit-up", "0"];
                let others = (0..peers).map(|peer| {
                    let name = format!("{tag}-far-{peer}");
                    start(share, &cable, End::Far, &name, None, &from).0
                });
                let others = others.collect();
                Self { share, cable, others, near }
            }
            Way::Down => {
                let mut words = vec!["--limit-down".to_owned(), limit];
                let mut others = Vec::new();
                for peer in 0..peers {
                    let name = format!("{tag}-far-{peer}");
                    let seed = Some(share.seed_dir());
                    let (program, listen) =
                        start(share, &cable, End::Far, &name, seed.as_deref(), &["--trust", "--stay"]);
                    others.push(program);
                    words.extend(["--peer".to_owned(), listen]);
                }
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let (near, _) = start(share, &cable, End::Near, &format!("{tag}-near"), None, &words);
                Self { share, cable, others, near }
            }
        }
    }

    /// What the cable carries in this time.
    #[must_use]
    pub fn meter(&self, time: Duration) -> Trace {
        let meter = Meter::start(self.near.id());
        std::thread::sleep(time);
        meter.stop()
    }

    /// How many there are at the far end.
    #[must_use]
    pub fn others(&self) -> usize {
        self.others.len()
    }
}

/// How a cap is kept for `seconds` after the start has settled.
#[must_use]
pub fn measure(share: &Share, tag: &str, way: Way, cap: u64, peers: usize, seconds: u64) -> Figures {
    let capped = Capped::start(share, tag, way, cap, peers);
    capped.meter(SETTLED + Duration::from_secs(seconds)).against(cap, way, SETTLED)
}

/// Starts a `muster torrent get` and returns it with its address.
fn start(
    share: &Share,
    cable: &Cable,
    end: End,
    name: &str,
    dir: Option<&Path>,
    options: &[&str],
) -> (Running, String) {
    let person: Person = share.person(name);
    let place = dir.map_or_else(|| share.place(name), Path::to_path_buf);
    let mut command = cable.command(end, programs::muster());
    let listen = format!("{}:0", cable.address(end));
    command.args(["torrent", "get", text(&share.torrent), "--dir", text(&place)]);
    command.args(["--listen", &listen, "--no-lan", "--json"]).args(options);
    person.at_home(&mut command);
    let mut program = Running::start(name, &mut command);
    let ready = program.wait_for_json(READY_LIMIT, "ready");
    let listen = ready["listen"].as_str().unwrap_or_default().to_owned();
    (program, listen)
}
