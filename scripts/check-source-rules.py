#!/usr/bin/env python3
"""Fails where the sources break a rule of ARCHITECTURE.md that the compiler does not know:

- sockets are named only where a transport lives,
- the rooms of a crate (the folders below its `src`) use each other in one direction only,
- no file has more than 500 lines of code.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SOCKETS = re.compile(r"\b(TcpStream|TcpListener|TcpSocket|UdpSocket)\b")
# Where sockets may be named: path prefixes. Tests may name them anywhere.
MAY_NAME_SOCKETS = (
    "session/src/transport/",
    # Multicast on each interface, which a port for peers cannot share.
    "session/src/driver/discovery/local/",
    "nat/src/",
    "nat/src/",
    "http/src/",
    "dht/src/driver/",
    "tracker/src/client/",
    "tracker/src/server/",
    "utp/src/driver/",
    "serve/src/",
    # The commands that listen themselves.
    "cli/src/",
    # Attackers over TCP and UDP, for tests.
    "hostile/src/",
)
MAX_CODE_LINES = 500
# Circles between rooms that stand today, each with the reason. An entry that is no longer true fails too.
CIRCLES = {}


def sources():
    """All files of the crates' `src` folders, without tests in folders of their own."""
    for path in sorted(ROOT.glob("*/src/**/*.rs")):
        relative = path.relative_to(ROOT).as_posix()
        if "/target/" not in relative and not relative.startswith("target/"):
            yield relative, path.read_text()


def is_test(path):
    return bool(re.search(r"(^|/)(tests|loom_tests)(/|\.rs$)", path))


def without_tests(text):
    """The text up to its module of unit tests, which stands last in a file."""
    return re.split(r"^#\[cfg\((?:all\()?(?:loom, )?test\)?\)\]\s*(?:#\[[^\n]*\]\s*)?mod tests \{", text, flags=re.M)[0]


def code_lines(text):
    return sum(1 for line in text.splitlines() if line.strip() and not line.strip().startswith("//"))


def room(crate, path):
    """The top module that a file belongs to; `None` for the crate's root."""
    inside = path.removeprefix(f"{crate}/src/").removesuffix(".rs").split("/")
    return None if inside[0] in ("lib", "main") else inside[0]


def uses(crate, files):
    """Which rooms of a crate name which, and where."""
    rooms = {room(crate, path) for path in files} - {None}
    # What the root re-exports belongs to the room that has it.
    home = {}
    for root in ("lib", "main"):
        text = files.get(f"{crate}/src/{root}.rs", "")
        for name, names in re.findall(r"pub(?:\(crate\))? use (?:crate::|self::)?(\w+)::([^;]+);", text):
            if name in rooms:
                for item in re.findall(r"\b(\w+)\b(?!::)", names):
                    home[item] = name
    arrows = defaultdict(dict)
    for path, text in files.items():
        here = room(crate, path)
        if here is None or is_test(path):
            continue
        text = without_tests(re.sub(r"//[^\n]*", "", text))
        named = set(re.findall(r"\bcrate::(\w+)", text))
        for group in re.findall(r"\bcrate::\{([^;]*)\};", text):
            named |= set(re.findall(r"(?:^|,)\s*(\w+)", group))
        # From the top of a room, `super` is the root.
        if path.removeprefix(f"{crate}/src/") in (f"{here}.rs", f"{here}/mod.rs"):
            named |= set(re.findall(r"\bsuper::(\w+)", text))
        for name in named:
            there = name if name in rooms else home.get(name)
            if there and there != here:
                arrows[here].setdefault(there, path)
    return arrows


def way(arrows, start, goal):
    """The shortest way from one to the other, or `None`."""
    came_from, waiting = {start: None}, [start]
    for here in waiting:
        for there in arrows.get(here, {}):
            if there not in came_from:
                came_from[there] = here
                waiting.append(there)
    if goal not in came_from:
        return None
    steps = [goal]
    while came_from[steps[-1]] is not None:
        steps.append(came_from[steps[-1]])
    return steps[::-1]


def circles(crate, arrows):
    """Pairs of folders that lead to each other, also by way of files beside them, and both ways."""
    # A folder that has only tests is none.
    folders = sorted(
        path.name for path in (ROOT / crate / "src").iterdir()
        if any(not is_test(file.relative_to(ROOT).as_posix()) for file in path.glob("**/*.rs"))
    )
    for here in folders:
        for there in folders:
            if here < there:
                forth, back = way(arrows, here, there), way(arrows, there, here)
                if forth and back:
                    yield here, there, f"{' -> '.join(forth)} and {' -> '.join(back)}"


def main() -> int:
    wrong, files, found = [], defaultdict(dict), set()
    for path, text in sources():
        files[path.split("/")[0]][path] = text
        bare = without_tests(text)
        if not is_test(path) and not path.startswith(MAY_NAME_SOCKETS):
            code = "\n".join(line.split("//")[0] for line in bare.splitlines())
            if match := SOCKETS.search(code):
                wrong.append(f"{path} names {match[1]}: sockets belong to a transport")
        if not is_test(path) and (lines := code_lines(bare)) > MAX_CODE_LINES:
            wrong.append(f"{path} has {lines} lines of code, more than {MAX_CODE_LINES}")
    for crate, of_crate in sorted(files.items()):
        for here, there, ways in circles(crate, uses(crate, of_crate)):
            found.add((crate, here, there))
            if (crate, here, there) not in CIRCLES:
                wrong.append(f"{crate}: a circle between {here} and {there}: {ways}")
    wrong += [f"{arrow} is no circle any more: take it out of CIRCLES" for arrow in sorted(CIRCLES.keys() - found)]
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{sum(len(of_crate) for of_crate in files.values())} files, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
