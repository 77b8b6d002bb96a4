"""Seeds or downloads one torrent with libtorrent on loopback, until standard input is closed.

    libtorrent_peer.py seed|leech TORRENT|MAGNET DIR [PEER...]

Prints where it listens, and `complete` when all pieces are there and on the disk.
"""

import os
import sys
import threading

import libtorrent as lt

role, torrent, folder, *peers = sys.argv[1:]


def end_with_the_test():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_the_test, daemon=True).start()

category = lt.alert.category_t
session = lt.session({
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    # All peers of the tests have the same address.
    "allow_multiple_connections_per_ip": True,
    "alert_mask": category.status_notification | category.storage_notification | category.error_notification,
})

if torrent.startswith("magnet:"):
    params = lt.parse_magnet_uri(torrent)
else:
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
params.save_path = folder
params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
handle = session.add_torrent(params)
print(f"listening on 127.0.0.1:{session.listen_port()}")
for peer in peers:
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
        elif alert.category() & category.error_notification:
            print(f"libtorrent: {alert.message()}", file=sys.stderr)
