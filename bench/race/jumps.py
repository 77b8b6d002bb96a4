#!/usr/bin/env python3
"""How long a player waits when it jumps forward to where nothing has been fetched, in v1, v2 and hybrid torrents.

    jumps.py [--versions v1,v2,hybrid] [--pieces 1,4,16] [--rtts 0,50] [--jumps 9] [--pause 0] [--mbit 100]

`tailwater stream` fetches from one libtorrent seeder over a link of its own (see race.py). A request begins in the middle of a
piece, of which nothing is held, and reads 256 KiB; it ends, and the next begins further on, while what is around the last
place is still being fetched. Measured is the time from the request until its first byte: the median, and the longest.
In a torrent of v2 a player waits for a block; in one of v1, for a piece. Needs root, as race.py does.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import race

HTTP = 8899
READ = 256 << 10


def ask(url, begin):
    """Asks for bytes; returns the seconds until the first, and all of them. Runs on the client's side of the link."""
    parts = urllib.parse.urlsplit(url)
    began = time.monotonic()
    with socket.create_connection((parts.hostname, parts.port), timeout=race.GIVE_UP) as connection:
        request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        connection.sendall(f"{request}Range: bytes={begin}-{begin + READ - 1}\r\n\r\n".encode())
        answer = b""
        first = None
        while part := connection.recv(1 << 16):
            answer += part
            # The head comes at once; the body when there is something of it.
            if first is None and len(answer.partition(b"\r\n\r\n")[2]) > 0:
                first = time.monotonic() - began
    return first, answer.partition(b"\r\n\r\n")[2]


def jumps(payload, url, count, pause):
    """The seconds of each jump, in the middle of pieces further and further on."""
    size = payload.stat().st_size
    step = size // (count + 1)
    waits = []
    with open(payload, "rb") as file:
        for number in range(count):
            begin = number * step + step // 2 + 12_345
            wait, body = ask(url, begin)
            file.seek(begin)
            if body != file.read(READ):
                raise race.Failed(f"other bytes than those at {begin}")
            waits.append(wait)
            time.sleep(pause)
    return waits


def seed(address, folder, torrent):
    """Seeds with libtorrent, until standard input is closed. It checks the files, as what it only believes has no hashes of
    blocks to serve."""
    import libtorrent as lt

    session = lt.session({
        "listen_interfaces": f"{address}:6881", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
        "enable_natpmp": False, "enable_incoming_utp": False, "enable_outgoing_utp": False,
    })
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    handle = session.add_torrent(params)
    while not handle.status().is_seeding:
        time.sleep(0.05)
    print("ready", flush=True)
    sys.stdin.read()


def measure(args, folder, version, mib, rtt):
    payload = folder / "payload" / "payload.bin"
    if not payload.exists():
        payload.parent.mkdir()
        with open(payload, "wb") as out:
            for _ in range(args.mib):
                out.write(os.urandom(1 << 20))
    torrent = folder / f"{version}-{mib}.torrent"
    more = [] if version == "v1" else [f"--{version}"]
    race.run(race.OURS, "create", payload, "--output", torrent, "--piece-length", f"{mib}MiB", "--force", "--no-config", *more)
    row = race.Row("", args.mbit, piece=mib << 20, rtt=rtt)
    home = race.fresh(folder / "home")
    with contextlib.ExitStack() as stack:
        net = stack.enter_context(race.Net(row))
        seeder = [*net.at("far"), race.PYTHON, "-W", "ignore", __file__, "--seed", race.FAR, payload.parent, torrent]
        seeder = stack.enter_context(race.Process(seeder, folder / "seeder.log"))
        seeder.until(lambda: "ready" in seeder.said(), "the seeder does not start")
        command = [*net.at("near"), race.OURS, "stream", torrent, "--memory", args.memory, "--listen", f"{race.NEAR}:6882",
                   "--peer", f"{race.FAR}:6881", "--http", f"127.0.0.1:{HTTP}", "--json", *race.Ours.alone]
        with race.Process(command, folder / "client.log", {"XDG_STATE_HOME": str(home)}) as process:
            process.until(lambda: '"file"' in process.said(), "it does not stream")
            events = [json.loads(line) for line in process.said().splitlines() if line.startswith("{")]
            url = next(event["file"] for event in events if event.get("file"))
            time.sleep(args.settle)
            inside = [*net.at("near"), sys.executable, __file__, "--inside", str(payload), url, str(args.jumps), str(args.pause)]
            return json.loads(race.run(*inside))


def main():
    if sys.argv[1:2] == ["--inside"]:
        print(json.dumps(jumps(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))))
        return
    if sys.argv[1:2] == ["--seed"]:
        seed(*sys.argv[2:5])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    listed = lambda kind: lambda text: [kind(word) for word in text.split(",")]
    parser.add_argument("--versions", type=listed(str), default=["v1", "v2", "hybrid"])
    parser.add_argument("--pieces", type=listed(int), default=[1, 4, 16], help="MiB")
    parser.add_argument("--rtts", type=listed(int), default=[0, 50], help="milliseconds")
    parser.add_argument("--jumps", type=int, default=9)
    parser.add_argument("--mbit", type=int, default=100)
    parser.add_argument("--mib", type=int, default=512, help="the size of the file")
    parser.add_argument("--pause", type=float, default=0, help="seconds between jumps: long enough, nothing is on its way any more")
    parser.add_argument("--memory", default="128MiB")
    parser.add_argument("--settle", type=float, default=2, help="seconds before the first jump")
    args = parser.parse_args()
    race.PYTHON = race.python()
    if os.geteuid() != 0:
        sys.exit("error: this needs root, for network namespaces")
    if not os.path.exists(race.OURS):
        sys.exit(f"error: there is no {race.OURS}: build it with `cargo build --release`")
    if not race.PYTHON:
        sys.exit("error: there is no libtorrent to fetch from: run bench/race/install.sh")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    print(f"{'torrent':8} {'piece':>7} {'round trip':>10}   first byte: median  longest (ms)", flush=True)
    with tempfile.TemporaryDirectory(prefix="tailwater-jumps-") as folder:
        for version in args.versions:
            for mib in args.pieces:
                for rtt in args.rtts:
                    # The first finds connections and windows cold.
                    waits = [1_000 * wait for wait in measure(args, Path(folder), version, mib, rtt)][1:]
                    print(f"{version:8} {mib:3} MiB {rtt:7} ms   {statistics.median(waits):18.1f} {max(waits):8.1f}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except race.Failed as failure:
        sys.exit(f"error: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
