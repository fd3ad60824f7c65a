//! opentracker, the tracker that stands in for ours: HTTP and UDP at one port of loopback, for named torrents only.

use crate::child::{Running, eventually};
use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::Command,
    time::Duration,
};

/// A running opentracker.
#[derive(Debug)]
pub struct OpenTracker {
    port: u16,
    _program: Running,
    /// Its list of torrents lies there.
    _dir: tempfile::TempDir,
}

impl OpenTracker {
    /// For torrents with these infohashes, in hex; of a v2 infohash the first 20 bytes count (BEP 52).
    #[must_use]
    pub fn start(infohashes: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let list: String = infohashes.iter().map(|infohash| format!("{}\n", &infohash[..40])).collect();
        fs::write(dir.path().join("list"), list).unwrap();
        readable_by_all(dir.path());
        // Free a moment ago, over TCP and most likely over UDP too.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = port.to_string();
        let mut command = Command::new("opentracker");
        command.args(["-i", "127.0.0.1", "-p", &text, "-P", &text, "-w", "list", "-d"]).arg(dir.path());
        command.current_dir(dir.path());
        let program = Running::start("opentracker (Debian package)", &mut command);
        eventually(Duration::from_secs(10), "opentracker listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { port, _program: program, _dir: dir }
    }

    /// Where peers announce over HTTP.
    #[must_use]
    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}/announce", self.port)
    }

    /// Where peers announce over UDP.
    #[must_use]
    pub fn udp(&self) -> String {
        format!("udp://127.0.0.1:{}/announce", self.port)
    }
}

/// It reads its list as nobody in particular.
fn readable_by_all(dir: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
    #[cfg(not(unix))]
    let _everybody_may = dir;
}
