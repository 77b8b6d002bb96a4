"""The libtorrent side of the bench: seeds many small torrents, or downloads one by its info-hash.

    clients.py seed ADDRESS:PORT NODE DIR COUNT
    clients.py leech ADDRESS:PORT NODE|- DIR INFO_HASH STATE

`seed` makes COUNT payloads of one megabyte in DIR with a torrent each, announces them in the DHT that NODE belongs to,
prints `torrent INFO_HASH` for each and `ready`, and from then on `sent INFO_HASH NANOSECONDS` when the first block of a
torrent has gone to the socket, in Unix time. Ends when standard input is closed.

`leech` prints `began NANOSECONDS` before it makes its session, and ends when all is there. It begins with what the file
STATE says of the DHT, if that is there, and leaves it there otherwise.
"""

import os
import socket
import sys
import threading
import time

import libtorrent as lt

LENGTH = 1 << 20
PIECE = 64 << 10
# libtorrent sends 8 kB of DHT messages a second, by default, and drops the rest.
DHT_RATE = 1_000_000
# Between two announces, in seconds: the nodes that hear them have that limit too.
ANNOUNCE_EVERY = 0.1

role, listen, node, folder, *rest = sys.argv[1:]
category = lt.alert.category_t
settings = {
    "listen_interfaces": listen,
    "dht_bootstrap_nodes": "" if node == "-" else node,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "alert_mask": category.status_notification | category.upload_notification | category.dht_notification,
    "alert_queue_size": 100_000,
}


def alerts(session):
    while True:
        session.wait_for_alert(1000)
        yield from session.pop_alerts()


def make(number):
    name = f"payload-{number}.bin"
    with open(os.path.join(folder, name), "wb") as out:
        out.write(os.urandom(LENGTH))
    torrent = lt.create_torrent(lt.list_files(os.path.join(folder, name)), PIECE, lt.create_torrent.v1_only)
    lt.set_piece_hashes(torrent, folder)
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent.generate())
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    params.flags |= lt.torrent_flags.seed_mode
    return params


def seed(count):
    def end_with_the_bench():
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=end_with_the_bench, daemon=True).start()
    session = lt.session(settings | {"dht_upload_rate_limit": DHT_RATE})
    for alert in alerts(session):
        if isinstance(alert, lt.dht_bootstrap_alert):
            break
    for number in range(int(count)):
        handle = session.add_torrent(make(number))
        info_hash = handle.info_hash()
        session.dht_announce(info_hash, session.listen_port(), 0)
        print(f"torrent {info_hash}")
        time.sleep(ANNOUNCE_EVERY)
    print("ready")
    sent = set()
    for alert in alerts(session):
        if isinstance(alert, lt.block_uploaded_alert):
            now = time.time_ns()
            info_hash = str(alert.handle.info_hash())
            if info_hash not in sent:
                sent.add(info_hash)
                print(f"sent {info_hash} {now}")


def leech(info_hash, state):
    print(f"began {time.time_ns()}")
    session = lt.session(settings)
    if os.path.exists(state):
        with open(state, "rb") as kept:
            nodes = lt.bdecode(kept.read())[b"dht state"][b"nodes"]
        for compact in nodes:
            session.add_dht_node((socket.inet_ntoa(compact[:4]), int.from_bytes(compact[4:6], "big")))
    torrent = lt.parse_magnet_uri(f"magnet:?xt=urn:btih:{info_hash}")
    torrent.save_path = folder
    torrent.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    handle = session.add_torrent(torrent)
    while not any(isinstance(alert, lt.torrent_finished_alert) for alert in session.pop_alerts()):
        if handle.status().num_peers == 0:
            # What was asked before it knew any nodes found nobody, and would be asked again only after minutes.
            handle.force_dht_announce()
        session.wait_for_alert(20)
    if not os.path.exists(state):
        with open(state, "wb") as kept:
            kept.write(lt.write_session_params_buf(session.session_state()))
    os._exit(0)


{"seed": seed, "leech": leech}[role](*rest)
