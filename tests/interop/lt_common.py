"""What our libtorrent peers have in common: JSON Lines, quiet discovery, one class for all addresses."""

import json
import select
import sys

import libtorrent as lt

# Nobody is searched for but through what a script is given.
ALONE = {
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.status_notification,
}

TCP_ONLY = {"enable_incoming_utp": False, "enable_outgoing_utp": False}


def say(kind, **fields):
    print(json.dumps({"t": kind, **fields}), flush=True)


def session_of(settings):
    session = lt.session(settings)
    # By default private addresses are in a class of their own, without caps and choking: here all
    # addresses are in the common class.
    everyone = lt.ip_filter()
    everyone.add_rule("0.0.0.0", "255.255.255.255", 1 << session.global_peer_class_id)
    session.set_peer_class_filter(everyone)
    return session


def wish_for(torrent, folder, trust):
    params = lt.add_torrent_params()
    params.ti = torrent
    params.save_path = folder
    params.flags &= ~lt.torrent_flags.auto_managed
    params.flags &= ~lt.torrent_flags.paused
    if trust:
        params.flags |= lt.torrent_flags.seed_mode
    return params


def add(session, params, peers):
    handle = session.add_torrent(params)
    for peer in peers:
        ip, port = peer.rsplit(":", 1)
        handle.connect_peer((ip, int(port)))
    return handle


def tell_errors(session):
    """What libtorrent said within 50 ms; errors are passed on."""
    session.wait_for_alert(50)
    alerts = session.pop_alerts()
    for alert in alerts:
        if alert.category() & lt.alert.category_t.error_notification:
            print(alert.message(), file=sys.stderr, flush=True)
    return alerts


def input_waits():
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready)
