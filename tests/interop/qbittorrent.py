"""One qBittorrent without a window, on loopback, speaking the same JSON Lines as peer.py.

    qbittorrent.py TORRENT FOLDER [--peer IP:PORT]... [--trust] [--stay] [--limit-up N] [--limit-down N]

Starts qbittorrent-nox with a profile of its own in a temporary folder, drives it over its web API, and
stops it by its own process id.
"""

import argparse
import json
import pathlib
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid

START_LIMIT = 20
STOP_LIMIT = 10
SETTINGS = """
[LegalNotice]
Accepted=true

[Application]
FileLogger\\Enabled=false

[BitTorrent]
Session\\AddExtensionToIncompleteFiles=false
Session\\BTProtocol=TCP
Session\\DHTEnabled=false
Session\\Interface=lo
Session\\InterfaceAddress=127.0.0.1
Session\\LSDEnabled=false
Session\\MultiConnectionsPerIp=true
Session\\PeXEnabled=true
Session\\Port={peers}
Session\\Preallocation=false
Session\\QueueingSystemEnabled=false
Session\\uTPRateLimited=true
Session\\IgnoreLimitsOnLAN=false

[Network]
PortForwardingEnabled=false

[Preferences]
General\\Locale=en
WebUI\\Address=127.0.0.1
WebUI\\CSRFProtection=false
WebUI\\Enabled=true
WebUI\\LocalHostAuth=false
WebUI\\Port={web}
WebUI\\UseUPnP=false
"""


def say(kind, **fields):
    print(json.dumps({"t": kind, "time": time.monotonic(), **fields}), flush=True)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Client:
    """The program and its web API."""

    def __init__(self, profile):
        self.peers_port, self.web_port = free_ports(2)
        config = pathlib.Path(profile, "qBittorrent", "config")
        config.mkdir(parents=True)
        config.joinpath("qBittorrent.conf").write_text(SETTINGS.format(peers=self.peers_port, web=self.web_port))
        self.log = open(pathlib.Path(profile, "log"), "w+")
        self.child = subprocess.Popen(
            ["qbittorrent-nox", f"--profile={profile}"],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def call(self, method, fields=None, files=None):
        boundary = uuid.uuid4().hex
        parts = []
        for name, value in (fields or {}).items():
            parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
        for name, (file, data) in (files or {}).items():
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
            parts.append(head.encode() + b"Content-Type: application/x-bittorrent\r\n\r\n" + data + b"\r\n")
        body = b"".join(parts) + f"--{boundary}--\r\n".encode() if parts else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.web_port}/api/v2/{method}", body)
        request.add_header("Content-Type", f"multipart/form-data; boundary={boundary}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def wait_until_up(self):
        until = time.monotonic() + START_LIMIT
        while True:
            try:
                return self.call("app/version")
            except (urllib.error.URLError, ConnectionError) as error:
                if self.child.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"qbittorrent-nox does not answer: {error}; it says: {self.said()}") from error
                time.sleep(0.05)

    def said(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def add(self, options):
        data = pathlib.Path(options.torrent).read_bytes()
        fields = {
            "savepath": options.folder,
            "contentLayout": "Original",
            "autoTMM": "false",
            "skip_checking": str(options.trust).lower(),
            "upLimit": options.limit_up,
            "dlLimit": options.limit_down,
        }
        answer = self.call("torrents/add", fields, {"torrents": ("a.torrent", data)})
        if answer != "Ok.":
            raise RuntimeError(f"the torrent was not taken: {answer}")

    def status(self):
        found = json.loads(self.call("torrents/info"))
        return found[0] if found else None

    def stop(self):
        """Asks it to end, which writes its cache to disk."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


def figures(status):
    return {
        "down": status["downloaded_session"],
        "up": status["uploaded_session"],
        "done": status["completed"],
        "total": status["size"],
        "peers": status["num_seeds"] + status["num_leechs"],
        "state": status["state"],
    }


def told_to_stop():
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready)


def run(client, options):
    version = client.wait_until_up()
    client.add(options)
    started = time.monotonic()
    ready = complete = False
    last = None
    while True:
        status = client.status()
        # A torrent that was just added is not listed yet, then without its metadata, then checked.
        if status and not ready and not status["state"].startswith(("checking", "meta", "allocating")):
            ready = True
            say("ready", listen=f"127.0.0.1:{client.peers_port}", version=version)
            if options.peer:
                client.call("torrents/addPeers", {"hashes": status["hash"], "peers": "|".join(options.peer)})
        if ready:
            last = figures(status)
            say("progress", **last)
            if not complete and status["progress"] == 1 and status["state"] in ("uploading", "stalledUP"):
                complete = True
                say("complete", seconds=time.monotonic() - started, **last)
        if complete and not options.stay:
            break
        if options.stay and told_to_stop():
            break
        time.sleep(0.1)
    client.stop()
    say("closed", **last)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("torrent")
    parser.add_argument("folder")
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--trust", action="store_true")
    parser.add_argument("--stay", action="store_true")
    parser.add_argument("--limit-up", type=int, default=0)
    parser.add_argument("--limit-down", type=int, default=0)
    options = parser.parse_args()
    # Ended by whoever started us, we still end what we started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as profile:
        client = Client(profile)
        try:
            run(client, options)
        finally:
            client.stop()


main()
