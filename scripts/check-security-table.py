#!/usr/bin/env python3
"""Fails if SECURITY.md names a test that is not in the sources, or has a row that names none."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def tests() -> set[str]:
    files = subprocess.run(["git", "ls-files", "*.rs"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    sources = "\n".join((ROOT / file).read_text() for file in files if (ROOT / file).exists())
    # Attributes of several lines may stand between the mark of a test and its function; a name is enough.
    return set(re.findall(r"\bfn (\w+)\s*[(<]", sources))


def main() -> int:
    known = tests()
    wrong, named = [], 0
    for number, line in enumerate((ROOT / "SECURITY.md").read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or set(line) <= set("|-: ") or cells[-1] == "test":
            continue
        names = re.findall(r"`(\w+)`", cells[-1])
        if not names:
            wrong.append(f"SECURITY.md:{number}: the row names no test")
        wrong += [f"SECURITY.md:{number}: there is no test `{name}`" for name in names if name not in known]
        named += len(names)
    print("\n".join(wrong) if wrong else f"SECURITY.md: {named} tests named, all there")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
