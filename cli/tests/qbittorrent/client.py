"""Runs the methods of qbittorrent-api on a daemon.

    client.py ADDR TOKEN TORRENT URL MAGNET DATA

TORRENT has two files and is seeded, and so is what MAGNET names; URL leads to another .torrent file; DATA is the daemon's
folder. TOKEN is the password. Prints what it has done, a line each.
"""

import os
import sys
import time

import qbittorrentapi
from qbittorrentapi import Conflict409Error, Forbidden403Error, NotFound404Error

addr, token, torrent, url, magnet, data = sys.argv[1:]
client = qbittorrentapi.Client(host=f"http://{addr}", username="any", password=token, RAISE_NOTIMPLEMENTEDERROR_FOR_UNIMPLEMENTED_API_ENDPOINTS=True)


def done(what):
    print(what, flush=True)


def refused(error, call):
    try:
        call()
    except error:
        return
    raise AssertionError("was not refused")


def wait(is_so, what):
    until = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < until, (what, client.torrents_info())
        time.sleep(0.05)


def one(hash):
    [found] = client.torrents_info(torrent_hashes=hash)
    return found


refused(qbittorrentapi.LoginFailed, lambda: qbittorrentapi.Client(host=f"http://{addr}", username="a", password="b").auth_log_in())
client.auth_log_in()
assert client.is_logged_in
assert client.app_version() == "v5.1.4" and client.app_web_api_version() == "2.11.4"
assert client.app_build_info().libtorrent.startswith("tailwater ")
assert client.app_default_save_path() == data
assert len(client.app_preferences()) == 221
assert client.app_cookies() == [] and client.app_network_interface_list() == []
assert client.app_network_interface_address_list() == []
refused(Forbidden403Error, lambda: client.app_get_directory_content("/"))
refused(Conflict409Error, client.app_send_test_email)
done("app")

client.torrents_create_category("tv", save_path="tv")
refused(Conflict409Error, lambda: client.torrents_create_category("tv"))
client.torrents_edit_category("tv", save_path=f"{data}/shows")
assert client.torrents_categories()["tv"].savePath == f"{data}/shows"
client.torrents_create_tags("hd,new")
assert client.torrents_tags() == ["hd", "new"]
client.torrents_delete_tags("new")
assert client.torrents_tags() == ["hd"]
done("labels")

added = client.torrents_add(torrent_files=torrent, category="tv", tags=["hd", "x"], is_stopped=True, rename="Renamed", upload_limit=50000,
                            download_limit=60000, ratio_limit=1.5, seeding_time_limit=60, is_sequential_download=True)
assert added == "Ok.", added
[show] = client.torrents_info(category="tv", tag="x", status_filter="stopped")
show = show.hash
assert client.torrents_add(torrent_files={"again": open(torrent, "rb").read()}) == "Fails."
assert client.torrents_add(urls=[url], is_stopped=True, category="other") == "Ok."
assert client.torrents_add(urls=magnet, is_stopped=True, save_path="films") == "Ok."
assert client.torrents_add(urls="http://10.0.0.1/none") == "Fails."
assert client.torrents_count() == 3
found = one(show)
assert (found.name, found.state, found.dl_limit, found.up_limit) == ("Renamed", "stoppedDL", 60000, 50000), found
assert (found.ratio_limit, found.seeding_time_limit, found.seq_dl, found.tags) == (1.5, 60, True, "hd, x"), found
assert found.state_enum.is_stopped and found.save_path == f"{data}/shows"
ordered = [it.name for it in client.torrents_info(sort="name", reverse=True)]
assert ordered == sorted(ordered, reverse=True)
assert len(client.torrents_info(limit=1, offset=-1)) == 1
done("added")

properties = client.torrents_properties(show)
assert properties.pieces_num > 0 and properties.save_path == found.save_path
files = client.torrents_files(show)
assert [it.index for it in files] == [0, 1] and files[0].name.startswith("Show/")
assert len(client.torrents_piece_hashes(show)) == len(client.torrents_piece_states(show)) == properties.pieces_num
assert client.torrents_piece_states(show)[0] == 0
assert [it.url for it in client.torrents_trackers(show)][:3] == ["** [DHT] **", "** [PeX] **", "** [LSD] **"]
assert client.torrents_webseeds(show) == []
assert client.torrents_export(show) == open(torrent, "rb").read()
assert client.torrents_ssl_parameters(show).ssl_certificate == ""
refused(NotFound404Error, lambda: client.torrents_properties("0" * 40))
done("read")

rid = client.sync_maindata().rid
client.torrents_file_priority(show, file_ids=[0], priority=0)
client.torrents_file_priority(show, file_ids=1, priority=7)
assert [it.priority for it in client.torrents_files(show)] == [0, 6]
client.torrents_file_priority(show, file_ids=[0, 1], priority=1)
client.torrents_rename(show, new_torrent_name="Another")
client.torrents_set_category("other", torrent_hashes=show)
client.torrents_add_tags(["y"], torrent_hashes=show)
client.torrents_remove_tags(["x"], torrent_hashes=show)
client.torrents_set_download_limit(0, torrent_hashes=show)
client.torrents_set_upload_limit(70000, torrent_hashes=show)
client.torrents_set_share_limits(ratio_limit=-1, seeding_time_limit=-2, inactive_seeding_time_limit=7, torrent_hashes=show)
client.torrents_toggle_sequential_download(torrent_hashes=show)
client.torrents_toggle_first_last_piece_priority(torrent_hashes=show)
client.torrents_set_auto_management(enable=True, torrent_hashes=show)
client.torrents_set_super_seeding(enable=True, torrent_hashes=show)
found = one(show)
assert (found.name, found.category, found.tags) == ("Another", "other", "hd, y"), found
assert (found.dl_limit, found.up_limit, found.ratio_limit, found.seeding_time_limit) == (0, 70000, -1, -2), found
assert (found.inactive_seeding_time_limit, found.seq_dl, found.f_l_piece_prio, found.auto_tmm) == (7, False, False, False), found
assert found.super_seeding
client.torrents_set_super_seeding(enable=False, torrent_hashes=show)
assert client.torrents_upload_limit(torrent_hashes=[show, "x"]) == {show: 70000, "x": -1}
assert client.torrents_download_limit(torrent_hashes=show) == {show: 0}
client.torrents_set_tags(["z"], torrent_hashes=show)
assert one(show).tags == "z"
client.torrents_set_tags(["y"], torrent_hashes=show)
changes = client.sync_maindata(rid=rid)
assert "full_update" not in changes and changes.torrents[show]["name"] == "Another", changes
done("changed")

trackers = [it.url for it in client.torrents_trackers(show)][3:]
client.torrents_add_trackers(show, urls=["http://127.0.0.1:1/announce", "http://127.0.0.1:2/announce"])
client.torrents_edit_tracker(show, original_url="http://127.0.0.1:2/announce", new_url="http://127.0.0.1:3/announce")
refused(Conflict409Error, lambda: client.torrents_edit_tracker(show, original_url="http://a/", new_url="http://b/"))
client.torrents_remove_trackers(show, urls="http://127.0.0.1:1/announce")
assert sorted(it.url for it in client.torrents_trackers(show)[3:]) == sorted([*trackers, "http://127.0.0.1:3/announce"])
client.torrents_remove_trackers(show, urls=["http://127.0.0.1:3/announce"])
client.torrents_add_webseeds(show, urls=["http://127.0.0.1:1/a b/", "http://127.0.0.1:1/d/"])
client.torrents_edit_webseed(show, orig_url="http://127.0.0.1:1/d/", new_url="http://127.0.0.1:1/e/")
refused(Conflict409Error, lambda: client.torrents_edit_webseed(show, orig_url="http://a/", new_url="http://b/"))
assert [it.url for it in client.torrents_webseeds(show)] == ["http://127.0.0.1:1/a%20b/", "http://127.0.0.1:1/e/"]
client.torrents_remove_webseeds(show, urls=["http://127.0.0.1:1/a b/", "http://127.0.0.1:1/e/"])
assert client.torrents_webseeds(show) == []
refused(Conflict409Error, lambda: client.torrents_set_download_path("x", torrent_hashes=show))
done("trackers")

refused(Conflict409Error, lambda: client.torrents_top_priority(torrent_hashes=show))
client.app_set_preferences({"queueing_enabled": True, "max_active_downloads": 5, "max_active_uploads": 5, "dl_limit": 900000,
                            "max_ratio_enabled": True, "max_ratio": 3, "locale": "de"})
preferences = client.app_preferences()
assert (preferences.queueing_enabled, preferences.max_active_downloads, preferences.dl_limit, preferences.max_ratio) == (True, 5, 900000, 3)
for move, place in [(client.torrents_bottom_priority, 3), (client.torrents_increase_priority, 2),
                    (client.torrents_top_priority, 1), (client.torrents_decrease_priority, 2)]:
    move(torrent_hashes=show)
    assert one(show).priority == place, (move, one(show))
client.app_set_preferences({"queueing_enabled": False, "max_ratio_enabled": False, "dl_limit": 0})
done("settings")

client.transfer_set_upload_limit(800000)
client.transfer_set_download_limit(700000)
assert (client.transfer_upload_limit(), client.transfer_download_limit()) == (800000, 700000)
assert client.transfer_speed_limits_mode() == "0"
client.transfer_set_speed_limits_mode(True)
assert client.transfer_speed_limits_mode() == "1"
client.transfer_set_speed_limits_mode(False)
client.transfer_set_upload_limit(0)
client.transfer_set_download_limit(0)
assert client.transfer_info().dl_rate_limit == 0
client.transfer_ban_peers(["10.1.2.3:1", "[2001:db8::1]:1"])
client.transfer_ban_peers("10.1.2.4:1")
assert client.app_preferences().banned_IPs == "10.1.2.3\n10.1.2.4\n2001:db8::1"
client.app_set_preferences({"banned_IPs": "10.9.9.9\nnonsense\n"})
assert client.app_preferences().banned_IPs == "10.9.9.9"
client.app_set_preferences({"banned_IPs": ""})
done("transfer")

client.torrents_start(torrent_hashes=show)
wait(lambda: client.sync_torrent_peers(torrent_hash=show).peers or one(show).progress == 1, "peers")
wait(lambda: one(show).progress == 1, "progress")
for call, old, new in (
    (client.torrents_rename_file, "Show/a.mkv", "Show/first.mkv"),
    (client.torrents_rename_folder, "Show", "The Show"),
    (client.torrents_rename_folder, "The Show/", "Show"),
):
    call(show, old_path=old, new_path=new)
assert [it.name for it in client.torrents_files(show)] == ["Show/first.mkv", "Show/b.mkv"]
assert sorted(os.listdir(f"{one(show).content_path}")) == ["b.mkv", "first.mkv"]
for call, old, new in (
    (client.torrents_rename_file, "Show/a.mkv", "Show/c.mkv"),
    (client.torrents_rename_file, "Show", "Other"),
    (client.torrents_rename_file, "Show/b.mkv", "Show/FIRST.mkv"),
    (client.torrents_rename_file, "Show/b.mkv", "Show/.."),
    (client.torrents_rename_file, "Show/b.mkv", "b.mkv"),
    (client.torrents_rename_folder, "Show/b.mkv", "Show/c.mkv"),
    (client.torrents_rename_folder, "Show", "/etc"),
    (client.torrents_rename_folder, "", "x"),
):
    refused(Conflict409Error, lambda: call(show, old_path=old, new_path=new))
client.torrents_rename_file(show, file_id=0, new_file_name="Show/a.mkv")
wait(lambda: one(show).state in ("uploading", "stalledUP"), "seeds under its new names")
client.torrents_reannounce(torrent_hashes=show)
client.torrents_recheck(torrent_hashes=show)
wait(lambda: one(show).state in ("uploading", "stalledUP"), "seeds after the check")
assert set(client.torrents_piece_states(show)) == {2}
assert client.torrents_files(show)[0].is_seed
client.torrents_set_force_start(enable=True, torrent_hashes=show)
wait(lambda: one(show).state == "forcedUP", "is forced")
client.torrents_set_force_start(enable=False, torrent_hashes=show)
client.torrents_stop(torrent_hashes=show)
wait(lambda: one(show).state == "stoppedUP", "is stopped")
client.torrents_start(torrent_hashes=show)
client.torrents_set_location("moved", torrent_hashes=show)
wait(lambda: one(show).save_path == f"{data}/moved", "is moved")
wait(lambda: one(show).state in ("uploading", "stalledUP"), "seeds after the move")
client.torrents_set_save_path("again", torrent_hashes=show)
wait(lambda: one(show).save_path == f"{data}/again", "is moved again")
assert one(show).content_path == f"{data}/again/Show"
client.torrents_start(torrent_hashes="all")
wait(lambda: all(it.progress == 1 for it in client.torrents_info(status_filter="all") if it.category != "other"), "all are complete")
assert client.torrents_add_peers(peers="127.0.0.1:1", torrent_hashes=show)[show] == {"added": 1, "failed": 0}
done("downloaded")

messages = client.log_main()
assert any("is complete" in it.message for it in messages), messages
assert client.log_main(last_known_id=messages[-1].id) == []
assert any("cannot add" in it.message for it in client.log_main(normal=False, info=False))
assert client.log_peers() == []
assert client.rss_items() == {} and client.rss_rules() == {}
assert client.search_plugins() == [] and client.search_status() == []
done("others")

client.torrents_delete(delete_files=True, torrent_hashes=show)
assert show not in [it.hash for it in client.torrents_info()]
client.torrents_remove_categories(["tv", "other"])
assert client.torrents_categories() == {}
changes = client.sync_maindata(rid=changes.rid)
assert show in changes.torrents_removed and "tv" in changes.categories_removed, changes
client.torrents_delete(delete_files=True, torrent_hashes="all")
assert client.torrents_info() == [] and client.torrents_count() == 0
client.auth_log_out()
refused(qbittorrentapi.LoginFailed, lambda: qbittorrentapi.Client(host=f"http://{addr}").app_version())
done("removed")
