//! nginx as a plain static host: a configuration, a port and a log of its own, ended by its own id.

use crate::child::Running;
use std::{
    fs,
    net::{TcpListener, TcpStream},
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// Where Debian puts it, which is in few people's path.
const PROGRAM: &str = "/usr/sbin/nginx";
/// Longest until it listens.
const READY_LIMIT: Duration = Duration::from_secs(20);

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    _program: Running,
    port: u16,
    log: PathBuf,
}

/// A request as its access log has it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Number of the connection it came over.
    pub connection: u64,
    /// Status of the answer.
    pub status: u16,
    /// Bytes of the body sent.
    pub bytes: u64,
    /// The range asked for, where both ends were named.
    pub range: Option<Range<u64>>,
    /// Path asked for, unescaped.
    pub path: String,
}

impl Nginx {
    /// Serves the folder `root`; its own files lie in `dir`.
    #[must_use]
    pub fn serve(root: &Path, dir: &Path) -> Self {
        Self::serve_with(root, dir, "")
    }

    /// The same, but for what lies below `content/` it sends everybody to another host that has it, as a publisher does
    /// who uses a content network: 127.0.0.2, at the same port.
    #[must_use]
    pub fn serve_redirected(root: &Path, dir: &Path) -> Self {
        Self::serve_with(
            root,
            dir,
            "location /content/ { return 302 http://127.0.0.2:$server_port$request_uri; }",
        )
    }

    fn serve_with(root: &Path, dir: &Path, more: &str) -> Self {
        assert!(
            Path::new(PROGRAM).exists(),
            "{PROGRAM} is missing: `cargo xtask setup` brings it (Debian package nginx-light)"
        );
        fs::create_dir_all(dir).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (config, log) = (dir.join("nginx.conf"), dir.join("access.log"));
        fs::write(&config, configuration(root, dir, port, more)).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("-e").arg(dir.join("error.log")).arg("-p").arg(dir).arg("-c").arg(&config);
        let mut program = Running::start("nginx", &mut command);
        let until = Instant::now() + READY_LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = program.ended_within(Duration::from_millis(20));
            assert!(ended.is_none() && Instant::now() < until, "nginx: {ended:?} {}", program.errors());
        }
        Self { _program: program, port, log }
    }

    /// Its address, ending with a slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Every request answered so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        requests(&self.log)
    }

    /// The same at the other host, see [`Nginx::serve_redirected`].
    #[must_use]
    pub fn requests_elsewhere(&self) -> Vec<Request> {
        requests(&self.log.with_file_name("elsewhere.log"))
    }
}

fn configuration(root: &Path, dir: &Path, port: u16, more: &str) -> String {
    let (root, dir) = (root.display(), dir.display());
    // One process, so that ending it ends all of it; as root it must stay root to read a test's folders.
    format!(
        r#"daemon off;
master_process off;
pid "{dir}/nginx.pid";
events {{ worker_connections 256; }}
http {{
    log_format plain '$connection $status $body_bytes_sent "$http_range" $uri';
    access_log "{dir}/access.log" plain;
    client_body_temp_path "{dir}/body";
    proxy_temp_path "{dir}/proxy";
    fastcgi_temp_path "{dir}/fastcgi";
    uwsgi_temp_path "{dir}/uwsgi";
    scgi_temp_path "{dir}/scgi";
    types {{ text/html html; application/json json; }}
    default_type application/octet-stream;
    sendfile on;
    server {{
        listen 127.0.0.1:{port};
        root "{root}";
        {more}
    }}
    server {{
        listen 127.0.0.2:{port};
        root "{root}";
        access_log "{dir}/elsewhere.log" plain;
    }}
}}
"#
    )
}

fn requests(log: &Path) -> Vec<Request> {
    fs::read_to_string(log).unwrap_or_default().lines().map(parse).collect()
}

fn parse(line: &str) -> Request {
    let wrong = "every access log line has the form that the configuration gives it";
    let mut words = line.splitn(4, ' ');
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).expect(wrong);
    let (connection, status, bytes) = (number(), number(), number());
    let rest = words.next().expect(wrong);
    let (range, path) = rest.trim_start_matches('"').split_once("\" ").expect(wrong);
    let range =
        range.strip_prefix("bytes=").and_then(|text| text.split_once('-')).and_then(|(first, last)| {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            Some(first..last + 1)
        });
    Request { connection, status: u16::try_from(status).unwrap(), bytes, range, path: path.to_owned() }
}
