#!/usr/bin/env python3
"""Gives libtorrent's own test torrents to `tailwater inspect` and to libtorrent, and compares what they decide.

    scripts/compare-libtorrent.py [--tailwater PROGRAM] [--torrents FOLDER] [--markdown]

Without `--torrents`, libtorrent's repository is cloned into a temporary folder (its test torrents alone, at COMMIT). It needs
Python's libtorrent: `target/interop-venv/bin/python` of `scripts/install-clients.sh`, by which it should be run. It ends with 1
if there is a disagreement that CLAIMS does not name, or a claim that is no longer true.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import libtorrent as lt

REPOSITORY = "https://github.com/arvidn/libtorrent"
COMMIT = "069017e3348e8998ad585c86a5b7eba035d47006"
FOLDERS = ("test/test_torrents", "test/mutable_test_torrents")
ROOT = Path(__file__).resolve().parent.parent

# Each disagreement, and why ours decides as it does. docs/v2.md has them too.
CLAIMS = {
    "duplicate_files2.torrent": (
        "117 files have the path of an earlier one. The limit is 500 in both: libtorrent counts each name that it tries, ours "
        "each file that gets another name (`Limits::duplicate_names`); finding a free name costs ours no search"
    ),
    "v2_overlong_integer.torrent": (
        "A length has a leading zero (`i07e`). BEP 3 lets a client refuse that or take the info dictionary as it stands; ours "
        "never encodes it again, so the info-hash is that of its bytes in either version"
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tailwater", default=str(ROOT / "target/debug/tailwater"))
    parser.add_argument("--torrents", type=Path, action="append")
    parser.add_argument("--markdown", action="store_true", help="print the disagreements as a table")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folders = args.torrents or clone(Path(temporary))
        torrents = sorted(path for folder in folders for path in folder.glob("*.torrent"))
        if not torrents:
            sys.exit("there are no torrents")
        return compare(args, torrents)


def clone(folder: Path) -> list[Path]:
    """The folders with test torrents, and nothing else of the repository."""
    def git(*command: str) -> None:
        subprocess.run(["git", "-C", str(folder), *command], check=True, stdout=subprocess.DEVNULL)

    git("init", "--quiet")
    git("sparse-checkout", "set", *FOLDERS)
    git("fetch", "--quiet", "--depth=1", "--filter=blob:none", REPOSITORY, COMMIT)
    git("checkout", "--quiet", "FETCH_HEAD")
    return [folder / name for name in FOLDERS]


def compare(args: argparse.Namespace, torrents: list[Path]) -> int:
    found, wrong = {}, []
    for path in torrents:
        ours, theirs = tailwater(args.tailwater, path), libtorrent(path)
        difference = differs(ours, theirs)
        if difference:
            found[path.name] = (difference, ours, theirs)
        if bool(difference) != (path.name in CLAIMS):
            wrong.append(f"{path.name}: {difference or 'no disagreement any more'}")
    for name, (difference, ours, theirs) in found.items():
        if args.markdown:
            print(f"| `{name}` | {difference} | {CLAIMS.get(name, '')} |")
        elif name not in CLAIMS:
            print(f"{name}: {difference}\n  ours:   {short(ours)}\n  theirs: {short(theirs)}")
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(torrents)} torrents, {len(torrents) - len(found)} decided alike, {len(wrong)} without a true claim", file=sys.stderr)
    return 1 if wrong else 0


def tailwater(program: str, path: Path) -> dict:
    done = subprocess.run(
        [program, "inspect", str(path), "--json", "--no-config"], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode not in (0, 1):
        return {"error": f"ended with {done.returncode}: {done.stderr.strip()}", "crashed": True}
    if done.returncode == 1:
        return {"error": done.stderr.strip()}
    said = json.loads(done.stdout)
    files = [
        (file["path"], file["length"], file.get("symlink"))
        for file in said["files"]
        if not file["pad"]
    ]
    return {
        "v1": said["info_hash_v1"],
        "v2": said["info_hash_v2"],
        "piece_length": said["piece_length"],
        "files": files,
        "warnings": said["warnings"],
    }


def libtorrent(path: Path) -> dict:
    try:
        loaded = lt.load_torrent_file(str(path))
        info, renamed = loaded.ti, dict(loaded.renamed_files)
        if info is None:
            return {"error": "no info dictionary"}
        hashes, layout = info.info_hashes(), info.layout()
    except RuntimeError as error:
        return {"error": str(error)}
    pad = lt.file_storage.flag_pad_file
    link = lt.file_storage.flag_symlink
    files = [
        (renamed.get(index) or layout.file_path(index), layout.file_size(index), layout.symlink(index) if layout.file_flags(index) & link else None)
        for index in range(layout.num_files())
        if not layout.file_flags(index) & pad
    ]
    return {
        "v1": str(hashes.v1) if hashes.has_v1() else None,
        "v2": str(hashes.v2) if hashes.has_v2() else None,
        "piece_length": info.piece_length(),
        "files": files,
    }


def differs(ours: dict, theirs: dict) -> str:
    """In what they disagree; nothing if they decide alike."""
    if ours.get("crashed"):
        return "ours fails"
    if "error" in ours and "error" in theirs:
        return ""
    if "error" in ours:
        return "we refuse, libtorrent accepts"
    if "error" in theirs:
        return "we accept, libtorrent refuses"
    fields = [field for field in ("v1", "v2", "piece_length") if ours[field] != theirs[field]]
    names = [file[:2] for file in ours["files"]], [file[:2] for file in theirs["files"]]
    if [size for _, size in names[0]] != [size for _, size in names[1]]:
        fields.append("sizes of files")
    elif names[0] != names[1]:
        fields.append("names")
    elif ours["files"] != theirs["files"]:
        fields.append("symlinks")
    return ", ".join(fields)


def short(said: dict) -> str:
    text = said.get("error") or json.dumps({key: said[key] for key in said if key != "warnings"}, ensure_ascii=False)
    return text if len(text) < 400 else f"{text[:400]}…"


if __name__ == "__main__":
    sys.exit(main())
