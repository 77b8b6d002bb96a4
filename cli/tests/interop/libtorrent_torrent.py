"""Makes a torrent with libtorrent, or prints what libtorrent reads in one.

    libtorrent_torrent.py create PAYLOAD TORRENT PIECE_KIB v1|v2|hybrid [WEB_SEED...]
    libtorrent_torrent.py inspect TORRENT...
    libtorrent_torrent.py hashes PAYLOAD PIECE_KIB follow|keep
"""

import hashlib
import json
import os
import sys

import libtorrent as lt


def create(payload, torrent, piece_kib, version, *web_seeds):
    files = lt.list_files(payload)
    flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}[version]
    torrent_file = lt.create_torrent(files, int(piece_kib) * 1024, flags)
    torrent_file.set_creator("libtorrent")
    for url in web_seeds:
        torrent_file.add_url_seed(url)
    lt.set_piece_hashes(torrent_file, os.path.dirname(payload))
    with open(torrent, "wb") as out:
        out.write(lt.bencode(torrent_file.generate()))


def hashes(payload, piece_kib, symlinks):
    """The info-hashes of each version, and whether libtorrent reads the torrent that it has made."""
    creator = lt.create_torrent
    more = creator.symlinks if symlinks == "keep" else 0
    # Attributes of files that are no links are not in v1 torrents of other programs.
    attributes = 0 if symlinks == "keep" else creator.no_attributes
    for version, flags in {
        "v1": creator.v1_only | attributes,
        "v2": creator.v2_only,
        "hybrid": 0,
    }.items():
        files = lt.list_files(payload, flags=flags | more)
        if version == "v1":
            # It would take them in the order in which the file system lists them.
            files.sort(key=lambda file: file.filename.encode().split(b"/"))
        torrent = creator(files, int(piece_kib) * 1024, flags | more)
        lt.set_piece_hashes(torrent, os.path.dirname(payload))
        made = torrent.generate()
        info = lt.bencode(made[b"info"])
        try:
            lt.torrent_info(made)
            is_read = True
        except RuntimeError:
            is_read = False
        print(json.dumps({
            "version": version,
            "info_hash_v1": hashlib.sha1(info).hexdigest() if version != "v2" else None,
            "info_hash_v2": hashlib.sha256(info).hexdigest() if version != "v1" else None,
            "is_read": is_read,
        }))


def inspect(*torrents):
    for torrent in torrents:
        inspect_one(torrent)


def inspect_one(torrent):
    info = lt.torrent_info(torrent)
    files = info.files()
    hashes = info.info_hashes()
    print(json.dumps({
        "name": info.name(),
        "info_hash_v1": str(hashes.v1) if hashes.has_v1() else None,
        "info_hash_v2": str(hashes.v2) if hashes.has_v2() else None,
        "piece_length": info.piece_length(),
        "piece_count": info.num_pieces(),
        "files": [
            {"path": files.file_path(index), "length": files.file_size(index)}
            for index in range(files.num_files())
            if not files.file_flags(index) & lt.file_storage.flag_pad_file
        ],
    }))


{"create": create, "inspect": inspect, "hashes": hashes}[sys.argv[1]](*sys.argv[2:])
