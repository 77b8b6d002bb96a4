#!/usr/bin/env python3
"""Counts the instructions of the hot paths in bench/ under valgrind; fails if one takes more than the baseline allows.

    scripts/check-instructions.py            compare with scripts/instructions.json
    scripts/check-instructions.py --accept   write what was counted as the new baseline

The counts do not depend on the load of the machine. They depend on the compiler and on what the processor offers to
valgrind: with another compiler than the baseline's, or another set of vector instructions, they are printed and not judged.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / "scripts" / "instructions.json"
BINARY = ROOT / "target" / "gate" / "tailwater-bench"
# What a count may grow by: a percentage, and a few instructions for the shortest.
TOLERANCE = 0.03


def build() -> None:
    subprocess.run(["cargo", "build", "--quiet", "--profile", "gate", "--package", "tailwater-bench"], check=True, cwd=ROOT)


def cases() -> list[str]:
    return subprocess.run([BINARY], check=True, capture_output=True, text=True).stdout.split()


def count(case: str) -> int:
    command = [
        "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no",
        "--toggle-collect=tailwater_bench::measured*", str(BINARY), case,
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not found or int(found[1]) == 0:
        sys.exit(f"error: {case} cannot be counted:\n{run.stderr}")
    return int(found[1])


def machine() -> dict[str, str]:
    """What the counts depend on beside the code."""
    compiler = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()
    flags = Path("/proc/cpuinfo").read_text().split()
    # valgrind has no AVX-512: what a processor offers beyond AVX2 makes no difference.
    vectors = "avx2" if "avx2" in flags else "sse"
    return {"compiler": compiler, "vectors": vectors}


def main() -> int:
    build()
    counted = {case: count(case) for case in cases()}
    found = machine()
    if "--accept" in sys.argv[1:]:
        BASELINE.write_text(json.dumps({**found, "instructions": counted}, indent=2) + "\n")
        print(f"{len(counted)} counts are the new baseline")
        return 0
    baseline = json.loads(BASELINE.read_text())
    allowed = baseline["instructions"]
    judged = all(baseline[key] == value for key, value in found.items())
    wrong = [f"{case} has no count in the baseline" for case in sorted(counted.keys() - allowed.keys())]
    wrong += [f"{case} is in the baseline and is no case" for case in sorted(allowed.keys() - counted.keys())]
    for case, instructions in counted.items():
        before = allowed.get(case, instructions)
        change = instructions / before - 1
        print(f"{case:18} {instructions:12,} {change:+7.1%}")
        if judged and change > TOLERANCE:
            wrong.append(f"{case} takes {change:.1%} more instructions than the baseline")
    if not judged:
        print(f"not judged: the baseline is of {baseline['compiler']} with {baseline['vectors']}")
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    if wrong:
        print("If that is meant, accept it with `scripts/check-instructions.py --accept`.", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
