//! The loopback port that the browser comes back to (RFC 8252 §7.3).
//!
//! Invariant: the port is open before the browser is, takes redirects only, and is closed the moment one is taken or the wait is
//! dropped. A silent or slow connection blocks nobody, and at most [`VISITORS_MAX`] are held at a time.

use super::callback::{self, Expected, Redirect, Verdict};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What ends a request's head.
const HEAD_END: &[u8] = b"\r\n\r\n";
/// Bytes of a request's head.
const HEAD_MAX: usize = 16 * 1024;
/// Time for a request's head and its answer.
const VISIT_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections held at a time; a browser opens a few ahead of need.
const VISITORS_MAX: usize = 16;

/// The open port.
#[derive(Debug)]
pub(crate) struct Loopback {
    listener: TcpListener,
    address: SocketAddr,
}

impl Loopback {
    /// Opens a free port: on 127.0.0.1, or on ::1 where there is no IPv4.
    pub(crate) async fn open() -> io::Result<Self> {
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await?,
        };
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Address and port as a browser sends them; a literal, for `localhost` may mean anything.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// The address the provider sends the browser back to.
    pub(crate) fn redirect_address(&self) -> String {
        format!("http://{}{}", self.address, callback::PATH)
    }

    /// Waits for the redirect, answers it with a page that names `brand`, and closes the port.
    pub(crate) async fn wait(self, expected: &Expected, brand: &str) -> io::Result<Redirect> {
        let mut visits = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if visits.len() < VISITORS_MAX => {
                    visits.push(visit(accepted?.0, expected, brand));
                }
                Some(taken) = visits.next() => {
                    if let Some(redirect) = taken {
                        return Ok(redirect);
                    }
                }
            }
        }
    }
}

/// One connection, one request, one answer. A visitor that misbehaves is just gone.
async fn visit(mut stream: TcpStream, expected: &Expected, brand: &str) -> Option<Redirect> {
    let talk = async {
        let head = read_head(&mut stream).await?;
        let verdict = callback::judge(&head, expected);
        stream.write_all(answer(&verdict, brand).as_bytes()).await?;
        stream.shutdown().await?;
        io::Result::Ok(verdict)
    };
    match tokio::time::timeout(VISIT_TIMEOUT, talk).await {
        Ok(Ok(Verdict::Take(redirect))) => Some(redirect),
        Ok(Ok(Verdict::Answer(status))) => {
            tracing::debug!(status, "a request to the loopback port that is no redirect");
            None
        }
        Ok(Err(_)) | Err(_) => None,
    }
}

async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.windows(HEAD_END.len()).any(|window| window == HEAD_END) {
        let room = HEAD_MAX - head.len();
        if room == 0 || (&mut *stream).take(room as u64).read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    String::from_utf8(head).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// The page at the end: no script, no picture, nothing from outside but the brand's name, as text.
fn answer(verdict: &Verdict, brand: &str) -> String {
    let (status, words) = match verdict {
        Verdict::Take(Redirect::Code(_)) => ("200 OK", "You can close this page and go back to"),
        Verdict::Take(Redirect::Denied(_)) => ("200 OK", "The sign-in was not completed. Go back to"),
        Verdict::Answer(404) => ("404 Not Found", ""),
        Verdict::Answer(405) => ("405 Method Not Allowed", ""),
        Verdict::Answer(_) => ("400 Bad Request", ""),
    };
    let body = if words.is_empty() {
        String::new()
    } else {
        let brand = escape(brand);
        format!("<!doctype html><meta charset=utf-8><title>{brand}</title><p>{words} <b>{brand}</b>.</p>")
    };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Content-Security-Policy: default-src 'none'\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(host: &str, line: &str) -> String {
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn takes_one_redirect_beside_idle_and_foreign_visitors_then_closes() {
        let loopback = Loopback::open().await.unwrap();
        let host = loopback.host();
        assert_eq!(loopback.redirect_address(), format!("http://{host}/callback"));
        let expected =
            Expected { state: "s".into(), issuer: "i".into(), issuer_required: false, host: host.clone() };
        let waiting = tokio::spawn(async move { loopback.wait(&expected, "A <b> game").await });
        let _idle = TcpStream::connect(&host).await.unwrap();
        assert!(ask(&host, "GET /favicon.ico").await.starts_with("HTTP/1.1 404"));
        assert!(ask(&host, "GET /callback?code=x&state=wrong").await.starts_with("HTTP/1.1 400"));
        let page = ask(&host, "GET /callback?code=x&state=s").await;
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("A &lt;b&gt; game"), "{page}");
        assert_eq!(waiting.await.unwrap().unwrap(), Redirect::Code("x".into()));
        assert!(TcpStream::connect(&host).await.is_err(), "the port is closed");
    }
}
