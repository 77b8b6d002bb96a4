#!/usr/bin/env python3
"""Fails when ARCHITECTURE.md, CONTRIBUTING.md or SECURITY.md names a file, folder or test that is not there.

Paths stand in backquotes and begin with the name of a crate's folder. A test is named as `file` → `test_name` in a table,
or in backquotes after a path in the same cell or sentence.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")


def main() -> int:
    wrong, count = [], 0
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} | {"examples"}
    tests = subprocess.run(
        ["grep", "-rhoE", r"fn [a-z_0-9]+\(", "--include=*.rs", *sorted(f for f in folders if (ROOT / f / "Cargo.toml").exists())],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout
    names = set(re.findall(r"fn (\w+)\(", tests))
    for doc in DOCS:
        for number, line in enumerate((ROOT / doc).read_text().splitlines(), 1):
            for path in re.findall(r"`([a-z][\w.-]*(?:/[\w.*{},-]+)+/?)`", line):
                if path.split("/")[0] not in folders:
                    continue
                count += 1
                options = [path]
                if brace := re.search(r"\{([^}]*)\}", path):
                    options = [path.replace(brace[0], part) for part in brace[1].split(",")]
                for option in options:
                    if not list(ROOT.glob(option.rstrip("/"))):
                        wrong.append(f"{doc}:{number}: there is no {option}")
            # Names of tests are long enough to be told from everything else.
            for name in re.findall(r"`([a-z][a-z0-9]*(?:_[a-z0-9]+){3,})`", line):
                count += 1
                if name not in names:
                    wrong.append(f"{doc}:{number}: there is no test {name}")
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{count} names in {', '.join(DOCS)}, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
