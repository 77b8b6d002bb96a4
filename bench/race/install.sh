#!/usr/bin/env bash
# Installs the clients of the race from package registries, below target/race of this checkout: libtorrent from PyPI,
# rqbit from crates.io, webtorrent-cli and peerflix from npm; aria2, transmission-cli, ffmpeg and what else is missing from
# Debian's archive, which needs root. Quick when all is there; what cannot be installed is said, and left out of the race.
set -uo pipefail
cd "$(dirname "$0")/../.."

home="${CARGO_TARGET_DIR:-target}/race"
mkdir -p "$home"

packages=()
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || packages+=("$2")
}
need aria2c aria2
need transmission-cli transmission-cli
need ffmpeg ffmpeg
need ip iproute2
need tc iproute2
need npm npm
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
if ((${#packages[@]} > 0)); then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}" </dev/null >/dev/null ||
        echo "not installed: ${packages[*]}" >&2
fi

if ! "$home/venv/bin/python" -c 'import libtorrent' 2>/dev/null; then
    python3 -m venv "$home/venv" && "$home/venv/bin/pip" install --quiet --disable-pip-version-check 'libtorrent>=2.0.9' ||
        echo "not installed: libtorrent" >&2
fi
if ! [ -x "$home/bin/rqbit" ]; then
    # Its page needs npm to build; the race needs no page.
    cargo install --quiet --locked --root "$home" --no-default-features --features default-tls rqbit ||
        echo "not installed: rqbit" >&2
fi
# Without the scripts of packages: one of them refuses npm, and what others would build is not needed over TCP. From its
# version 5 on, webtorrent-cli does not start without a part that is downloaded from elsewhere.
if ! [ -x "$home/node_modules/.bin/peerflix" ] || ! [ -x "$home/node_modules/.bin/webtorrent" ]; then
    npm install --silent --no-fund --no-audit --ignore-scripts --prefix "$(realpath "$home")" peerflix webtorrent-cli@4 ||
        echo "not installed: peerflix, webtorrent-cli" >&2
fi
