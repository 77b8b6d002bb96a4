"""Runs the methods of transmission-rpc on a daemon, and reads every property of what it answers.

    client.py HOST PORT TORRENT URL MAGNET DATA

TORRENT has two files and is seeded, and so is what MAGNET names; URL leads to another .torrent file; DATA is a folder that the
daemon may use. Prints what it has done, a line each.
"""

import inspect
import pathlib
import sys
import time
import warnings

from transmission_rpc import Client, Torrent
from transmission_rpc.error import TransmissionError
from transmission_rpc.session import Session, SessionStats

host, port, torrent, url, magnet, data = sys.argv[1:]
warnings.simplefilter("ignore")
client = Client(host=host, port=int(port))


def done(what):
    print(what, flush=True)


def read(of, kind):
    """Each property must be readable; how many there are."""
    names = [name for name, member in inspect.getmembers(kind) if isinstance(member, property)]
    for name in names:
        getattr(of, name)
    return len(names)


def refused(call, words):
    try:
        call()
    except TransmissionError as error:
        assert words in str(error), error
        return
    raise AssertionError(f"was not refused: {words}")


def wait(is_so):
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


session = client.get_session()
assert session.version.startswith("4.1.3 (tailwater"), session.version
assert read(session, Session) > 50
assert read(client.session_stats(), SessionStats) >= 7
done("session")

with open(torrent, "rb") as file:
    added = client.add_torrent(file, paused=True, labels=["a", "b"], download_dir=data, peer_limit=9, files_unwanted=[0])
again = client.add_torrent(pathlib.Path(torrent).read_bytes())
assert (added.id, again.hash_string) == (1, added.hash_string)
by_url = client.add_torrent(url, paused=True)
by_magnet = client.add_torrent(magnet, paused=True)
assert (by_url.id, by_magnet.id) == (2, 3)
done("added")

all_fields = client.get_torrents()
assert [torrent.id for torrent in all_fields] == [1, 2, 3]
for torrent in all_fields:
    assert read(torrent, Torrent) > 60
    torrent.get_files()
one = client.get_torrent(added.hash_string)
assert one.labels == ["a", "b"] and one.peer_limit == 9 and one.status == "stopped"
assert [file.selected for file in one.get_files()] == [False, True]
done("read")

trackers = one.tracker_list
client.change_torrent(1, files_wanted=[0], priority_high=[1], priority_low=[0], labels=["c"], upload_limit=50, upload_limited=True,
                      download_limit=60, download_limited=False, seed_ratio_limit=2.5, seed_ratio_mode=1, seed_idle_limit=30,
                      seed_idle_mode=1, peer_limit=11, queue_position=2, bandwidth_priority=1, honors_session_limits=True,
                      group="", tracker_list=[["http://127.0.0.1:1/announce"], ["http://127.0.0.1:2/announce"]])
one = client.get_torrent(1)
assert one.labels == ["c"] and one.upload_limit == 50 and one.seed_ratio_limit == 2.5 and one.queue_position == 2
assert one.bandwidth_priority == 1 and one.honors_session_limits and one.group == ""
assert [tracker.announce for tracker in one.trackers] == ["http://127.0.0.1:1/announce", "http://127.0.0.1:2/announce"]
client.change_torrent(1, tracker_add=["http://127.0.0.1:3/announce"])
client.change_torrent(1, tracker_replace=[(2, "http://127.0.0.1:4/announce")])
client.change_torrent(1, tracker_remove=[0, 1])
assert client.get_torrent(1).tracker_list == ["http://127.0.0.1:4/announce"]
client.change_torrent(1, tracker_list=[trackers])
done("changed")

for move, order in [(client.queue_top, [1, 2, 3]), (client.queue_down, [2, 1, 3]), (client.queue_bottom, [2, 3, 1]),
                    (client.queue_up, [2, 1, 3])]:
    move(1)
    found = sorted(client.get_torrents(arguments=["id", "queuePosition"]), key=lambda it: it.queue_position)
    assert [it.id for it in found] == order, (move, found)
done("queue")

client.set_session(speed_limit_down=700, speed_limit_down_enabled=True, seed_ratio_limit=3, seed_ratio_limited=True,
                   alt_speed_down=5, alt_speed_enabled=True, start_added_torrents=False, dht_enabled=False)
session = client.get_session()
assert session.speed_limit_down == 700 and session.seed_ratio_limited and session.alt_speed_enabled
assert not session.start_added_torrents
client.set_session(alt_speed_enabled=False, speed_limit_down_enabled=False, start_added_torrents=True)
done("settings")

client.start_torrent(1)
wait(lambda: client.get_torrent(1).peers_connected > 0 or client.get_torrent(1).percent_done == 1)
wait(lambda: client.get_torrent(1).percent_done == 1)
client.get_torrent(1).peers
client.reannounce_torrent(1)
client.verify_torrent(1)
wait(lambda: client.get_torrent(1).status == "seeding")
client.start_torrent_now(3)
wait(lambda: client.get_torrent(3).metadata_percent_complete == 1)
client.stop_torrent([1, 3])
assert client.get_torrent(1).status == "stopped"
client.start_all()
client.move_torrent_data(1, f"{data}/moved")
wait(lambda: client.get_torrent(1).download_dir == f"{data}/moved")
active, removed = client.get_recently_active_torrents()
assert 1 in [torrent.id for torrent in active] and removed == []
done("downloaded")

assert client.free_space(data) > 0
assert client.get_groups() == {}
client.set_group("x", speed_limit_down=70, speed_limit_down_enabled=True)
group = client.get_group("x")
assert group.speed_limit_down == 70 and group.speed_limit_down_enabled and not group.speed_limit_up_enabled
client.change_torrent(1, group="x", honors_session_limits=False)
one = client.get_torrent(1)
assert one.group == "x" and not one.honors_session_limits
refused(client.port_test, "Couldn't test port")
refused(client.blocklist_update, "Couldn't fetch blocklist")
refused(lambda: client.rename_torrent_path(1, "x", "y"), "no file or folder")
assert client.rename_torrent_path(1, "Show/a.mkv", "c.mkv") == ("Show/a.mkv", "c.mkv")
assert client.get_torrent(1).get_files()[0].name == "Show/c.mkv"
refused(lambda: client.move_torrent_data(1, "/elsewhere", move=False), "not below a folder")
done("others")

client.remove_torrent(1, delete_data=True)
client.remove_torrent([2, 3])
assert client.get_torrents() == []
assert client.get_recently_active_torrents()[1] == [1, 2, 3]
done("removed")
