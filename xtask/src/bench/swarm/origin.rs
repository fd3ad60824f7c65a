//! What is no peer: the tracker all clients share, and a plain static web server.

use super::super::{fleet::Fleet, netns::Node};
use crate::failure::{AtPath, Failure};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// opentracker's own.
pub(super) const TRACKER_PORT: u16 = 6969;
/// nginx's.
pub(super) const HTTP_PORT: u16 = 8080;
const START_LIMIT: Duration = Duration::from_secs(10);

/// Starts opentracker for one torrent; returns its number in the fleet.
///
/// Debian's build serves only what is on a list; a v2 torrent is there with the first 20 bytes of its infohash.
pub(super) fn tracker(
    fleet: &mut Fleet,
    node: &Node,
    infohash: &str,
    folder: &Path,
) -> Result<usize, Failure> {
    tracker_at(fleet, node, &node.ip, infohash, folder)
}

/// The same at another of the node's addresses.
pub(super) fn tracker_at(
    fleet: &mut Fleet,
    node: &Node,
    ip: &str,
    infohash: &str,
    folder: &Path,
) -> Result<usize, Failure> {
    let list = folder.join("whitelist");
    let short = infohash
        .get(..40)
        .ok_or_else(|| Failure::Unexpected { what: format!("{infohash} is no infohash") })?;
    std::fs::write(&list, format!("{short}\n")).at(&list)?;
    let mut command = node.command("opentracker");
    // It reads the list after it has made `folder` its root.
    command.args(["-i", ip, "-p", &TRACKER_PORT.to_string(), "-w", "whitelist", "-d"]).arg(folder);
    let who = fleet.start("opentracker", &mut command)?;
    listens(fleet.id(who), TRACKER_PORT)?;
    Ok(who)
}

/// Starts nginx over `folder`; its log of requests goes to `logs`.
pub(super) fn http(fleet: &mut Fleet, node: &Node, folder: &Path, logs: &Path) -> Result<usize, Failure> {
    http_at(fleet, node, &node.ip, folder, logs)
}

/// The same at another of the node's addresses.
pub(super) fn http_at(
    fleet: &mut Fleet,
    node: &Node,
    ip: &str,
    folder: &Path,
    logs: &Path,
) -> Result<usize, Failure> {
    let config = logs.join("nginx.conf");
    let (root, logs) = (folder.display(), logs.display());
    // One process and no master, so that its id is all there is to end.
    let text = format!(
        "daemon off; master_process off; worker_processes 1; pid {logs}/nginx.pid; error_log stderr;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  sendfile on; tcp_nopush on; keepalive_timeout 60s; keepalive_requests 100000;\n  \
         log_format ranges '$msec $remote_addr $status $body_bytes_sent $request_time $http_range $uri';\n  \
         access_log {logs}/access.log ranges;\n  client_body_temp_path {logs}/t1; proxy_temp_path {logs}/t2;\n  \
         fastcgi_temp_path {logs}/t3; uwsgi_temp_path {logs}/t4; scgi_temp_path {logs}/t5;\n  \
         server {{ listen {ip}:{HTTP_PORT}; root {root}; }}\n}}\n"
    );
    std::fs::write(&config, text).at(&config)?;
    let mut command = node.command("nginx");
    command.arg("-c").arg(&config).args(["-e", "stderr"]);
    let who = fleet.start("nginx", &mut command)?;
    listens(fleet.id(who), HTTP_PORT)?;
    Ok(who)
}

/// Waits until a socket listens at `port` in the network of the process `id`.
pub(super) fn listens(id: u32, port: u16) -> Result<(), Failure> {
    let wanted = format!(":{port:04X} 00000000:0000 0A");
    let until = Instant::now() + START_LIMIT;
    while Instant::now() < until {
        // Not there before the program runs, or no longer when it has ended: the latter the fleet says.
        let table = std::fs::read_to_string(format!("/proc/{id}/net/tcp")).unwrap_or_default();
        if table.contains(&wanted) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(Failure::Late { what: format!("a listener at port {port}"), seconds: START_LIMIT.as_secs() })
}
