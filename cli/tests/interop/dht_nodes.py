"""Runs libtorrent nodes of one DHT, each with an address of its own, until standard input is closed.

    dht_nodes.py SOCKET ADDRESS:PORT...

Every node is introduced to some of the others; `warm` is printed when all of them know enough. The last one only
asks (BEP 43). Whoever connects to the Unix socket SOCKET sends one line of JSON and gets one, when there is an answer:

    {"do": "announced", "hash": H}                        who announced it, once somebody has
    {"do": "asked", "hash": H}                            how many questions and announces there were so far
    {"do": "peers", "hash": H, "peer": "IP:PORT"}         what is found, once that peer is
    {"do": "announce", "hash": H, "port": P}              the last one announces itself; the answer is its address
    {"do": "put", "value": TEXT}                          an immutable item; the answer is its target
    {"do": "get", "target": T}
    {"do": "put_mutable", "seed": S, "key": K, "salt": TEXT, "value": TEXT}      signed with the key of that seed
    {"do": "get_mutable", "key": K, "salt": TEXT, "value": TEXT}      once it says that
"""

import hashlib
import json
import os
import random
import select
import socket
import sys
import threading
import time

import libtorrent as lt

KNOWN_BY_EACH = 24
ENOUGH = 8
LOOK_EVERY = 0.01
ASK_EVERY = 1.0

path, *addresses = sys.argv[1:]


def end_with_the_test():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_the_test, daemon=True).start()

category = lt.alert.category_t
nodes = [
    lt.session({
        "listen_interfaces": address,
        "dht_bootstrap_nodes": "",
        "dht_read_only": address == addresses[-1],
        # What a few nodes and few askers do in a second is a minute's work in a large network.
        "dht_upload_rate_limit": 1_000_000,
        "dht_block_ratelimit": 1000,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "alert_mask": category.dht_notification | category.dht_operation_notification | category.error_notification,
    })
    for address in addresses
]
asker = nodes[-1]
announced = {}
asked = {}


def pump():
    """All alerts since the last time, with what they say of announces remembered."""
    alerts = []
    for node in nodes:
        for alert in node.pop_alerts():
            alerts.append(alert)
            if isinstance(alert, (lt.dht_announce_alert, lt.dht_get_peers_alert)):
                info_hash = str(alert.info_hash)
                asked[info_hash] = asked.get(info_hash, 0) + 1
                if isinstance(alert, lt.dht_announce_alert):
                    announced.setdefault(info_hash, set()).add(f"{alert.ip}:{alert.port}")
            elif alert.category() & category.error_notification:
                print(f"libtorrent: {alert.message()}", file=sys.stderr)
    return alerts


def until(found, ask=lambda: None):
    """Waits until `found` makes something of the alerts, asking now and then."""
    ask_at = 0
    while True:
        if time.monotonic() >= ask_at:
            ask()
            ask_at = time.monotonic() + ASK_EVERY
        result = found(pump())
        if result is not None:
            return result
        time.sleep(LOOK_EVERY)


def warm_up():
    chance = random.Random(1)
    for number, node in enumerate(nodes):
        others = [other for other in addresses[:-1] if other != addresses[number]]
        for other in chance.sample(others, min(KNOWN_BY_EACH, len(others))):
            host, port = other.rsplit(":", 1)
            node.add_dht_node((host, int(port)))

    def sizes(alerts):
        tables = [alert.routing_table for alert in alerts if isinstance(alert, lt.dht_stats_alert)]
        # Answers come one by one; the slowest counts.
        known.extend(sum(bucket["num_nodes"] for bucket in table) for table in tables)
        if len(known) < len(nodes):
            return None
        enough = min(known) >= min(ENOUGH, len(nodes) - 2)
        known.clear()
        if enough:
            return True
        for node in nodes:
            node.post_dht_stats()

    known = []
    for node in nodes:
        node.post_dht_stats()
    until(sizes)


def sha1(text):
    return lt.sha1_hash(bytes.fromhex(text))


def first(alerts, kind, wanted):
    return next((alert for alert in alerts if isinstance(alert, kind) and wanted(alert)), None)


def item(value):
    """What an item says; libtorrent gives it as bytes or, from newer versions, decoded."""
    return value.decode() if isinstance(value, bytes) else value


def do_announced(hash):
    return until(lambda _: sorted(announced.get(hash, [])) or None)


def do_asked(hash):
    pump()
    return asked.get(hash, 0)


def do_peers(hash, peer):
    seen = set()

    def found(alerts):
        for alert in alerts:
            if isinstance(alert, lt.dht_get_peers_reply_alert) and str(alert.info_hash) == hash:
                seen.update(f"{host}:{port}" for host, port in alert.peers())
        return sorted(seen) if peer in seen else None

    return until(found, lambda: asker.dht_get_peers(sha1(hash)))


def do_announce(hash, port):
    asker.dht_announce(sha1(hash), port, 0)
    peer = f"{addresses[-1].rsplit(':', 1)[0]}:{port}"
    return until(lambda _: peer if peer in announced.get(hash, []) else None)


def do_put(value):
    target = str(asker.dht_put_immutable_item(value.encode()))
    until(lambda alerts: first(alerts, lt.dht_put_alert, lambda alert: str(alert.target) == target))
    return target


def do_get(target):
    ask = lambda: asker.dht_get_immutable_item(sha1(target))
    alert = until(lambda alerts: first(alerts, lt.dht_immutable_item_alert, lambda alert: str(alert.target) == target), ask)
    return item(alert.item["value"] if isinstance(alert.item, dict) else alert.item)


def do_put_mutable(seed, key, salt, value):
    # libtorrent takes the key that ed25519 makes of the seed (RFC 8032, 5.1.5).
    secret = bytearray(hashlib.sha512(bytes.fromhex(seed)).digest())
    secret[0] &= 248
    secret[31] = secret[31] & 63 | 64
    asker.dht_put_mutable_item(bytes(secret), bytes.fromhex(key), value.encode(), salt.encode())
    alert = until(lambda alerts: first(alerts, lt.dht_put_alert, lambda alert: bytes(alert.public_key).hex() == key))
    return {"seq": alert.seq, "stored": alert.num_success}


def do_get_mutable(key, salt, value):
    def found(alerts):
        for alert in alerts:
            if isinstance(alert, lt.dht_mutable_item_alert):
                said = alert.item["value"] if isinstance(alert.item, dict) else alert.item
                print(f"mutable item: {alert.item!r}", file=sys.stderr)
                if item(said) == value:
                    return {"seq": alert.seq, "value": value}
        return None

    return until(found, lambda: asker.dht_get_mutable_item(bytes.fromhex(key), salt.encode()))


def serve():
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    print("warm")
    while True:
        while not select.select([server], [], [], LOOK_EVERY)[0]:
            pump()
        connection, _ = server.accept()
        with connection, connection.makefile("rw") as stream:
            request = json.loads(stream.readline())
            answer = globals()["do_" + request.pop("do")](**request)
            stream.write(json.dumps(answer) + "\n")


warm_up()
serve()
