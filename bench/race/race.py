#!/usr/bin/env python3
"""tailwater beside the clients that users would pick instead: bench/race/install.sh first, then, as root,

    bench/race/race.py [--parts download,seed,first-frame,magnet] [--clients LIST] [--rounds N]
                       [--json FILE] [--markdown FILE] [--small]

Two network namespaces are joined by a link: one libtorrent seeder (or downloader) on one side, the measured client on the
other. Every client has the link to itself, takes turns with the others, and finds its peer by a tracker.

    download     a payload of 512 MiB from libtorrent, over a link without a limit: MiB/s, processor time, peak memory
    seed         the same to libtorrent
    first-frame  a film of 2 minutes, 1080p, 8 Mbit/s, over several links: from the client's launch until ffmpeg has decoded a picture from its
                 URL, and from each jump's command (a new ffmpeg, as players reopen the connection) until it has; and from
                 the launch to the first byte
    magnet       the same first picture for a magnet link that names the tracker, in the first row's setting

`--small` has less of everything, to see that it works. $TAILWATER is the program (default: target/release/tailwater).
What is not installed is left out. Data lies below $TMPDIR and is removed.
"""

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HOME = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "race"
LIBTORRENT = ROOT / "cli" / "src" / "commands" / "bench" / "libtorrent_side.py"
LINK = LIBTORRENT.with_name("link.py")
OURS = os.path.abspath(os.environ.get("TAILWATER", ROOT / "target" / "release" / "tailwater"))
# The ends of links. Each seeder has its own; the first has the tracker as well.
FARS = ("10.98.0.1", "10.98.1.1", "10.98.2.1")
NEARS = ("10.98.0.2", "10.98.1.2", "10.98.2.2")
NEAR = NEARS[0]
FAR = FARS[0]
TRACKER = f"http://{FAR}:6969/announce"
HTTP = 8899
# What may pass at once after silence, and how long a packet may wait for the link.
BURST, QUEUE = "64kb", "50ms"
GIVE_UP = 60
JUMPS = (60, 100, 61, 5)


@dataclasses.dataclass(frozen=True)
class Row:
    """A link with a film at its far end: Mbit/s (of each seeder), where the film's index is, length of a piece in bytes,
    milliseconds of a round trip, and how many seeders there are."""

    title: str
    mbit: int | None = None
    index: str = "head"
    piece: int = 1 << 20
    rtt: int = 0
    seeders: int = 1


ROWS = (
    Row("20 Mbit/s, index at the head, 1 MiB", 20),
    Row("50 Mbit/s, index at the tail, 1 MiB", 50, "tail"),
    Row("20 Mbit/s, index at the tail, 4 MiB", 20, "tail", 4 << 20),
    Row("100 Mbit/s, index at the tail, 1 MiB", 100, "tail"),
    Row("20 Mbit/s with a round trip of 50 ms, index at the head, 1 MiB", 20, rtt=50),
    Row("three seeders of 8 Mbit/s each, index at the head, 1 MiB", 8, seeders=3),
)
NO_LIMIT = Row("")


class Failed(Exception):
    pass


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)
    if done.returncode != 0:
        raise Failed(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout


class Net:
    """A namespace for the client and one for each seeder, with a row's links between, or one of what the machine can do."""

    def __init__(self, row=NO_LIMIT):
        self.row = row
        self.fars = FARS[:row.seeders]
        self.names = [f"tailwater-race-{os.getpid()}-{side}" for side in ["n", *range(row.seeders)]]
        self.links = []

    def __enter__(self):
        try:
            for name in self.names:
                run("ip", "netns", "add", name)
                run("ip", "-n", name, "link", "set", "lo", "up")
            for number, addresses in enumerate(zip(self.fars, NEARS)):
                devices = [f"twr{os.getpid()}{side}{number}" for side in "fn"]
                # Not every kernel can delay packets: a program does it where a row asks for that.
                is_plain = not self.row.rtt and self.row.seeders == 1
                self.join(devices) if is_plain else self.link(devices)
                for name, device, own in zip((self.names[1 + number], self.names[0]), devices, addresses):
                    run("ip", "link", "set", device, "netns", name)
                    run("ip", "-n", name, "addr", "add", f"{own}/24", "dev", device)
                    run("ip", "-n", name, "link", "set", device, "up")
                    # libtorrent takes an interface without one for a local network, and announces nothing from it.
                    run("ip", "-n", name, "route", "add", "default", "dev", device, "metric", number)
                    if self.row.mbit and is_plain:
                        run("tc", "-n", name, "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{self.row.mbit}mbit",
                            "burst", BURST, "latency", QUEUE)
            # The other seeders reach the tracker through the client's namespace.
            run(*self.at("near"), "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1")
        except BaseException:
            self.__exit__()
            raise
        return self

    def join(self, devices):
        run("ip", "link", "add", devices[0], "type", "veth", "peer", "name", devices[1])

    def link(self, devices):
        terms = [self.row.mbit * 1_000_000, self.row.rtt / 2_000, float(QUEUE.removesuffix("ms")) / 1_000]
        command = [sys.executable, LINK, *devices, *map(str, terms)]
        link = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.links.append(link)
        if b"ready" not in link.stdout.readline():
            raise Failed("the link does not start")

    def __exit__(self, *_):
        for link in self.links:
            link.stdin.close()
            link.wait(10)
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)

    def at(self, side, number=0):
        return ["ip", "netns", "exec", self.names[1 + number if side == "far" else 0]]


class Process:
    """A child that is ended with its children; knows its times and its peak memory."""

    def __init__(self, command, log, env=None):
        self.log = Path(log)
        self.began = time.monotonic()
        self.child = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=open(log, "wb"), stderr=subprocess.STDOUT,
            start_new_session=True, env={**os.environ, **(env or {})},
        )
        self.usage = None
        self.peak = 0
        self.code = None
        self.ended = threading.Event()
        threading.Thread(target=self._reap, daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def _reap(self):
        _, status, self.usage = os.wait4(self.child.pid, 0)
        self.took = time.monotonic() - self.began
        self.code = self.child.returncode = os.waitstatus_to_exitcode(status)
        self.ended.set()

    def _watch(self):
        while not self.ended.wait(0.02):
            with contextlib.suppress(OSError, ValueError):
                for line in Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
                    if line.startswith("VmHWM"):
                        self.peak = max(self.peak, int(line.split()[1]) / 1024)

    def cpu(self):
        if self.usage:
            return self.usage.ru_utime, self.usage.ru_stime
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return tuple(int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:13])

    def said(self):
        return self.log.read_text(errors="replace")

    def until(self, is_done, what):
        until = time.monotonic() + GIVE_UP
        while not is_done():
            if self.ended.is_set() or time.monotonic() > until:
                raise Failed(f"{what}: {self.said().strip()[-300:]}")
            time.sleep(0.005)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.ended.wait(10)


def tool(name):
    for folder in (HOME / "bin", HOME / "node_modules" / ".bin"):
        if (folder / name).exists():
            return str(folder / name)
    return shutil.which(name)


def python():
    own = HOME / "venv" / "bin" / "python"
    for candidate in (str(own), sys.executable):
        with contextlib.suppress(Failed, OSError):
            return run(candidate, "-W", "ignore", "-c", "import libtorrent, sys; print(sys.executable)").strip()
    return None


PYTHON = None


def libtorrent(role, address, folder, torrent):
    return [PYTHON, "-W", "ignore", LIBTORRENT, role, f"{address}:6881", "{}", folder, torrent]


class Client:
    """A client: its version, and its commands. `source` is a .torrent file or a magnet link."""

    streams = True
    seeds = True

    def __init__(self, name, program, version=("--version",)):
        self.name, self.program, self.version_args = name, program, version

    def version(self):
        """The first number with a point that it says; some say it on standard error."""
        with contextlib.suppress(OSError):
            done = subprocess.run([self.program, *self.version_args], capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if found := re.search(r"\d+(\.\d+)+", done.stdout + done.stderr):
                return found[0]
        return None

    def is_there(self):
        return bool(self.program) and os.path.exists(self.program)

    def env(self, home):
        return {"HOME": str(home), "XDG_STATE_HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home)}

    def is_done(self, process, home, said):
        """Whether a download that goes on as a seeder is complete."""
        return False


class Ours(Client):
    alone = ["--no-dht", "--no-lsd", "--no-port-map", "--no-progress", "--no-config"]

    def download(self, source, out, home):
        return [self.program, "download", source, "--output", out, "--listen", f"{NEAR}:6882", *self.alone]

    def seed(self, torrent, data, home):
        return [self.program, "seed", torrent, "--data", data, "--listen", f"{NEAR}:6882", *self.alone]

    def stream(self, source, out, home):
        return [self.program, "stream", source, "--http", f"127.0.0.1:{HTTP}", "--json", "--listen", f"{NEAR}:6882", *self.alone]

    def url(self, process, name, info_hash):
        for line in process.said().splitlines():
            with contextlib.suppress(ValueError):
                url = json.loads(line).get("file", "")
                if str(url).startswith("http://"):
                    return url
        return None


class Libtorrent(Client):
    streams = False

    def env(self, home):
        return {}

    def download(self, source, out, home):
        return libtorrent("download", NEAR, out, source)

    def seed(self, torrent, data, home):
        return libtorrent("seed", NEAR, data, torrent)


class Rqbit(Client):
    seeds = False
    common = ["--disable-dht", "--disable-lsd", "--disable-upnp-port-forward"]

    def download(self, source, out, home):
        return [self.program, *self.common, "download", "--disable-http-api", "-e", "-o", out, source]

    def stream(self, source, out, home):
        return [self.program, *self.common, "--http-api-listen-addr", f"127.0.0.1:{HTTP}", "download", "-o", out, source]

    def url(self, process, name, info_hash):
        return f"http://127.0.0.1:{HTTP}/torrents/0/stream/0"


class Aria2(Client):
    streams = False
    common = ["--no-conf", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false", "--file-allocation=none",
              "--summary-interval=0", "--show-console-readout=false", "--listen-port=6882"]

    def download(self, source, out, home):
        return [self.program, *self.common, "--seed-time=0", "--dir", out, source]

    def seed(self, torrent, data, home):
        return [self.program, *self.common, "--seed-ratio=0.0", "--bt-seed-unverified=true", "--allow-overwrite=true",
                "--dir", data, torrent]


class Transmission(Client):
    streams = False

    def command(self, torrent, folder, home):
        settings = {"dht-enabled": False, "lpd-enabled": False, "utp-enabled": False, "port-forwarding-enabled": False,
                    "encryption": 0, "peer-port": 6882, "rpc-enabled": False, "preallocation": 0, "cache-size-mb": 64}
        (home / "settings.json").write_text(json.dumps(settings))
        script = home / "done.sh"
        script.write_text(f"#!/bin/sh\n: >'{home}/done'\n")
        script.chmod(0o755)
        return [self.program, "--config-dir", home, "--no-portmap", "--finish", script, "--download-dir", folder, torrent]

    download = seed = lambda self, source, folder, home: self.command(source, folder, home)

    def is_done(self, process, home, said):
        return (home / "done").exists()


class Webtorrent(Client):
    seeds = False

    def download(self, source, out, home):
        return [self.program, "download", source, "--out", out, "--quiet"]

    def stream(self, source, out, home):
        return [self.program, "download", source, "--out", out, "--port", str(HTTP), "--keep-seeding", "--quiet"]

    def url(self, process, name, info_hash):
        return f"http://127.0.0.1:{HTTP}/0/{urllib.parse.quote(name)}"


class Peerflix(Client):
    seeds = False
    downloads = False

    def stream(self, source, out, home):
        return [self.program, source, "--port", str(HTTP), "--path", out, "--quiet"]

    def url(self, process, name, info_hash):
        return f"http://127.0.0.1:{HTTP}/"


def all_clients():
    return [
        Ours("tailwater", OURS if os.path.exists(OURS) else None),
        Libtorrent("libtorrent", PYTHON, ("-W", "ignore", "-c", "import libtorrent; print(libtorrent.__version__)")),
        Rqbit("rqbit", tool("rqbit")),
        Aria2("aria2", tool("aria2c")),
        Transmission("transmission", tool("transmission-cli")),
        Webtorrent("webtorrent-cli", tool("webtorrent")),
        Peerflix("peerflix", tool("peerflix")),
    ]


def fresh(path):
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def create(payload, torrent, piece):
    run(OURS, "create", payload, "--output", torrent, "--tracker", TRACKER, "--piece-length", f"{piece // 1024}KiB", "--force", "--no-config")
    return next(json.loads(line) for line in run(OURS, "inspect", torrent, "--json", "--no-config").splitlines())["info_hash_v1"]


def film(folder, index, seconds):
    """Made once for each place of the index: at the head for players of the web, or where encoders leave it."""
    path = folder / f"film-{index}" / "film.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True)
        run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size=1920x1080:rate=24:duration={seconds},noise=alls=30:allf=t",
            "-c:v", "libx264", "-preset", "ultrafast", "-g", "48", "-b:v", "8M", "-minrate", "8M", "-maxrate", "8M", "-bufsize", "8M",
            "-pix_fmt", "yuv420p", *(["-movflags", "+faststart"] if index == "head" else []), path)
    return path


class Race:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.results = {}

    def add(self, part, row, client, measure, unit, value):
        key = (part, row, client, measure, unit)
        self.results.setdefault(key, []).append(value)

    @contextlib.contextmanager
    def tracker(self, net):
        command = [*net.at("far"), OURS, "tracker", "--http", f"{FAR}:6969", "--json", "--no-config"]
        with Process(command, self.folder / "tracker.log") as tracker:
            tracker.until(lambda: "listening" in tracker.said(), "the tracker does not start")
            yield tracker

    def seeders(self, tracker):
        for line in reversed(tracker.said().splitlines()):
            with contextlib.suppress(ValueError, KeyError):
                return json.loads(line)["seeders"]
        return 0

    @contextlib.contextmanager
    def far_seeder(self, net, data, torrent):
        with contextlib.ExitStack() as stack:
            tracker = stack.enter_context(self.tracker(net))
            for number, address in enumerate(net.fars):
                command = [*net.at("far", number), *libtorrent("seed", address, data, torrent)]
                seeder = stack.enter_context(Process(command, self.folder / f"seeder-{address}.log"))
            seeder.until(lambda: self.seeders(tracker) >= len(net.fars), "the seeders do not start")
            yield

    def payload(self):
        path = self.folder / "payload" / "payload.bin"
        if not path.exists():
            path.parent.mkdir()
            with open(path, "wb") as out:
                for _ in range(self.mib):
                    out.write(os.urandom(1 << 20))
            create(path, self.folder / "payload.torrent", 1 << 20)
        return path, self.folder / "payload.torrent"

    @property
    def mib(self):
        return 16 if self.args.small else 512

    def record(self, part, client, took, cpu, peak):
        gib = self.mib / 1024
        self.add(part, "", client, "rate", "MiB/s", self.mib / took)
        self.add(part, "", client, "user", "s/GiB", cpu[0] / gib)
        self.add(part, "", client, "system", "s/GiB", cpu[1] / gib)
        self.add(part, "", client, "peak", "MiB", peak)

    def download(self, client):
        payload, torrent = self.payload()
        out, home = fresh(self.folder / "out"), fresh(self.folder / "home")
        with Net() as net, self.far_seeder(net, payload.parent, torrent):
            command = [*net.at("near"), *client.download(torrent, out, home)]
            with Process(command, self.folder / "client.log", client.env(home)) as process:
                def is_done():
                    return process.ended.is_set() or client.is_done(process, home, process.said())

                until = time.monotonic() + GIVE_UP
                while not is_done() and time.monotonic() < until:
                    time.sleep(0.005)
                took, cpu = time.monotonic() - process.began, process.cpu()
                arrived = next(iter(out.rglob(payload.name)), None)
                if process.code or not arrived or run("cmp", payload, arrived):
                    raise Failed(process.said().strip()[-300:])
                self.record("download", client.name, took, cpu, process.peak)

    def seed(self, client):
        payload, torrent = self.payload()
        out, home = fresh(self.folder / "out"), fresh(self.folder / "home")
        with Net() as net, self.tracker(net) as tracker:
            command = [*net.at("near"), *client.seed(torrent, payload.parent, home)]
            with Process(command, self.folder / "client.log", client.env(home)) as process:
                process.until(lambda: self.seeders(tracker) > 0, "it does not seed")
                before = process.cpu()
                with Process([*net.at("far"), *libtorrent("download", FAR, out, torrent)], self.folder / "far.log") as other:
                    other.ended.wait(GIVE_UP)
                    if other.code != 0:
                        raise Failed(other.said().strip()[-300:])
                    cpu = [now - then for now, then in zip(process.cpu(), before)]
                    self.record("seed", client.name, other.took, cpu, process.peak)

    def picture(self, net, process, url, at):
        """Decodes the picture at `at` seconds; again until the client serves it."""
        began = time.monotonic()
        seek = ["-ss", str(at)] if at else []
        while True:
            command = [*net.at("near"), "ffmpeg", "-v", "error", "-nostdin", *seek, "-i", url, "-frames:v", "1", "-f", "null", "-"]
            if subprocess.run(command, capture_output=True, timeout=GIVE_UP).returncode == 0:
                return (time.monotonic() - began) * 1000
            if process.ended.is_set() or time.monotonic() - began > GIVE_UP:
                raise Failed(f"no picture at {at} s: {process.said().strip()[-300:]}")
            time.sleep(0.01)

    @contextlib.contextmanager
    def streaming(self, net, client, source, name, info_hash):
        out, home = fresh(self.folder / "out"), fresh(self.folder / "home")
        command = [*net.at("near"), *client.stream(source, out, home)]
        with Process(command, self.folder / "client.log", client.env(home)) as process:
            process.until(lambda: client.url(process, name, info_hash), "it says no address")
            yield process, client.url(process, name, info_hash)

    def first_byte(self, net, process, url):
        command = [*net.at("near"), "curl", "--silent", "--fail", "--output", "/dev/null", "--range", "0-0", url]
        while subprocess.run(command, capture_output=True).returncode != 0:
            if process.ended.is_set() or time.monotonic() - process.began > GIVE_UP:
                raise Failed(f"no byte: {process.said().strip()[-300:]}")
            time.sleep(0.01)
        return (time.monotonic() - process.began) * 1000

    def watch(self, client, row, part="first-frame"):
        title = row.title
        seconds = 110 if self.args.small else 120
        path = film(self.folder, row.index, seconds)
        torrent = self.folder / "film.torrent"
        info_hash = create(path, torrent, row.piece)
        magnet = f"magnet:?xt=urn:btih:{info_hash}&tr={urllib.parse.quote(TRACKER, safe='')}"
        source = magnet if part == "magnet" else torrent
        with Net(row) as net, self.far_seeder(net, path.parent, torrent):
            with self.streaming(net, client, source, path.name, info_hash) as (process, url):
                value = self.first_byte(net, process, url)
                self.add(part, title, client.name, "first byte", "ms", value)
        with Net(row) as net, self.far_seeder(net, path.parent, torrent):
            with self.streaming(net, client, source, path.name, info_hash) as (process, url):
                self.picture(net, process, url, 0)
                self.add(part, title, client.name, "first frame", "ms", (time.monotonic() - process.began) * 1000)
                for number, at in enumerate(JUMPS if part == "first-frame" else ()):
                    way = "back" if number and at < JUMPS[number - 1] else "jump"
                    self.add(part, title, client.name, f"{way} to {at} s", "ms", self.picture(net, process, url, at))
                if part == "first-frame":
                    # Who is slow in one jump has fetched more for the next.
                    self.add(part, title, client.name, "all of these", "ms", (time.monotonic() - process.began) * 1000)
                self.add(part, title, client.name, "peak", "MiB", process.peak)

    def run(self):
        clients = [client for client in all_clients() if not self.args.clients or client.name in self.args.clients]
        there = [client for client in clients if client.is_there()]
        for client in clients:
            if client not in there:
                print(f"left out: {client.name} is not installed", file=sys.stderr)
        rows = ROWS[:1] if self.args.small else ROWS
        work = []
        for part in self.args.parts:
            if part == "download":
                work += [(part, client, lambda client=client: self.download(client)) for client in there if hasattr(client, "download")]
            elif part == "seed":
                work += [(part, client, lambda client=client: self.seed(client)) for client in there if client.seeds]
            else:
                for row in rows if part == "first-frame" else ROWS[:1]:
                    work += [(part, client, lambda client=client, row=row, part=part: self.watch(client, row, part))
                             for client in there if client.streams]
        given_up = set()
        for number in range(self.args.rounds):
            for index, (part, client, measure) in enumerate(work):
                if index in given_up:
                    continue
                print(f"round {number + 1} of {self.args.rounds}: {part}, {client.name}", file=sys.stderr)
                try:
                    measure()
                except (Failed, subprocess.TimeoutExpired) as error:
                    given_up.add(index)
                    print(f"left out: {part}, {client.name}: {error}", file=sys.stderr)
        return {client.name: client.version() for client in there}

    def lines(self, versions):
        for (part, row, client, measure, unit), values in self.results.items():
            yield {"part": part, "row": row, "client": client, "version": versions.get(client), "measure": measure, "unit": unit,
                   "n": len(values), "median": statistics.median(values), "min": min(values), "max": max(values), "values": values}


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def markdown(lines, about):
    text = [f"{about['date']}; {about['processor']}, {about['cores']} cores, {' '.join(about['features'])}; Linux {about['kernel']}; "
            f"commit {about['commit']}; medians of {about['rounds']}", ""]
    tables = {}
    for line in lines:
        tables.setdefault((line["part"], line["row"]), []).append(line)
    for (part, row), lines_of in tables.items():
        measures = list(dict.fromkeys((line["measure"], line["unit"]) for line in lines_of))
        clients = list(dict.fromkeys((line["client"], line["version"]) for line in lines_of))
        medians = {(line["client"], line["measure"]): line["median"] for line in lines_of}
        text += [f"**{part}**{': ' + row if row else ''}", "", "| client | " + " | ".join(f"{m}, {u}" for m, u in measures) + " |",
                 "|---|" + "---:|" * len(measures)]
        for client, version in clients:
            cells = [number(medians[client, m]) if (client, m) in medians else "" for m, _ in measures]
            text.append(f"| {client} {version or ''} | " + " | ".join(cells) + " |")
        text.append("")
    return "\n".join(text)


def about(args):
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    value = lambda name: next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith(name)), "")
    flags = value("flags").split()
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    return {
        "event": "about", "date": datetime.date.today().isoformat(), "processor": value("model name") or platform.machine(),
        "features": [flag for flag in ("sha_ni", "avx2", "avx512f") if flag in flags], "cores": os.cpu_count(),
        "kernel": platform.release(), "commit": commit or None, "rounds": args.rounds, "small": args.small,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    listed = lambda text: text.split(",")
    parser.add_argument("--parts", type=listed, default=["download", "seed", "first-frame", "magnet"])
    parser.add_argument("--clients", type=listed)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    unknown = set(args.parts) - {"download", "seed", "first-frame", "magnet"}
    unknown |= set(args.clients or ()) - {client.name for client in all_clients()}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    global PYTHON
    PYTHON = python()
    if os.geteuid() != 0:
        sys.exit("error: this needs root, for network namespaces")
    if not os.path.exists(OURS):
        sys.exit(f"error: there is no {OURS}: build it with `cargo build --release`")
    if not PYTHON:
        sys.exit("error: there is no libtorrent to race against: run bench/race/install.sh")
    # A clean end, with all that is removed at it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    with tempfile.TemporaryDirectory(prefix="tailwater-race-") as folder:
        free, needed = shutil.disk_usage(folder).free, (64 if args.small else 2048) << 20
        if free < needed:
            sys.exit(f"error: {folder} has {free >> 20} MiB free, and {needed >> 20} are needed: set TMPDIR")
        race = Race(args, Path(folder))
        versions = race.run()
    head, lines = about(args), list(race.lines(versions))
    if args.json:
        args.json.write_text("".join(json.dumps(line) + "\n" for line in [head, *lines]))
    table = markdown(lines, head)
    if args.markdown:
        args.markdown.write_text(table)
    print(table)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
