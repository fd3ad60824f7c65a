//! The demo's news: the files of `demo/feed` over HTTP, nothing else.

use crate::failure::Failure;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// Longest a reader may keep a connection without asking.
const IDLE: Duration = Duration::from_secs(30);
/// Longest line of a request that is read.
const LINE_MAX: u64 = 8 * 1024;

/// Serves `dir` until the process ends; returns where.
pub(super) fn serve(dir: PathBuf) -> Result<SocketAddr, Failure> {
    let started =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) =
        started.map_err(|source| Failure::NotStarted { program: "news feed".into(), source })?;
    let dir = Arc::new(dir);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let dir = Arc::clone(&dir);
            // A reader that goes away in the middle is its own affair.
            std::thread::spawn(move || drop(answer(stream, &dir, address)));
        }
    });
    Ok(address)
}

fn answer(stream: TcpStream, dir: &std::path::Path, address: SocketAddr) -> std::io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    let mut reader = BufReader::new(std::io::Read::take(stream.try_clone()?, LINE_MAX));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let name = line.split_whitespace().nth(1).unwrap_or("/").trim_start_matches('/');
    let mut stream = stream;
    match fs::read(dir.join(name)) {
        Ok(bytes) if is_plain(name) => {
            let bytes = with_address(name, bytes, address);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                content_type(name),
                bytes.len()
            );
            stream.write_all(head.as_bytes())?;
            stream.write_all(&bytes)
        }
        _ => stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    }
}

/// Whether it names a file of the folder, at most one folder down.
fn is_plain(name: &str) -> bool {
    let plain = |part: &str| {
        !part.starts_with('.') && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    name.split('/').count() <= 2 && name.split('/').all(plain)
}

/// Feeds name their pictures by full addresses; ours is known only now.
fn with_address(name: &str, bytes: Vec<u8>, address: SocketAddr) -> Vec<u8> {
    if !name.ends_with(".json") && !name.ends_with(".xml") {
        return bytes;
    }
    match String::from_utf8(bytes) {
        Ok(text) => text.replace("http://feed.invalid", &format!("http://{address}")).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("json") => "application/feed+json",
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css",
        Some("xml") => "application/atom+xml",
        Some("jpg") => "image/jpeg",
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        _ => "application/octet-stream",
    }
}
