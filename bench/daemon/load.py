#!/usr/bin/env python3
"""A daemon under load, on this machine alone:

    bench/daemon/load.py [--parts PART,PART…] [--torrents N] [--clients N] [--mib N] [--rounds N] [--wrk]

    torrents   N paused torrents (5000): from the start to the first answer, resident memory, a list of 8 fields
    pausing    a fifth of N torrents that run: resident memory and open files, when they are paused, and with as many others
    polling    a torrent of N MiB (1024) from `tailwater seed` to a daemon, alone and while N clients (200) poll it as pages
               do: each asks once a second what has changed of the list, a tenth of them for a torrent's peers and the events
               too. The rate under load has to be at least 90 % of that alone; the polls' own times stand beside it. With
               --wrk, wrk is the clients: each asks for the whole list once a second.
    transmission, rqbit
               the same, polled by programs of others at the listener for them: each asks once a second for what Sonarr asks for
               of all torrents, a tenth of Transmission's for all that a remote shows of one
    torrserver, stremio
               the same, by players at the listener for them: each asks once a second for the state of the torrent that is
               downloaded, as its client does while a film plays: Lampa for the torrent and its cache, a tenth for the list too;
               Stremio for the figures of the file
    qbittorrent
               the same: each asks once a second for the list of a category, a tenth of them for what has changed, as pages do
    sync       N paused torrents at the listener for qBittorrent's clients: the first sync/maindata and one of what has changed,
               and how long the daemon's own list of 8 fields takes meanwhile

All parts by default.

$TAILWATER is the program (default: target/release/tailwater). Data lies below $TMPDIR and is removed. Needs no packages.
"""

import argparse
import asyncio
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("TAILWATER", str(ROOT / "target/release/tailwater"))
LOCAL = ["--no-config", "--no-dht", "--no-lsd", "--no-port-map", "--no-progress", "--listen", "127.0.0.1:0"]
FIELDS = "id,number,name,state,progress,down_rate,up_rate,size"
LIST = f"/api/v1/torrents?limit=5000&fields={FIELDS}"
# What Sonarr asks for of all torrents, and what a remote shows of one.
OF_SONARR = (
    "id hashString name downloadDir totalSize leftUntilDone isFinished eta status secondsDownloading secondsSeeding errorString"
    " uploadedEver downloadedEver seedRatioLimit seedRatioMode seedIdleLimit seedIdleMode fileCount file-count labels"
).split()
OF_REMOTES = "id files fileStats peers peersFrom trackerStats pieces webseedsSendingToUs rateDownload rateUpload".split()
# The share of the rate alone that a download has to keep.
KEEPS = 0.9


def bencode(value):
    match value:
        case int():
            return b"i%de" % value
        case bytes():
            return b"%d:%s" % (len(value), value)
        case str():
            return bencode(value.encode())
        case dict():
            pairs = (bencode(key) + bencode(value[key]) for key in sorted(value))
            return b"d" + b"".join(pairs) + b"e"


class Daemon:
    def __init__(self, folder, name, listener=None):
        self.begun = time.monotonic()
        more = [f"--{listener}", "127.0.0.1:0"] if listener else []
        args = ["daemon", "--http", "127.0.0.1:0", "--json", "--data", folder / "one-data", "--state", folder / name]
        self.process = subprocess.Popen([PROGRAM, *args, *more, *LOCAL], stdout=subprocess.PIPE)
        serving = json.loads(self.process.stdout.readline())
        self.addr = serving["http"]
        # Where programs of others ask.
        self.other = serving[listener] if listener else self.addr

    def ask(self, path, method="GET", body=None, kind="application/json"):
        connection = http.client.HTTPConnection(self.addr, timeout=120)
        connection.request(method, path, body, {"Content-Type": kind} if body else {})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status < 300, (path, answer.status, text)
        return text

    def memory(self):
        """Resident memory now and at its peak, in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        values = dict(line.split(":", 1) for line in lines)
        return [int(values[name].split()[0]) / 1000 for name in ("VmRSS", "VmHWM")]

    def files(self):
        """Open files."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu(self):
        """Processor time, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.process.terminate()
        self.process.wait(60)


def add(daemon, numbers, mib, query):
    """Adds torrents of so many MiB, four at a time."""

    def some(first):
        connection = http.client.HTTPConnection(daemon.addr, timeout=120)
        for number in numbers[first::4]:
            pieces = hashlib.sha1(b"%d" % number).digest() * mib
            info = {"length": mib << 20, "name": f"part {number:05} of something", "piece length": 1 << 20, "pieces": pieces}
            body = bencode({"announce": "http://127.0.0.1:9/announce", "info": info})
            kind = {"Content-Type": "application/x-bittorrent"}
            connection.request("POST", f"/api/v1/torrents?{query}", body, kind)
            answer = connection.getresponse()
            assert answer.read() and answer.status == 201

    adding = [threading.Thread(target=some, args=(first,)) for first in range(4)]
    for thread in adding:
        thread.start()
    for thread in adding:
        thread.join()


def pausing(folder, count):
    daemon = Daemon(folder, "pausing")
    before, files = daemon.memory()[0], daemon.files()
    add(daemon, range(count), 16, "labels=linux")
    time.sleep(5)
    running, open_files = daemon.memory()[0], daemon.files()
    for torrent in json.loads(daemon.ask("/api/v1/torrents?limit=5000&fields=id"))["torrents"]:
        daemon.ask(f"/api/v1/torrents/{torrent['id']}/pause", "POST")
    # They leave the session some seconds later, when their trackers have been told.
    while daemon.files() > files + 50:
        time.sleep(0.5)
    paused, left = daemon.memory()[0], daemon.files()
    # What they gave back is used again.
    add(daemon, range(count, 2 * count), 16, "labels=linux")
    time.sleep(5)
    print(
        f"{count} torrents: resident {running:.0f} MB and {open_files} open files while they run (empty: {before:.0f} and {files}),"
        f" {paused:.0f} MB and {left} paused, {daemon.memory()[0]:.0f} MB with {count} others that run",
        flush=True,
    )
    daemon.end()


def torrents(folder, count):
    daemon = Daemon(folder, "many")
    add(daemon, range(count), 668, "paused=true&labels=linux")
    daemon.end()
    daemon = Daemon(folder, "many")
    first = json.loads(daemon.ask("/api/v1/torrents?limit=1"))
    answered = time.monotonic() - daemon.begun
    times = []
    for _ in range(50):
        begun = time.monotonic()
        listed = daemon.ask(LIST)
        times.append((time.monotonic() - begun) * 1_000)
    resident, peak = daemon.memory()
    print(
        f"{first['total']} paused torrents: first answer {answered:.2f} s; list of 8 fields {statistics.median(times):.1f} ms"
        f" (slowest {max(times):.1f}), {len(listed) / 1e6:.2f} MB; resident {resident:.0f} MB (peak {peak:.0f})",
        flush=True,
    )
    daemon.end()


def sync(folder, count):
    daemon = Daemon(folder, "sync", "qbittorrent")
    add(daemon, range(count), 668, "paused=true&labels=linux")
    daemon.end()
    daemon = Daemon(folder, "sync", "qbittorrent")
    daemon.ask("/api/v1/torrents?limit=1")

    def asked(rid):
        """How long an answer takes, and the answer."""
        begun = time.monotonic()
        connection = http.client.HTTPConnection(daemon.other, timeout=120)
        connection.request("GET", f"/api/v2/sync/maindata?rid={rid}")
        text = connection.getresponse().read()
        return (time.monotonic() - begun) * 1_000, text

    def beside(rid):
        """The same for one, and the slowest list of the daemon's own meanwhile."""
        over, lists = threading.Event(), []

        def listing():
            while not over.is_set():
                begun = time.monotonic()
                daemon.ask("/api/v1/torrents?limit=1")
                lists.append((time.monotonic() - begun) * 1_000)

        thread = threading.Thread(target=listing)
        thread.start()
        took, text = asked(rid)
        over.set()
        thread.join()
        return took, text, max(lists)

    first, text, slowest = beside(0)
    rid = json.loads(text)["rid"]
    again, _, slow = beside(0)
    changes = sorted(asked(rid)[0] for _ in range(50))
    print(
        f"{count} paused torrents: the first sync/maindata {first:.0f} ms, {len(text) / 1e6:.1f} MB (another full one {again:.0f} ms);"
        f" short requests to the daemon meanwhile within {max(slowest, slow):.0f} ms; what has changed {changes[25]:.1f} ms"
        f" (slowest {changes[-1]:.1f}); resident {daemon.memory()[0]:.0f} MB (peak {daemon.memory()[1]:.0f})",
        flush=True,
    )
    daemon.end()


async def request(reader, writer, host, path, headers="", body=None):
    method = "GET" if body is None else "POST"
    length = "" if body is None else f"Content-Length: {len(body)}\r\n"
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}{length}\r\n".encode() + (body or b""))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return await reader.readexactly(length)


async def client(addr, number, torrent, stop, times):
    host, port = addr.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, port)
    paths = ["/api/v1/stats"]
    revision = 0
    if number % 10 == 0:
        paths.append(f"/api/v1/torrents/{torrent}/peers")
        events = await asyncio.open_connection(host, port)
        events[1].write(f"GET /api/v1/events HTTP/1.1\r\nHost: {addr}\r\n\r\n".encode())
    # They do not all come at once.
    await asyncio.sleep(random.random())
    while not stop.is_set():
        begun = time.monotonic()
        changes = await request(reader, writer, addr, f"/api/v1/torrents?since={revision}&limit=5000&fields={FIELDS}")
        revision = json.loads(changes)["revision"]
        for path in paths:
            await request(reader, writer, addr, path)
        times.append((time.monotonic() - begun) * 1_000 / (len(paths) + 1))
        await asyncio.sleep(max(0, 1 - (time.monotonic() - begun)))


async def transmission_client(addr, number, torrent, stop, times):
    host, port = addr.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, port)
    path = "/transmission/rpc"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {addr}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    lines = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
    await reader.readexactly(int(lines["content-length"]))
    # It has letters and digits alone, and letters are upper case.
    session = f"X-Transmission-Session-Id: {lines['x-transmission-session-id'].upper()}\r\n"

    def ask(arguments):
        return json.dumps({"method": "torrent-get", "arguments": arguments}).encode()

    bodies = [ask({"fields": OF_SONARR})]
    if number % 10 == 0:
        bodies.append(ask({"fields": OF_REMOTES, "ids": [torrent]}))
    await asyncio.sleep(random.random())
    while not stop.is_set():
        begun = time.monotonic()
        for body in bodies:
            answer = await request(reader, writer, addr, path, session, body)
            assert b'"result":"success"' in answer, answer
        times.append((time.monotonic() - begun) * 1_000 / len(bodies))
        await asyncio.sleep(max(0, 1 - (time.monotonic() - begun)))


async def rqbit_client(addr, _number, torrent, stop, times):
    host, port = addr.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, port)
    await asyncio.sleep(random.random())
    while not stop.is_set():
        begun = time.monotonic()
        answer = await request(reader, writer, addr, "/torrents?with_stats=true")
        assert torrent.encode() in answer, answer
        times.append((time.monotonic() - begun) * 1_000)
        await asyncio.sleep(max(0, 1 - (time.monotonic() - begun)))


async def torrserver_client(addr, number, torrent, stop, times):
    host, port = addr.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, port)

    async def ask(path, expected, **body):
        kind = "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
        answer = await request(reader, writer, addr, path, kind, json.dumps(body).encode())
        assert expected in answer, answer

    await asyncio.sleep(random.random())
    while not stop.is_set():
        begun = time.monotonic()
        # Nothing is said of one that does not run.
        await ask("/cache", b"{", action="get", hash=torrent)
        await ask("/torrents", torrent.encode(), action="get", hash=torrent)
        asked = 2
        if number % 10 == 0:
            await ask("/torrents", torrent.encode(), action="list")
            asked += 1
        times.append((time.monotonic() - begun) * 1_000 / asked)
        await asyncio.sleep(max(0, 1 - (time.monotonic() - begun)))


async def stremio_client(addr, _number, torrent, stop, times):
    host, port = addr.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, port)
    await asyncio.sleep(random.random())
    while not stop.is_set():
        begun = time.monotonic()
        answer = await request(reader, writer, addr, f"/{torrent}/0/stats.json")
        assert b'"downloadSpeed":' in answer, answer
        times.append((time.monotonic() - begun) * 1_000)
        await asyncio.sleep(max(0, 1 - (time.monotonic() - begun)))


async def qbittorrent_client(addr, number, torrent, stop, times):
    host, port = addr.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, port)
    is_page, rid = number % 10 == 0, 0
    await asyncio.sleep(random.random())
    while not stop.is_set():
        begun = time.monotonic()
        if is_page:
            answer = await request(reader, writer, addr, f"/api/v2/sync/maindata?rid={rid}")
            rid = json.loads(answer)["rid"]
        else:
            answer = await request(reader, writer, addr, "/api/v2/torrents/info?category=")
            assert torrent.encode() in answer, answer
        times.append((time.monotonic() - begun) * 1_000)
        await asyncio.sleep(max(0, 1 - (time.monotonic() - begun)))


# What polls, by the part.
CLIENTS = {
    "polling": client,
    "transmission": transmission_client,
    "rqbit": rqbit_client,
    "torrserver": torrserver_client,
    "stremio": stremio_client,
    "qbittorrent": qbittorrent_client,
}


def poll(part, addr, clients, torrent, stop, times):
    client = CLIENTS[part]

    async def all_of_them():
        await asyncio.gather(*(client(addr, number, torrent, stop, times) for number in range(clients)))

    asyncio.run(all_of_them())


class Wrk:
    """wrk, with connections that each ask once a second."""

    def __init__(self, folder, addr, clients):
        script = folder / "wrk.lua"
        script.write_text("function delay() return 1000 end\n")
        command = ["wrk", "-t", "1", "-c", str(clients), "-d", "600s", "--latency", "-s", script, f"http://{addr}{LIST}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate()[0].splitlines()
        wanted = ("50%", "99%", "requests in", "Non-2xx", "Socket errors")
        return " ".join(" ".join(line.split()) for line in said if any(word in line for word in wanted))


def download(folder, part, torrent, peer, mib, clients, with_wrk):
    """The rate in MiB/s, the times of the polls, the daemon's processor time, and what wrk says."""
    daemon = Daemon(folder, "one", None if part == "polling" else part)
    added = daemon.ask("/api/v1/torrents?paused=true", "POST", torrent, "application/x-bittorrent")
    hash_of = json.loads(added)["id"]
    stop, times = threading.Event(), []
    polling = threading.Thread(target=poll, args=(part, daemon.other, clients, hash_of, stop, times))
    wrk = Wrk(folder, daemon.addr, clients) if clients and with_wrk else None
    if clients and not wrk:
        polling.start()
    if clients:
        time.sleep(2)
    begun, cpu = time.monotonic(), daemon.cpu()
    daemon.ask(f"/api/v1/torrents/{hash_of}/resume", "POST")
    daemon.ask(f"/api/v1/torrents/{hash_of}/peers", "POST", json.dumps({"peers": [peer]}).encode())
    while json.loads(daemon.ask(f"/api/v1/torrents/{hash_of}"))["progress"] < 1:
        time.sleep(0.05)
    rate, cpu = mib / (time.monotonic() - begun), daemon.cpu() - cpu
    stop.set()
    if clients and not wrk:
        polling.join()
        assert times, "no client was answered"
    said = wrk.end() if wrk else None
    daemon.end()
    shutil.rmtree(folder / "one-data")
    shutil.rmtree(folder / "one")
    return rate, times, cpu, said


def polling(folder, part, mib, clients, rounds, with_wrk):
    payload = folder / "payload"
    with payload.open("wb") as file:
        for _ in range(mib):
            file.write(random.randbytes(1 << 20))
    file = folder / "payload.torrent"
    subprocess.run([PROGRAM, "create", payload, "--output", file, "--force", "--no-config", "-q"], check=True)
    seed = [PROGRAM, "seed", file, "--data", folder, "--json", *LOCAL]
    seeder = subprocess.Popen(seed, stdout=subprocess.PIPE)
    try:
        peer = next(line["addr"] for line in map(json.loads, seeder.stdout) if line.get("event") == "listening")
        threading.Thread(target=lambda: seeder.stdout.read(), daemon=True).start()
        torrent = file.read_bytes()
        rates = {0: [], clients: []}
        for number in range(rounds):
            for load in (0, clients) if number % 2 == 0 else (clients, 0):
                rate, times, cpu, said = download(folder, part, torrent, peer, mib, load, with_wrk)
                rates[load].append(rate)
                polled = f"; wrk: {said}" if said else ""
                if times:
                    times.sort()
                    polled = (
                        f"; {len(times)} polls, median {statistics.median(times):.1f} ms,"
                        f" 99 % within {times[len(times) * 99 // 100]:.1f} ms"
                    )
                print(f"{part}: {mib} MiB with {load} clients: {rate:.0f} MiB/s, {cpu:.1f} s of processor{polled}", flush=True)
    finally:
        seeder.terminate()
        seeder.wait(60)
    alone, loaded = (statistics.median(rates[load]) for load in (0, clients))
    kept = loaded / alone
    print(f"{part}, median: {alone:.0f} MiB/s alone, {loaded:.0f} MiB/s with {clients} clients: {kept:.0%} kept")
    return kept >= KEEPS


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(["torrents", "pausing", "sync", *CLIENTS]))
    parser.add_argument("--torrents", type=int, default=5_000)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--mib", type=int, default=1_024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wrk", action="store_true", help="wrk is the clients")
    args = parser.parse_args()
    parts = args.parts.split(",")
    is_right = True
    with tempfile.TemporaryDirectory() as folder:
        if "torrents" in parts:
            torrents(Path(folder), args.torrents)
        if "pausing" in parts:
            pausing(Path(folder), args.torrents // 5)
        if "sync" in parts:
            sync(Path(folder), args.torrents)
        for part in CLIENTS:
            if part in parts:
                wrk = args.wrk and part == "polling"
                is_right &= polling(Path(folder), part, args.mib, args.clients, args.rounds, wrk)
    raise SystemExit(0 if is_right else 1)


if __name__ == "__main__":
    main()
