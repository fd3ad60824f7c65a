"""One libtorrent peer of a measured swarm, speaking JSON Lines.

    bench_peer.py TORRENT FOLDER --listen IP:PORT [--profile default|tcp|tuned] [--tracker URL] [--peer IP:PORT]...
                  [--web-seed URL]... [--trust] [--limit-up N] [--limit-down N] [--connections N]

Prints {"t":"prepared"} when nothing but the torrent is missing, waits for a line on its standard input, adds the
torrent, prints {"t":"ready"} and {"t":"progress"} lines, and {"t":"complete"} once it has everything; serves on until its
standard input ends. FOLDER is where the torrent's own folder lies or shall lie.
"""

import argparse
import sys
import time

import libtorrent as lt

from lt_common import ALONE, TCP_ONLY, add, input_waits, say, session_of, tell_errors, wish_for

PROGRESS_SECONDS = 0.5

# A million pieces fit.
LIMITS = {"max_buffer_size": 100_000_000, "max_pieces": 0x200000}

# The best settings we know for a flash crowd.
TUNED = {
    **TCP_ONLY,
    "unchoke_interval": 5,
    "optimistic_unchoke_interval": 10,
    "unchoke_slots_limit": 5,
    "request_queue_time": 1,
    "predictive_piece_announce": 200,
    # By default a web seed is asked for 16 MiB at once: whole files, by every peer.
    "urlseed_max_request_bytes": 1048576,
    "urlseed_pipeline_size": 1,
}


def start_session(options):
    settings = {**ALONE, "stop_tracker_timeout": 1, **{"default": {}, "tcp": TCP_ONLY, "tuned": TUNED}[options.profile]}
    settings["listen_interfaces"] = options.listen
    if options.connections:
        settings["connections_limit"] = options.connections
    settings["upload_rate_limit"] = options.limit_up
    settings["download_rate_limit"] = options.limit_down
    return session_of(settings)


def wish(options):
    params = wish_for(lt.torrent_info(options.torrent, LIMITS), options.folder, options.trust)
    params.trackers = options.tracker
    params.url_seeds = options.web_seed
    # Whoever is given peers by name knows these and no others.
    if options.peer:
        params.flags |= lt.torrent_flags.disable_pex
    return params


def figures(status):
    return {
        "done_bytes": status.total_wanted_done,
        "total_bytes": status.total_wanted,
        "rates": {"down": status.download_payload_rate, "up": status.upload_payload_rate},
        "peers": status.num_peers,
    }


def follow(session, handle):
    """Says how it goes until the input ends."""
    complete = ready = False
    told = 0.0
    while True:
        tell_errors(session)
        status = handle.status()
        if not ready and status.state not in (
            lt.torrent_status.checking_files,
            lt.torrent_status.checking_resume_data,
        ):
            ready = True
            say("ready")
        if ready and not complete and status.is_seeding:
            complete = True
            say("complete", **figures(status))
        if ready and time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            say("progress", **figures(status))
        if input_waits():
            return


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("torrent")
    parser.add_argument("folder")
    parser.add_argument("--listen", required=True)
    parser.add_argument("--profile", choices=["default", "tcp", "tuned"], default="default")
    parser.add_argument("--tracker", action="append", default=[])
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--web-seed", action="append", default=[])
    parser.add_argument("--trust", action="store_true")
    parser.add_argument("--connections", type=int, default=0)
    parser.add_argument("--limit-up", type=int, default=0)
    parser.add_argument("--limit-down", type=int, default=0)
    options = parser.parse_args()
    session = start_session(options)
    params = wish(options)
    say("prepared", version=lt.version)
    if not sys.stdin.readline():
        return
    follow(session, add(session, params, options.peer))


main()
