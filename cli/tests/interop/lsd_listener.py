"""Prints every info-hash that is announced to the local network (BEP 14), until standard input is closed.

    lsd_listener.py ADDRESS

ADDRESS is that of the interface to listen on.
"""

import re
import select
import socket
import sys

GROUP, PORT = "239.192.152.143", 6771

listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((GROUP, PORT))
membership = socket.inet_aton(GROUP) + socket.inet_aton(sys.argv[1])
listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
print("listening")
while True:
    ready, _, _ = select.select([listener, sys.stdin], [], [])
    if sys.stdin in ready:
        sys.exit()
    packet, sender = listener.recvfrom(65536)
    for info_hash in re.findall(rb"(?im)^infohash: *([0-9a-f]{40})\r?$", packet):
        print(f"announced {info_hash.decode().lower()} by {sender[0]}")
