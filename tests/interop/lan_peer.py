"""One libtorrent peer that knows of others only what local discovery (BEP 14) tells it, speaking JSON Lines.

    lan_peer.py TORRENT FOLDER [--trust]

FOLDER is where the torrent's own folder lies or shall lie. Listens on every interface. Prints {"t":"ready"}, and
{"t":"complete"} when it has everything. Stays until the end of its standard input.
"""

import argparse

import libtorrent as lt

from lt_common import ALONE, TCP_ONLY, add, input_waits, say, session_of, tell_errors, wish_for


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("torrent")
    parser.add_argument("folder")
    parser.add_argument("--trust", action="store_true")
    options = parser.parse_args()
    settings = {**ALONE, **TCP_ONLY, "listen_interfaces": "0.0.0.0:0", "enable_lsd": True}
    settings["alert_mask"] |= lt.alert.category_t.storage_notification
    session = session_of(settings)
    wish = wish_for(lt.torrent_info(options.torrent), options.folder, options.trust)
    handle = add(session, wish, [])
    ready = complete = False
    while not input_waits():
        if any(isinstance(alert, lt.cache_flushed_alert) for alert in tell_errors(session)):
            say("complete")
        status = handle.status()
        if not ready and session.listen_port() and status.state != lt.torrent_status.checking_files:
            ready = True
            say("ready")
        if not complete and status.is_seeding:
            complete = True
            # Complete is what lies on the disk.
            handle.flush_cache()


main()
