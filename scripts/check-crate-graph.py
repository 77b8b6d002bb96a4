#!/usr/bin/env python3
"""Fails on any arrow between our crates that ARCHITECTURE.md does not draw, and on tokio below the drivers."""

import json
import subprocess
import sys

# What each crate may use, of ours.
MAY_USE = {
    "tailwater-types": set(),
    "tailwater-bencode": set(),
    "tailwater-metainfo": {"tailwater-types", "tailwater-bencode"},
    "tailwater-wire": {"tailwater-types", "tailwater-bencode"},
    "tailwater-http": {"tailwater-types"},
    "tailwater-nat": {"tailwater-types"},
    "tailwater-tracker": {"tailwater-types", "tailwater-bencode", "tailwater-http"},
    # The network only for simulations, behind the feature `sim`.
    "tailwater-dht": {"tailwater-types", "tailwater-bencode", "tailwater-netsim"},
    "tailwater-storage": {"tailwater-types", "tailwater-metainfo"},
    "tailwater-storage-mem": {"tailwater-types", "tailwater-metainfo", "tailwater-storage"},
    "tailwater-storage-disk": {"tailwater-types", "tailwater-bencode", "tailwater-metainfo", "tailwater-storage"},
    "tailwater-netsim": set(),
    "tailwater-utp": {"tailwater-netsim"},
    # For tests and benches alone.
    "tailwater-engine": {"tailwater-types", "tailwater-metainfo", "tailwater-wire", "tailwater-storage"},
    "tailwater-hostile": {"tailwater-types", "tailwater-metainfo", "tailwater-wire"},
    "tailwater-session": {
        "tailwater-nat",
        "tailwater-types", "tailwater-bencode", "tailwater-metainfo", "tailwater-wire", "tailwater-tracker",
        "tailwater-dht", "tailwater-engine", "tailwater-http", "tailwater-storage", "tailwater-storage-mem",
        "tailwater-storage-disk", "tailwater-utp",
    },
    # URLs that callers of the daemon name are fetched with the client that knows which addresses are allowed.
    "tailwater-serve": {"tailwater-http", "tailwater-metainfo", "tailwater-session"},
    # Hot paths, for `tailwater bench` and for CI to count their instructions.
    "tailwater-bench": {
        "tailwater-types", "tailwater-metainfo", "tailwater-wire", "tailwater-dht", "tailwater-engine",
        "tailwater-storage-mem",
    },
    # A storage of one's own, over object stores.
    "object-store": {"tailwater-metainfo", "tailwater-session", "tailwater-storage"},
    # The binary shows torrents, runs trackers and makes .torrent files: it may name whatever lies below the session.
    "tailwater": {
        "tailwater-types", "tailwater-bencode", "tailwater-metainfo", "tailwater-http", "tailwater-tracker",
        "tailwater-session", "tailwater-serve",
        # `tailwater dht` runs nodes without a session, and `tailwater sim` whole networks of them,
        # and of uTP's connections.
        "tailwater-dht", "tailwater-utp",
        # `tailwater bench` times hot paths.
        "tailwater-bench",
    },
}
MAY_USE_IN_TESTS = {
    # Whole swarms over a simulated network, with the real memory storage and with hostile peers.
    "tailwater-engine": {"tailwater-engine", "tailwater-hostile", "tailwater-netsim", "tailwater-storage-mem"},
    "tailwater-session": {"tailwater-hostile", "tailwater-session"},
    # Whole transfers over a simulated network.
    "tailwater-utp": {"tailwater-netsim", "tailwater-utp"},
    "tailwater": {"tailwater-hostile"},
    # Their own features: fuzz bodies, which run over the committed corpus, and what is optional.
    "tailwater-bencode": {"tailwater-bencode"},
    "tailwater-metainfo": {"tailwater-metainfo"},
    "tailwater-wire": {"tailwater-wire"},
    # Its own features, for its tests of client and server together.
    "tailwater-tracker": {"tailwater-tracker"},
    "tailwater-storage": {"tailwater-storage"},
    "tailwater-storage-disk": {"tailwater-storage-disk"},
    "tailwater-serve": {"tailwater-serve"},
}
# Machines without I/O: not even an optional dependency on a runtime.
WITHOUT_TOKIO = {
    "tailwater-types", "tailwater-bencode", "tailwater-metainfo", "tailwater-wire", "tailwater-storage",
    "tailwater-storage-mem", "tailwater-netsim", "tailwater-engine",
}


def main() -> int:
    output = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"], check=True, capture_output=True, text=True
    ).stdout
    packages = {package["name"]: package for package in json.loads(output)["packages"]}
    wrong = [f"{name} is not in the table of this script" for name in sorted(packages.keys() - MAY_USE.keys())]
    wrong += [f"{name} is not in the workspace" for name in sorted(MAY_USE.keys() - packages.keys())]
    for name, package in sorted(packages.items()):
        for dependency in package["dependencies"]:
            used, kind = dependency["name"], dependency["kind"] or "normal"
            allowed = MAY_USE.get(name, set()) | (MAY_USE_IN_TESTS.get(name, set()) if kind == "dev" else set())
            if used in packages and used not in allowed:
                wrong.append(f"{name} may not use {used} ({kind})")
            if used.startswith("tokio") and name in WITHOUT_TOKIO and kind == "normal":
                wrong.append(f"{name} has no I/O and may not use {used}")
        for field in ("description", "license", "keywords", "categories", "rust_version", "readme"):
            if not package.get(field):
                wrong.append(f"{name} has no {field} for crates.io")
    for line in wrong:
        print(line, file=sys.stderr)
    arrows = sum(d["name"] in packages for p in packages.values() for d in p["dependencies"])
    print(f"{len(packages)} crates, {arrows} arrows, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
