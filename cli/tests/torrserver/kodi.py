"""The requests of Kodi's script.module.torrserver: names with capitals, no type of the body, a form with a value that is no text.

    kodi.py HOST PORT TOKEN MAGNET TORRENT FILE
"""

import json
import sys
import time

import requests

host, port, token, magnet, torrent, payload = sys.argv[1:]
base = f"http://{host}:{port}"
auth = ("kodi", token)
DEADLINE = 90


def call(action, **values):
    """Posts JSON as a string, so that no type is named."""
    body = json.dumps({**values, "action": action})
    answer = requests.post(base + "/torrents", data=body, auth=auth)
    assert answer.ok, answer
    return answer


def until(condition):
    begun = time.monotonic()
    while True:
        state = call("get", Hash=info_hash).json()
        if condition(state):
            return state
        assert time.monotonic() - begun < DEADLINE, state


# The number behind the point is what counts as a version.
version = requests.get(base + "/echo", auth=auth).text
assert version.startswith("MatriX"), version
assert tuple(int(part) for part in version.replace("MatriX", "2.0").split(".")[:3]) >= (1, 2)
print("version")

added = call("add", Link=magnet, save_to_db=True, title="A show", poster="http://p/1.jpg").json()
info_hash = added["hash"]
state = until(lambda it: it["stat_string"] == "Torrent working" and "file_stats" in it)
assert [it["path"] for it in state["file_stats"]] == ["Show/e1.mkv", "Show/e2.mkv"], state
assert (state["title"], state["poster"]) == ("A show", "http://p/1.jpg")
assert any(it["hash"] == info_hash for it in call("list").json())
print("added")

# It reads what a preload answers, and asks meanwhile how far it is.
preload = requests.get(f"{base}/stream/e2.mkv?link={info_hash}&index=2&preload", stream=True, auth=auth)
for _ in preload.iter_content(chunk_size=128):
    pass
state = until(lambda it: it["stat"] > 2)
assert state["preloaded_bytes"] == state["preload_size"] == 300_000, state
print("preloaded")

# The URL of a file is the line of the playlist with its number.
playlist = requests.get(f"{base}/stream/?link={info_hash}&m3u", auth=auth).text
urls = [line for line in playlist.splitlines() if line.startswith("http://") and "&index=2&" in line]
assert len(urls) == 1, playlist
# What plays it knows no password.
film = requests.get(urls[0])
assert film.content == open(payload, "rb").read()
print("played")

call("rem", Hash=info_hash)
with open(torrent, "rb") as file:
    uploaded = requests.post(base + "/torrent/upload", data={"save": True}, files={"file": ("a", file)}, auth=auth)
# It tries a list first, and takes an object where that fails.
assert uploaded.json()["hash"] == info_hash, uploaded.text
print("uploaded")

call("drop", Hash=info_hash)
call("rem", Hash=info_hash)
assert call("list").json() == []
print("removed")
