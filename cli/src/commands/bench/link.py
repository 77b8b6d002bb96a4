"""Joins two TUN devices with a link that has a rate and a delay, the same both ways, until standard input is closed.

    link.py DEVICE DEVICE BITS_PER_SECOND DELAY_SECONDS QUEUE_SECONDS

For kernels that have no netem. The devices are made where this runs; once it says `ready` they may be moved to other
network namespaces, which it goes on serving. What would wait for longer than the queue allows is dropped.
"""

import collections
import fcntl
import os
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x1, 0x1000
LONGEST_PACKET = 1 << 16
# Reads from one side before the other side and what is due get their turn.
READS_IN_A_ROW = 32


def device(name):
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return tun


class Direction:
    def __init__(self, source, sink, rate, delay, queue):
        self.source, self.sink = source, sink
        self.rate, self.delay, self.queue = rate, delay, queue
        # When the last bit of all that was accepted has been sent.
        self.free = 0.0
        self.under_way = collections.deque()

    def take(self):
        for _ in range(READS_IN_A_ROW):
            try:
                packet = os.read(self.source, LONGEST_PACKET)
            except BlockingIOError:
                return
            now = time.monotonic()
            if self.free - now <= self.queue:
                self.free = max(self.free, now) + len(packet) * 8 / self.rate
                self.under_way.append((self.free + self.delay, packet))

    def due(self):
        return self.under_way[0][0] if self.under_way else float("inf")

    def deliver(self):
        while self.due() <= time.monotonic():
            _, packet = self.under_way.popleft()
            try:
                os.write(self.sink, packet)
            except OSError:
                pass  # The device is down, or its queue is full: lost, as on any link.


left, right = device(sys.argv[1]), device(sys.argv[2])
terms = [float(argument) for argument in sys.argv[3:6]]
directions = {left: Direction(left, right, *terms), right: Direction(right, left, *terms)}
print("ready", flush=True)
while True:
    wait = min(direction.due() for direction in directions.values()) - time.monotonic()
    timeout = None if wait == float("inf") else max(0.0, wait)
    ready, _, _ = select.select([*directions, sys.stdin], [], [], timeout)
    if sys.stdin in ready:
        sys.exit()
    for source in ready:
        directions[source].take()
    for direction in directions.values():
        direction.deliver()
