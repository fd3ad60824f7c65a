"""One libtorrent peer that knows of others only what local discovery (BEP 14) tells it, speaking JSON Lines.

    lan_peer.py TORRENT FOLDER [--trust]

FOLDER is where the torrent's own folder lies or shall lie. Listens on every interface. Prints {"t":"ready"}, and
{"t":"complete"} when it has everything. Stays until the end of its standard input.
"""

import argparse
import json
import select
import sys

import libtorrent as lt


def say(kind, **fields):
    print(json.dumps({"t": kind, **fields}), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("torrent")
    parser.add_argument("folder")
    parser.add_argument("--trust", action="store_true")
    options = parser.parse_args()
    session = lt.session(
        {
            "listen_interfaces": "0.0.0.0:0",
            "enable_dht": False,
            "enable_lsd": True,
            "enable_upnp": False,
            "enable_natpmp": False,
            "enable_incoming_utp": False,
            "enable_outgoing_utp": False,
            "alert_mask": lt.alert.category_t.error_notification,
        }
    )
    wish = lt.add_torrent_params()
    wish.ti = lt.torrent_info(options.torrent)
    wish.save_path = options.folder
    wish.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    if options.trust:
        wish.flags |= lt.torrent_flags.seed_mode
    handle = session.add_torrent(wish)
    ready = complete = False
    while not select.select([sys.stdin], [], [], 0)[0]:
        session.wait_for_alert(50)
        for alert in session.pop_alerts():
            print(alert.message(), file=sys.stderr, flush=True)
        status = handle.status()
        if not ready and session.listen_port() and status.state != lt.torrent_status.checking_files:
            ready = True
            say("ready")
        if not complete and status.is_seeding:
            complete = True
            handle.flush_cache()
            say("complete")


main()
