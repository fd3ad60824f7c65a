//! A proxy that counts: HTTP, with and without CONNECT, and SOCKS5, on one port.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A request's head is no longer.
const HEAD_MAX: usize = 64 * 1024;

/// See the module.
#[derive(Debug)]
pub struct CountingProxy {
    addr: SocketAddr,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl CountingProxy {
    /// Leads `name` to `origin`, and addresses of this machine to where they are; anything else is refused.
    #[must_use]
    pub fn start(name: &str, origin: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let asked: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let (counts, name) = (Arc::clone(&asked), name.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (counts, name) = (Arc::clone(&counts), name.clone());
                thread::spawn(move || {
                    let resolve = |target: &str| {
                        *counts.lock().unwrap().entry(target.to_owned()).or_default() += 1;
                        let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
                        if host == name { Some(origin) } else { target.parse().ok().filter(is_loopback) }
                    };
                    // Whoever hangs up in the middle has what it wanted.
                    let _served = serve(client, &resolve);
                });
            }
        });
        Self { addr, asked }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How often each host and port was asked for.
    #[must_use]
    pub fn asked(&self) -> BTreeMap<String, usize> {
        self.asked.lock().unwrap().clone()
    }

    /// How often anything was asked for.
    #[must_use]
    pub fn count(&self) -> usize {
        self.asked().values().sum()
    }
}

fn is_loopback(addr: &SocketAddr) -> bool {
    addr.ip().is_loopback()
}

fn serve(mut client: TcpStream, resolve: &dyn Fn(&str) -> Option<SocketAddr>) -> io::Result<()> {
    let mut first = [0];
    client.read_exact(&mut first)?;
    if first[0] == 5 { socks(client, resolve) } else { http(client, first[0], resolve) }
}

/// RFC 1928, without a password.
fn socks(mut client: TcpStream, resolve: &dyn Fn(&str) -> Option<SocketAddr>) -> io::Result<()> {
    let mut methods = vec![0; usize::from(byte(&mut client)?)];
    client.read_exact(&mut methods)?;
    client.write_all(&[5, 0])?;
    let mut head = [0; 4];
    client.read_exact(&mut head)?;
    let host = match head[3] {
        1 => {
            let mut ip = [0; 4];
            client.read_exact(&mut ip)?;
            Ipv4Addr::from(ip).to_string()
        }
        3 => {
            let mut name = vec![0; usize::from(byte(&mut client)?)];
            client.read_exact(&mut name)?;
            String::from_utf8_lossy(&name).into_owned()
        }
        _ => return client.write_all(&[5, 8, 0, 1, 0, 0, 0, 0, 0, 0]),
    };
    let port = u16::from_be_bytes([byte(&mut client)?, byte(&mut client)?]);
    match resolve(&format!("{host}:{port}")).map(TcpStream::connect) {
        Some(Ok(server)) => {
            client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
            join(client, server)
        }
        _ => client.write_all(&[5, 4, 0, 1, 0, 0, 0, 0, 0, 0]),
    }
}

fn http(mut client: TcpStream, first: u8, resolve: &dyn Fn(&str) -> Option<SocketAddr>) -> io::Result<()> {
    let mut head = vec![first];
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_MAX {
        head.push(byte(&mut client)?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let (line, rest) = head.split_once("\r\n").unwrap_or_default();
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method == "CONNECT" {
        let Some(Ok(server)) = resolve(target).map(TcpStream::connect) else {
            return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
        };
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        return join(client, server);
    }
    let away = target.strip_prefix("http://").unwrap_or_default();
    let (host, path) = away.split_once('/').unwrap_or((away, ""));
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let Some(Ok(mut server)) = resolve(&host).map(TcpStream::connect) else {
        return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    };
    // One request a connection, so that every one is counted.
    let kept: Vec<&str> =
        rest.trim_end().lines().filter(|line| !line.to_lowercase().starts_with("connection:")).collect();
    write!(server, "{method} /{path} HTTP/1.1\r\nconnection: close\r\n{}\r\n\r\n", kept.join("\r\n"))?;
    join(client, server)
}

/// Hands bytes both ways until both have ended.
fn join(client: TcpStream, server: TcpStream) -> io::Result<()> {
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let up = thread::spawn(move || {
        let _sent = io::copy(&mut from_client, &mut to_server);
        let _ended = to_server.shutdown(Shutdown::Write);
    });
    let (mut from_server, mut to_client) = (server, client);
    let copied = io::copy(&mut from_server, &mut to_client);
    let _ended = to_client.shutdown(Shutdown::Both);
    drop(up.join());
    copied.map(drop)
}

fn byte(stream: &mut TcpStream) -> io::Result<u8> {
    let mut one = [0];
    stream.read_exact(&mut one)?;
    Ok(one[0])
}
