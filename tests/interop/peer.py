"""One libtorrent peer on loopback, speaking JSON Lines.

    peer.py TORRENT FOLDER [--peer IP:PORT]... [--trust] [--stay] [--limit-up N] [--limit-down N]

FOLDER is where the torrent's own folder lies or shall lie. Prints {"t":"ready","listen":"ip:port"},
then {"t":"progress",...} four times a second, {"t":"complete",...} when it has everything, and
{"t":"closed",...} as the last line, after which every byte is on disk. Ends when complete, or with
--stay on a line (or the end) of its standard input.
"""

import argparse
import time

import libtorrent as lt

from lt_common import ALONE, TCP_ONLY, add, input_waits, say, session_of, tell_errors, wish_for


def start_session(options):
    return session_of(
        {
            **ALONE,
            **TCP_ONLY,
            "listen_interfaces": "127.0.0.1:0",
            "allow_multiple_connections_per_ip": True,
            "upload_rate_limit": options.limit_up,
            "download_rate_limit": options.limit_down,
            "close_redundant_connections": False,
            "min_reconnect_time": 1,
        }
    )


def wish(options):
    params = wish_for(lt.torrent_info(options.torrent), options.folder, options.trust)
    if options.sequential:
        params.flags |= lt.torrent_flags.sequential_download
    return params


def figures(status):
    return {
        "down": status.total_payload_download,
        "up": status.total_payload_upload,
        "done": status.total_wanted_done,
        "total": status.total_wanted,
        "peers": status.num_peers,
    }


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
    handle = add(session, wish(options), options.peer)
    started = time.monotonic()
    complete = ready = False
    told = 0.0
    while True:
        tell_errors(session)
        status = handle.status()
        if not ready and session.listen_port() and status.state != lt.torrent_status.checking_files:
            ready = True
            say("ready", time=time.monotonic(), listen=f"127.0.0.1:{session.listen_port()}", version=lt.__version__)
        if ready and time.monotonic() - told > 0.25:
            told = time.monotonic()
            say("progress", time=time.monotonic(), **figures(status))
        if ready and not complete and status.is_seeding:
            complete = True
            say("complete", time=time.monotonic(), seconds=time.monotonic() - started, **figures(status))
        if complete and not options.stay:
            break
        if options.stay and input_waits():
            break
    last = figures(handle.status())
    # Removing the torrent and dropping the session waits for the write cache.
    session.remove_torrent(handle)
    del handle
    del session
    say("closed", time=time.monotonic(), **last)


main()
