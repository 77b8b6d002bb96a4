"""Seeds one torrent with libtorrent, and counts the blocks that it sends, until standard input is closed.

    seeder.py TORRENT DIR ADDRESS MAX_UP

DIR holds the payload, which is not checked. MAX_UP is in bytes a second; 0 is no limit. Prints where it listens for
peers and where it tells its counts: a client that connects there gets one line of JSON.
"""

import json
import os
import socket
import sys
import threading

import libtorrent as lt

torrent, folder, address, max_up = sys.argv[1:]
BLOCK = 16384


def end_with_the_test():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_the_test, daemon=True).start()

category = lt.alert.category_t
session = lt.session({
    "listen_interfaces": f"{address}:0",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "alert_mask": category.upload_notification | category.error_notification,
    # One for each block between two looks.
    "alert_queue_size": 1 << 20,
})

params = lt.add_torrent_params()
params.ti = lt.torrent_info(torrent)
params.save_path = folder
params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
params.flags |= lt.torrent_flags.seed_mode
handle = session.add_torrent(params)
handle.set_upload_limit(int(max_up))

sent = 0
again = 0
known = set()
lock = threading.Lock()


def length(piece, block):
    return min(BLOCK, params.ti.piece_size(piece) - block * BLOCK)


def counts():
    global sent, again
    with lock:
        for alert in session.pop_alerts():
            if isinstance(alert, lt.block_uploaded_alert):
                block = (alert.piece_index, alert.block_index)
                sent += length(*block)
                again += length(*block) if block in known else 0
                known.add(block)
            elif alert.category() & category.error_notification:
                print(f"libtorrent: {alert.message()}", file=sys.stderr)
        return {"sent": sent, "again": again}


def tell(server):
    while True:
        connection, _ = server.accept()
        with connection:
            connection.sendall(json.dumps(counts()).encode() + b"\n")


server = socket.create_server((address, 0))
print(f"counts at {address}:{server.getsockname()[1]}")
print(f"listening on {address}:{session.listen_port()}")
threading.Thread(target=tell, args=[server], daemon=True).start()
while True:
    session.wait_for_alert(1000)
    counts()
