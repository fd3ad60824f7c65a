//! A web server in the test's own process, honest or with one bad manner.

use std::{
    net::Ipv4Addr,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use url::Url;

/// How a server, or a box before it, behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Honest,
    /// 200 and the whole file, whatever range was asked for.
    IgnoresRanges,
    /// 206, of other bytes than asked for, and it says so.
    WrongRange,
    /// 206 with one byte more than the range has.
    WrongLength,
    /// Says that it compressed, as some proxies do unasked.
    Compresses,
    /// 200 and a login page.
    Portal,
    /// Sends everybody round in a circle.
    RedirectsToItself,
    /// Sends everybody to another port of this machine.
    RedirectsAway(u16),
    /// Sends everybody for the same path to another address, at its own port.
    RedirectsTo(Ipv4Addr),
    /// The head, then a byte now and then.
    Trickles,
    /// Closes in the middle of every body.
    CutsShort,
    /// 503 with `Retry-After: 1` for its first second.
    BusyAtFirst,
    /// 500, always.
    Broken,
    /// 404, always.
    Empty,
    /// Right lengths, wrong bytes.
    Lies,
    /// Right lengths, and one wrong byte at this offset of the large file.
    LiesAt(usize),
    /// So many bytes a millisecond.
    Slow(usize),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) connection: usize,
    pub(super) range: Option<Range<u64>>,
}

#[derive(Debug, Default)]
struct Shared {
    files: Vec<(String, Vec<u8>)>,
    seen: Mutex<Vec<Seen>>,
    sent: AtomicU64,
    connections: AtomicUsize,
}

/// It ends with the test's runtime.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) port: u16,
    shared: Arc<Shared>,
}

impl Server {
    /// Serves files by their path, without the slash before it.
    pub(super) async fn start(manner: Manner, files: Vec<(String, Vec<u8>)>) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0), manner, files).await
    }

    /// The same at an address of this machine.
    pub(super) async fn start_at(
        address: (Ipv4Addr, u16),
        manner: Manner,
        files: Vec<(String, Vec<u8>)>,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let shared = Arc::new(Shared { files, ..Shared::default() });
        let serving = Arc::clone(&shared);
        let began = Instant::now();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let connection = serving.connections.fetch_add(1, Ordering::Relaxed);
                let shared = Arc::clone(&serving);
                tokio::spawn(async move {
                    // A client that goes away is part of what is tested.
                    let _ = serve(socket, connection, manner, began, &shared).await;
                });
            }
        });
        Self { port, shared }
    }

    pub(super) fn url(&self) -> Url {
        format!("http://127.0.0.1:{}/", self.port).parse().expect("a URL")
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("not poisoned").clone()
    }

    /// Bytes of bodies that the system took.
    pub(super) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    pub(super) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

async fn serve(
    mut socket: TcpStream,
    connection: usize,
    manner: Manner,
    began: Instant,
    shared: &Shared,
) -> std::io::Result<()> {
    loop {
        let Some((path, range)) = request(&mut socket).await? else { return Ok(()) };
        let file = shared.files.iter().find(|(name, _)| *name == path);
        let range = range.map(|(first, last)| match (first, last, file) {
            (None, Some(bytes), Some((_, data))) => {
                (data.len() as u64).saturating_sub(bytes)..data.len() as u64
            }
            (first, last, _) => first.unwrap_or(0)..last.map_or(u64::MAX, |last| last + 1),
        });
        let seen = Seen { at: Instant::now(), connection, range: range.clone() };
        shared.seen.lock().expect("not poisoned").push(seen);
        let Some((_, data)) = file else {
            socket.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await?;
            continue;
        };
        let mut data = data.clone();
        if let Manner::LiesAt(at) = manner
            && let Some(byte) = data.get_mut(at)
        {
            *byte ^= 1;
        }
        let (head, body) = match manner {
            Manner::RedirectsTo(ip) => {
                let to = format!("http://{ip}:{}/{path}", socket.local_addr()?.port());
                (format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"), Vec::new())
            }
            _ => answer(manner, &data, range, began),
        };
        socket.write_all(head.as_bytes()).await?;
        let portion = match manner {
            Manner::Trickles => 1,
            Manner::Slow(bytes) => bytes,
            _ => 16 * 1024,
        };
        let end = if manner == Manner::CutsShort { body.len() / 2 } else { body.len() };
        for part in body[..end].chunks(portion) {
            socket.write_all(part).await?;
            shared.sent.fetch_add(part.len() as u64, Ordering::Relaxed);
            match manner {
                Manner::Trickles => tokio::time::sleep(Duration::from_millis(50)).await,
                Manner::Slow(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                _ => {}
            }
        }
        if end < body.len() {
            return Ok(());
        }
    }
}

type Wanted = Option<(Option<u64>, Option<u64>)>;

async fn request(socket: &mut TcpStream) -> std::io::Result<Option<(String, Wanted)>> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if socket.read(&mut byte).await? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let range = head.lines().find_map(|line| line.strip_prefix("range: bytes=")).map(|text| {
        let (first, last) = text.split_once('-').unwrap_or_default();
        (first.parse().ok(), last.parse().ok())
    });
    Ok(Some((path, range)))
}

fn answer(manner: Manner, data: &[u8], range: Option<Range<u64>>, began: Instant) -> (String, Vec<u8>) {
    let total = data.len() as u64;
    let part = |range: &Range<u64>| data[range.start as usize..range.end.min(total) as usize].to_vec();
    let whole = |more: &str, body: Vec<u8>| {
        (format!("HTTP/1.1 200 OK\r\n{more}content-length: {}\r\n\r\n", body.len()), body)
    };
    let none = |status: &str| (format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"), Vec::new());
    let partial = |range: &Range<u64>, shift: u64, length: u64, body: Vec<u8>| {
        let (first, last) = (range.start + shift, range.end.min(total) - 1 + shift);
        let named = format!("content-range: bytes {first}-{last}/{total}");
        (format!("HTTP/1.1 206 Partial Content\r\n{named}\r\ncontent-length: {length}\r\n\r\n"), body)
    };
    match manner {
        Manner::Portal => {
            whole("content-type: text/html\r\n", b"<html><form>Room number?</form></html>".to_vec())
        }
        Manner::RedirectsToItself => none("302 Found\r\nlocation: /again"),
        Manner::RedirectsAway(port) => none(&format!("302 Found\r\nlocation: http://127.0.0.1:{port}/f")),
        Manner::BusyAtFirst if began.elapsed() < Duration::from_secs(1) => {
            none("503 Service Unavailable\r\nretry-after: 1")
        }
        Manner::Broken => none("500 Internal Server Error"),
        Manner::Empty => none("404 Not Found"),
        Manner::Compresses => whole("content-encoding: gzip\r\n", vec![0x1f; 1000]),
        Manner::IgnoresRanges => whole("", data.to_vec()),
        _ => match range {
            None => whole("", lied(manner, data.to_vec())),
            Some(range) => {
                let body = lied(manner, part(&range));
                let length = body.len() as u64;
                match manner {
                    Manner::WrongRange => partial(&range, 1, length, body),
                    Manner::WrongLength => partial(&range, 0, length + 1, [body, vec![0]].concat()),
                    _ => partial(&range, 0, length, body),
                }
            }
        },
    }
}

fn lied(manner: Manner, mut body: Vec<u8>) -> Vec<u8> {
    if manner == Manner::Lies {
        body.iter_mut().for_each(|byte| *byte ^= 1);
    }
    body
}
