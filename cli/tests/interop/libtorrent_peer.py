"""Seeds or downloads one torrent with libtorrent, until standard input is closed.

    libtorrent_peer.py [OPTION...] seed|leech TORRENT|MAGNET DIR [PEER...]

Listens on loopback and finds no peers by itself unless options say so. Prints where it listens, and `complete` when all
pieces are there and on the disk; also whom it has connected to.
"""

import argparse
import os
import sys
import threading

import libtorrent as lt

options = argparse.ArgumentParser()
options.add_argument("--listen", default="127.0.0.1:0")
options.add_argument("--dht", help="a node to begin with, or several with commas")
options.add_argument("--lsd", action="store_true")
options.add_argument("--pex", action="store_true")
options.add_argument("--max-up", type=int, default=0)
options.add_argument("--max-down", type=int, default=0)
options.add_argument("--encrypted", choices=["rc4", "plaintext"])
options.add_argument("--utp", action="store_true", help="uTP alone, and no TCP")
options.add_argument("role", choices=["seed", "leech"])
options.add_argument("torrent")
options.add_argument("folder")
options.add_argument("peers", nargs="*")
options = options.parse_args()


def end_with_the_test():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_the_test, daemon=True).start()

category = lt.alert.category_t
session = lt.session({
    "listen_interfaces": options.listen,
    "enable_dht": options.dht is not None,
    "dht_bootstrap_nodes": options.dht or "",
    # A torrent that was added before the DHT knew anybody is announced soon all the same.
    "dht_announce_interval": 3,
    "enable_lsd": options.lsd,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": options.utp,
    "enable_outgoing_utp": options.utp,
    "enable_incoming_tcp": not options.utp,
    "enable_outgoing_tcp": not options.utp,
    # All peers of the tests on loopback have the same address.
    "allow_multiple_connections_per_ip": True,
    "alert_mask": category.status_notification | category.storage_notification | category.error_notification
    | category.connect_notification,
})

if options.encrypted:
    forced = lt.enc_policy.pe_forced
    level = lt.enc_level.pe_rc4 if options.encrypted == "rc4" else lt.enc_level.pe_plaintext
    session.apply_settings({"out_enc_policy": int(forced), "in_enc_policy": int(forced), "allowed_enc_level": int(level)})

if options.torrent.startswith("magnet:"):
    params = lt.parse_magnet_uri(options.torrent)
else:
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(options.torrent)
params.save_path = options.folder
params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
if not options.pex:
    params.flags |= lt.torrent_flags.disable_pex
handle = session.add_torrent(params)
# A limit of the session's would not hold for peers of a private network.
handle.set_upload_limit(options.max_up)
handle.set_download_limit(options.max_down)
print(f"listening on {options.listen.rsplit(':', 1)[0]}:{session.listen_port()}")
for peer in options.peers:
    host, port = peer.rsplit(":", 1)
    handle.connect_peer((host, int(port)))

finished = False
while True:
    session.wait_for_alert(1000)
    for alert in session.pop_alerts():
        if isinstance(alert, lt.torrent_finished_alert) and not finished:
            finished = True
            handle.flush_cache()
        elif isinstance(alert, lt.cache_flushed_alert) and finished:
            print("complete")
        elif isinstance(alert, lt.peer_connect_alert):
            print(f"connected to {alert.ip[0]}:{alert.ip[1]}")
        elif alert.category() & category.error_notification:
            print(f"libtorrent: {alert.message()}", file=sys.stderr)
