//! A small web server on loopback that counts what it sends, and misbehaves when told to.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// What it answers.
#[derive(Debug, Clone)]
enum Content {
    /// The files of a folder, with ranges.
    Folder(PathBuf),
    /// The same without ranges: every answer is the whole file, as some proxies have it.
    Whole(PathBuf),
    /// One page to every request, as a captive portal does.
    Portal(&'static str),
    /// Another place to every request, as others do.
    Elsewhere(&'static str),
}

/// The server; its port closes when it is dropped.
#[derive(Debug)]
pub struct WebServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    content: Content,
    stopped: AtomicBool,
    sent: AtomicU64,
    stop_after: u64,
    pace: Option<Pace>,
    /// The time that it says it is.
    date: Mutex<Option<String>>,
}

/// A rate for all connections together.
#[derive(Debug)]
struct Pace {
    bytes_per_second: u32,
    next: Mutex<Instant>,
}

impl Pace {
    /// Waits for the turn of so many bytes.
    fn wait(&self, bytes: usize) {
        let time = Duration::from_secs_f64(bytes as f64 / f64::from(self.bytes_per_second));
        let mut next = self.next.lock().unwrap();
        let turn = (*next).max(Instant::now());
        *next = turn + time;
        drop(next);
        std::thread::sleep(turn.saturating_duration_since(Instant::now()));
    }
}

impl WebServer {
    /// Serves `dir` with ranges.
    #[must_use]
    pub fn folder(dir: &Path) -> Self {
        Self::start(Content::Folder(dir.to_path_buf()), u64::MAX, None)
    }

    /// Serves `dir` with ranges at a rate, to all that ask together.
    #[must_use]
    pub fn folder_at(dir: &Path, bytes_per_second: u32) -> Self {
        let pace = Pace { bytes_per_second, next: Mutex::new(Instant::now()) };
        Self::start(Content::Folder(dir.to_path_buf()), u64::MAX, Some(pace))
    }

    /// Serves `dir` until it has sent `bytes` of bodies; then it is gone.
    #[must_use]
    pub fn folder_that_stops_after(dir: &Path, bytes: u64) -> Self {
        Self::start(Content::Folder(dir.to_path_buf()), bytes, None)
    }

    /// Answers every request with `page` and status 200.
    #[must_use]
    pub fn portal(page: &'static str) -> Self {
        Self::start(Content::Portal(page), u64::MAX, None)
    }

    /// Serves `dir` and answers every part that is asked for with the whole.
    #[must_use]
    pub fn folder_without_ranges(dir: &Path) -> Self {
        Self::start(Content::Whole(dir.to_path_buf()), u64::MAX, None)
    }

    /// Sends every request to `place` with status 302.
    #[must_use]
    pub fn elsewhere(place: &'static str) -> Self {
        Self::start(Content::Elsewhere(place), u64::MAX, None)
    }

    fn start(content: Content, stop_after: u64, pace: Option<Pace>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            content,
            stopped: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            stop_after,
            pace,
            date: Mutex::default(),
        });
        let server = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if server.stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(stream), server) = (stream, Arc::clone(&server)) else { continue };
                std::thread::spawn(move || serve(stream, &server));
            }
        });
        Self { address, shared }
    }

    /// Says from now on that this is the time, as in `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn tell_date(&self, date: &str) {
        *self.shared.date.lock().unwrap() = Some(date.to_owned());
    }

    /// Its address, ending with a slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Bytes of bodies sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the listener, which then sees that it is over.
        let _woken = TcpStream::connect(self.address);
    }
}

/// An address on which nobody listens.
#[must_use]
pub fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

fn serve(stream: TcpStream, shared: &Shared) {
    let _bounded = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let Ok(copy) = stream.try_clone() else { return };
    let (mut reader, mut writer) = (BufReader::new(copy), stream);
    while let Some(request) = read_request(&mut reader) {
        if respond(&mut writer, &request, shared).is_none() {
            return;
        }
    }
}

/// What is asked for.
struct Request {
    path: String,
    /// First and last byte, or without the first so many of the end, as in the header.
    range: Option<(Option<u64>, Option<u64>)>,
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split_whitespace().nth(1)?.trim_start_matches('/').to_owned();
    let mut range = None;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|read| *read > 0)?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            return Some(Request { path, range });
        }
        if let Some((from, to)) = header.strip_prefix("range: bytes=").and_then(|r| r.split_once('-')) {
            range = Some((from.parse().ok(), to.parse().ok()));
        }
    }
}

fn respond(writer: &mut TcpStream, request: &Request, shared: &Shared) -> Option<()> {
    if shared.stopped.load(Ordering::Relaxed) {
        return None;
    }
    let dir = match &shared.content {
        Content::Portal(page) => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n";
            return write!(writer, "{head}Content-Length: {}\r\n\r\n{page}", page.len()).ok();
        }
        Content::Elsewhere(place) => {
            let head = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n";
            return write!(writer, "{head}Location: {place}\r\n\r\n").ok();
        }
        Content::Folder(dir) | Content::Whole(dir) => dir,
    };
    let asked = request.range.filter(|_| matches!(shared.content, Content::Folder(_)));
    let found = fs::File::open(dir.join(decode(&request.path)?));
    let date = shared.date.lock().unwrap().clone();
    let date = date.map(|date| format!("Date: {date}\r\n")).unwrap_or_default();
    let Ok(mut file) = found else {
        return write!(writer, "HTTP/1.1 404 Not Found\r\n{date}Content-Length: 0\r\n\r\n").ok();
    };
    let size = file.metadata().ok()?.len();
    let (from, to) = match asked {
        Some((Some(from), to)) => (from, to.map_or(size, |to| (to + 1).min(size))),
        Some((None, last)) => (size.checked_sub(last?)?, size),
        None => (0, size),
    };
    let length = to.checked_sub(from)?;
    match asked {
        Some(_) => {
            write!(
                writer,
                "HTTP/1.1 206 Partial Content\r\n{date}Content-Range: bytes {from}-{}/{size}\r\n",
                to - 1
            )
            .ok()?;
        }
        None => write!(writer, "HTTP/1.1 200 OK\r\n{date}Accept-Ranges: bytes\r\n").ok()?,
    }
    write!(writer, "Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n").ok()?;
    file.seek(SeekFrom::Start(from)).ok()?;
    body(writer, &mut file.take(length), shared)
}

fn body(writer: &mut TcpStream, file: &mut impl Read, shared: &Shared) -> Option<()> {
    let mut part = [0; 16 * 1024];
    loop {
        let read = file.read(&mut part).ok()?;
        if read == 0 {
            return Some(());
        }
        let sent = shared.sent.fetch_add(read as u64, Ordering::Relaxed);
        if shared.stopped.load(Ordering::Relaxed) || sent > shared.stop_after {
            shared.stopped.store(true, Ordering::Relaxed);
            return None;
        }
        if let Some(pace) = &shared.pace {
            pace.wait(read);
        }
        writer.write_all(&part[..read]).ok()?;
    }
}

/// Undoes percent encoding.
fn decode(path: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), path.bytes());
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
