"""The libtorrent side of `tailwater bench`.

    libtorrent_side.py seed|download|idle ADDRESS:PORT SETTINGS DIR TORRENT...
    libtorrent_side.py start ADDRESS:PORT SETTINGS DIR TORRENT PEER:PORT

SETTINGS is JSON, on top of those below. `seed` and `idle` take the data in DIR to be right and say `ready` when they seed;
`download` ends when everything is there. All of them end when standard input is closed. A TORRENT that is a folder stands
for all files in it.
"""

import json
import os
import sys
import threading
import time

import libtorrent as lt

role, listen, settings, folder, *torrents = sys.argv[1:]
LOOK_EVERY = 0.02


def end_with_the_bench():
    # Not by `sys.stdin`, whose lock would be held when the interpreter ends.
    while os.read(0, 4096):
        pass
    os._exit(1)


threading.Thread(target=end_with_the_bench, daemon=True).start()

session = lt.session({
    "listen_interfaces": listen,
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "alert_mask": 0,
    "allow_multiple_connections_per_ip": True,
    "announce_to_all_trackers": True,
    # As fast as it can be made: the defaults are for slow lines.
    "active_downloads": -1,
    "active_seeds": -1,
    "active_limit": -1,
    "unchoke_slots_limit": 64,
    "send_buffer_watermark": 8 << 20,
    "send_buffer_watermark_factor": 150,
    "max_out_request_queue": 2000,
    "max_allowed_in_request_queue": 4000,
    "request_queue_time": 5,
    "mixed_mode_algorithm": 0,
} | json.loads(settings))


def add(torrent):
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    # A v2 torrent is checked instead: it would hash everything when it is first asked for a hash.
    if role in ("seed", "idle") and params.ti.info_hashes().has_v1():
        params.flags |= lt.torrent_flags.seed_mode
    return session.add_torrent(params)


if role == "start":
    address, port = torrents.pop().rsplit(":", 1)
if len(torrents) == 1 and os.path.isdir(torrents[0]):
    torrents = sorted(entry.path for entry in os.scandir(torrents[0]))
handles = [add(torrent) for torrent in torrents]
if role == "start":
    handles[0].connect_peer((address, int(port)))
missing = handles
while missing:
    missing = [handle for handle in missing if not handle.status().is_seeding]
    if missing:
        time.sleep(LOOK_EVERY)
if role == "download":
    # What is not yet on the disk is written before the session is gone.
    del handles, session
    sys.exit()
print("ready", flush=True)
threading.Event().wait()
