//! Takes part in torrents with as many peers of ours as are wanted, to see what a swarm costs.
//!
//! `transfer DIR TORRENT… [--have] [--crowd N] [--peer ADDR]… [--up BYTES_PER_SECOND]` prints
//! `{"t":"ready","listen":"ip:port"}` and `{"t":"complete"}` and stays until its standard input ends.
//! `--have`: everything is in DIR. `--crowd N`: N peers in this one process, which keep nothing of what
//! they fetch but pass on what `DIR` holds, so that the process at the other end is what is measured.

use engine::{
    piece_store::{PieceStore, PieceStoreError},
    session::{Caps, Exchange, OriginUse, Session, SessionConfig, Torrent, TorrentEvent},
    torrent_folder::TorrentFolder,
};
use release::metainfo::Metainfo;
use std::{
    error::Error,
    io::{Read, Write},
    net::SocketAddr,
    path::Path,
    sync::Arc,
};
use store::fs::RealFs;
use swarm::Bitfield;

/// Reads from a folder and forgets what is written.
#[derive(Debug)]
struct Forgetful(Arc<TorrentFolder>);

impl PieceStore for Forgetful {
    fn read(&self, piece: u32, begin: u32, length: u32) -> Result<Vec<u8>, PieceStoreError> {
        self.0.read(piece, begin, length)
    }

    fn read_into(&self, piece: u32, begin: u32, buffer: &mut [u8]) -> Result<(), PieceStoreError> {
        self.0.read_into(piece, begin, buffer)
    }

    fn write(&self, _: u32, _: u32, _: &[u8]) -> Result<(), PieceStoreError> {
        Ok(())
    }

    fn verified(&self, _: u32) {}

    fn flush(&self) -> Result<(), PieceStoreError> {
        Ok(())
    }
}

#[derive(Default)]
struct Words {
    files: Vec<String>,
    have: bool,
    crowd: usize,
    peers: Vec<SocketAddr>,
    up: Option<u64>,
}

fn words() -> Result<Words, Box<dyn Error>> {
    let mut words = Words::default();
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        let mut next = || given.next().ok_or("a word is missing");
        match word.as_str() {
            "--have" => words.have = true,
            "--crowd" => words.crowd = next()?.parse()?,
            "--peer" => words.peers.push(next()?.parse()?),
            "--up" => words.up = Some(next()?.parse()?),
            _ => words.files.push(word),
        }
    }
    Ok(words)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words = words()?;
    let (dir, torrents) = words.files.split_first().ok_or("DIR TORRENT…")?;
    let metainfos: Result<Vec<Metainfo>, Box<dyn Error>> =
        torrents.iter().map(|torrent| Ok(Metainfo::parse(&std::fs::read(torrent)?)?)).collect();
    let metainfos = metainfos?;
    let mut sessions = Vec::new();
    for _ in 0..words.crowd.max(1) {
        let caps = Caps { up: words.up, ..Caps::default() };
        let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let session = Session::start(&SessionConfig { listen, caps, ..SessionConfig::default() })?;
        for metainfo in &metainfos {
            let mut events = add(&session, metainfo, Path::new(dir), &words);
            tokio::spawn(async move {
                while let Some(event) = events.recv().await {
                    if event == TorrentEvent::Complete {
                        say("complete", "");
                    }
                }
            });
        }
        say("ready", &session.local_addr().to_string());
        sessions.push(session);
    }
    // Ends with its input.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    for session in &sessions {
        session.close().await;
    }
    Ok(())
}

fn add(
    session: &Session,
    metainfo: &Metainfo,
    dir: &Path,
    words: &Words,
) -> tokio::sync::mpsc::UnboundedReceiver<TorrentEvent> {
    let folder = Arc::new(TorrentFolder::new(Arc::new(RealFs), dir, metainfo));
    let pieces = metainfo.layout.piece_count();
    let store: Arc<dyn PieceStore> =
        if words.crowd > 0 { Arc::new(Forgetful(Arc::clone(&folder))) } else { folder.clone() };
    let (_, events) = session.add(Torrent {
        infohash: metainfo.infohash,
        layout: folder.layout(),
        layers: metainfo.layers.clone(),
        have: if words.have { Bitfield::full(pieces) } else { Bitfield::empty(pieces) },
        excluded: Vec::new(),
        store,
        trackers: Vec::new(),
        origins: Vec::new(),
        peers: words.peers.clone(),
        exchange: Exchange::Everybody,
        origin_use: OriginUse::default(),
        upload: true,
    });
    events
}

fn say(what: &str, listen: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody may be listening any more.
    let _ = writeln!(out, r#"{{"t":"{what}","listen":"{listen}"}}"#).and_then(|()| out.flush());
}
