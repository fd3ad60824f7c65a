"""One libtorrent peer on loopback, speaking JSON Lines.

    peer.py TORRENT FOLDER [--peer IP:PORT]... [--trust] [--stay] [--limit-up N] [--limit-down N]

FOLDER is where the torrent's own folder lies or shall lie. Prints {"t":"ready","listen":"ip:port"},
then {"t":"progress",...} four times a second, {"t":"complete",...} when it has everything, and
{"t":"closed",...} as the last line, after which every byte is on disk. Ends when complete, or with
--stay on a line (or the end) of its standard input.
"""

import argparse
import json
import select
import sys
import time

import libtorrent as lt


def say(kind, **fields):
    print(json.dumps({"t": kind, "time": time.monotonic(), **fields}), flush=True)


def start_session(options):
    session = lt.session(
        {
            "listen_interfaces": "127.0.0.1:0",
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "enable_incoming_utp": False,
            "enable_outgoing_utp": False,
            "allow_multiple_connections_per_ip": True,
            "upload_rate_limit": options.limit_up,
            "download_rate_limit": options.limit_down,
            "close_redundant_connections": False,
            "min_reconnect_time": 1,
            "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.status_notification,
        }
    )
    # By default private addresses are in a class of their own, without caps and choking: here all
    # addresses are in the common class.
    everyone = lt.ip_filter()
    everyone.add_rule("0.0.0.0", "255.255.255.255", 1 << session.global_peer_class_id)
    session.set_peer_class_filter(everyone)
    return session


def add(session, options):
    wish = lt.add_torrent_params()
    wish.ti = lt.torrent_info(options.torrent)
    wish.save_path = options.folder
    wish.flags &= ~lt.torrent_flags.auto_managed
    wish.flags &= ~lt.torrent_flags.paused
    if options.trust:
        wish.flags |= lt.torrent_flags.seed_mode
    if options.sequential:
        wish.flags |= lt.torrent_flags.sequential_download
    handle = session.add_torrent(wish)
    for peer in options.peer:
        ip, port = peer.rsplit(":", 1)
        handle.connect_peer((ip, int(port)))
    return handle


def figures(status):
    return {
        "down": status.total_payload_download,
        "up": status.total_payload_upload,
        "done": status.total_wanted_done,
        "total": status.total_wanted,
        "peers": status.num_peers,
    }


def told_to_stop():
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("torrent")
    parser.add_argument("folder")
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--trust", action="store_true")
    parser.add_argument("--stay", action="store_true")
    parser.add_argument("--sequential", action="store_true")
    parser.add_argument("--limit-up", type=int, default=0)
    parser.add_argument("--limit-down", type=int, default=0)
    options = parser.parse_args()
    session = start_session(options)
    handle = add(session, options)
    started = time.monotonic()
    complete = ready = False
    told = 0.0
    while True:
        session.wait_for_alert(50)
        for alert in session.pop_alerts():
            if alert.category() & lt.alert.category_t.error_notification:
                print(alert.message(), file=sys.stderr, flush=True)
        status = handle.status()
        if not ready and session.listen_port() and status.state != lt.torrent_status.checking_files:
            ready = True
            say("ready", listen=f"127.0.0.1:{session.listen_port()}", version=lt.__version__)
        if ready and time.monotonic() - told > 0.25:
            told = time.monotonic()
            say("progress", **figures(status))
        if ready and not complete and status.is_seeding:
            complete = True
            say("complete", seconds=time.monotonic() - started, **figures(status))
        if complete and not options.stay:
            break
        if options.stay and told_to_stop():
            break
    last = figures(handle.status())
    # Removing the torrent and dropping the session waits for the write cache.
    session.remove_torrent(handle)
    del handle
    del session
    say("closed", **last)


main()
