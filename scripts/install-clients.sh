#!/usr/bin/env bash
# Installs the programs that the interop tests, the stream tests and the stream bench talk to: Debian's transmission-cli
# with its remotes, its daemon and its web page, rustmission from crates.io, qbittorrent-nox, aria2 and rTorrent, libtorrent, transmission-rpc, qbittorrent-api and moto (an S3 server) from PyPI in a virtual environment below the target
# folder, @ctrl/qbittorrent from npm beside it, and Debian's ffmpeg, mpv, Chromium with its
# driver, nginx, OpenSSL and curl, node with axe-core for the tests of the daemon's pages, two files of stremio-video, tmux for those of `tailwater top`, and for the tests of port mapping miniupnpd (the bare program: no service is set up) and upnpc.
# For Debian and its kin; quick when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

venv="${CARGO_TARGET_DIR:-target}/interop-venv"
# axe-core looks for faults of accessibility in the daemon's pages; it is used by tests alone, and never shipped.
pages="${CARGO_TARGET_DIR:-target}/pages"
axe=axe-core-4.14.1
modules="${CARGO_TARGET_DIR:-target}/interop-npm"
ctrl_qbittorrent=@ctrl/qbittorrent@9.12.1
axe_sha256=e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
# The client of Stremio's streaming server: two of its files run in Chromium.
stremio=stremio-video-0.0.98
stremio_sha256=0bd0ad3e8690e833b9ef797e97aa0a5bf2e9ef4c4597c7996a5b1981a286bcf2

packages=()
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || packages+=("$2")
}
need aria2c aria2
# A remote with windows, the screen that it is tested on, and what tells a program the names of what is on it.
need transmission-remote-gtk transmission-remote-gtk
need Xvfb xvfb
need dbus-daemon dbus-daemon
[[ -e /usr/libexec/at-spi-bus-launcher ]] || packages+=(at-spi2-core)
/usr/bin/python3 -c 'import gi; gi.require_version("Atspi", "2.0")' 2>/dev/null || packages+=(python3-gi gir1.2-atspi-2.0)
[[ -e /usr/share/transmission/web/index.html ]] || packages+=(transmission-common)
need transmission-cli transmission-cli
need transmission-create transmission-cli
need transmission-remote transmission-cli
need transmission-daemon transmission-daemon
need qbittorrent-nox qbittorrent-nox
need rtorrent rtorrent
need ip iproute2
need tc iproute2
need ffmpeg ffmpeg
need ffprobe ffmpeg
need mpv mpv
need chromium chromium
need chromedriver chromium-driver
need nginx nginx-light
need openssl openssl
need valgrind valgrind
need curl curl
need node nodejs
# Debian's npm brings hundreds of packages; where there is another one, it is used.
need npm npm
need miniupnpd miniupnpd-nftables
need nft nftables
need sysctl procps
need pgrep procps
need tcpdump tcpdump
need upnpc miniupnpc
need danted dante-server
need tinyproxy tinyproxy-bin
need tmux tmux
need mkfs.btrfs btrfs-progs
need python3 python3
# Debian splits off the module that puts pip into a new environment.
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)

if ((${#packages[@]} > 0)); then
    mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
    echo "installing ${packages[*]}"
    if [[ $EUID -ne 0 ]]; then
        echo "error: this needs root: sudo apt-get install ${packages[*]}" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # The tests run their own transmission-daemon: where packages start services, Debian's is not left running.
    had_service=$(pgrep -x transmission-da || true)
    apt-get install -y -qq --no-install-recommends "${packages[@]}" </dev/null >/dev/null
    if [[ -z $had_service ]] && command -v systemctl >/dev/null && systemctl is-active --quiet transmission-daemon 2>/dev/null; then
        systemctl disable --quiet --now transmission-daemon
    fi
fi

if ! "$venv/bin/python" -c 'import libtorrent, moto.server, qbittorrentapi, transmission_rpc' 2>/dev/null; then
    echo "installing libtorrent, moto, qbittorrent-api and transmission-rpc into $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check 'libtorrent>=2.0.9' 'moto[server]' transmission-rpc qbittorrent-api==2026.10.1
fi

if [[ ! -d "$modules/node_modules/@ctrl/qbittorrent" ]]; then
    echo "installing $ctrl_qbittorrent into $modules"
    mkdir -p "$modules"
    echo '{"private":true}' >"$modules/package.json"
    # Later versions need node 22, which Debian 12 does not have.
    npm install --prefix "$modules" --silent --no-audit --no-fund --ignore-scripts "$ctrl_qbittorrent" >/dev/null
fi

# Programs that drive a daemon by the APIs of others, apart from libtorrent: what they need is theirs.
clients="${CARGO_TARGET_DIR:-target}/clients-venv"
of_pypi=(rqbit-client==0.0.2 stig==0.15.0a0 tewi-transmission==2.3.1)
if ! "$clients/bin/pip" freeze 2>/dev/null | grep -qx "${of_pypi[0]}" || [[ ! -x "$clients/bin/stig" || ! -x "$clients/bin/tewi" ]]; then
    echo "installing ${of_pypi[*]} into $clients"
    rm -rf "$clients"
    python3 -m venv "$clients"
    "$clients/bin/pip" install --quiet --disable-pip-version-check "${of_pypi[@]}"
fi

# A remote in a terminal that is compiled here, as crates.io has no programs: without optimisation, which takes the least time.
cargo_clients="${CARGO_TARGET_DIR:-target}/clients-cargo"
rustmission=0.5.1
if ! grep -qs "rustmission $rustmission" "$cargo_clients/.crates.toml"; then
    echo "installing rustmission $rustmission into $cargo_clients"
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 cargo install rustmission --version "$rustmission" --locked --debug --quiet \
        --root "$cargo_clients" --target-dir "$cargo_clients/build"
    rm -rf "$cargo_clients/build"
fi

# @ctrl/transmission and what it loads, from npm: packages of plain JavaScript, whose contents are checked.
npm="${CARGO_TARGET_DIR:-target}/clients-npm"
of_npm=(
    '@ctrl/magnet-link 4.2.0 8d2151da039526a2c94aa82ddeb198882ef89da54d9bcf8cb5c5e2bdf18bf754'
    '@ctrl/shared-torrent 6.5.0 92709987c9f7725ce6bbf4dd767963e9b176778d89de58d9a02d4b982d1eca08'
    '@ctrl/transmission 7.4.0 ae92ac4a20cdfe43a443653cece4386b5a99e0b3079620239a40b1ee6d2b8a61'
    'destr 2.0.5 74e712f47d901d65965728643865cd47c85a59908f48de042deb96823bd20a64'
    'node-fetch-native 1.6.7 f60116b7c99ef401e3c46ec7d3ad97d66f5ccf1fd45eee9a2d95136c981314a7'
    'ofetch 1.5.1 0483ce6fbfce9f9d67eda8d2544bb8677737729b6a1b2fec7c3b8f290b4a51fa'
    'rfc4648 1.5.4 9e709665e914e309f9b1625ef8bd8eeba7697840d57078b3d58a05f92e41acf5'
    'ufo 1.6.4 b060e20d485ef8f6a8b9d58dc0fb28e8b9607dfeabf2b6007a73e60f012e6ab0'
    'uint8array-extras 1.6.0 ca13493601febc703dfc271eebfdd79342eba2a76817aab88e07737ca4db5c88'
)
for package in "${of_npm[@]}"; do
    read -r name version sha256 <<<"$package"
    folder="$npm/node_modules/$name"
    grep -qs "\"version\": \"$version\"" "$folder/package.json" && continue
    echo "installing $name $version into $npm"
    mkdir -p "$folder"
    # A mirror, if npm is set up to use one.
    registry="$(npm config get registry 2>/dev/null || true)"
    [[ $registry == http* ]] || registry=https://registry.npmjs.org/
    curl -fsSL --retry 3 -o "$folder.tgz" "${registry%/}/$name/-/${name##*/}-$version.tgz"
    echo "$sha256  $folder.tgz" | sha256sum --check --quiet
    tar -xzf "$folder.tgz" -C "$folder" --strip-components=1
    rm "$folder.tgz"
done

if [[ ! -f "$pages/axe.min.js" ]]; then
    echo "installing $axe into $pages"
    mkdir -p "$pages"
    (
        cd "$pages"
        # npm knows of a mirror, if there is one; its Debian package brings hundreds of others, which one file is not worth.
        if ! { command -v npm && npm pack --silent "${axe%-*}@${axe##*-}"; } >/dev/null; then
            curl -fsSL -o "$axe.tgz" "https://registry.npmjs.org/${axe%-*}/-/$axe.tgz"
        fi
        echo "$axe_sha256  $axe.tgz" | sha256sum --check --quiet
        tar -xzf "$axe.tgz" --strip-components=1 package/axe.min.js
        rm "$axe.tgz"
    )
fi

if [[ ! -f "$pages/stremio-video/fetchVideoParams.js" ]]; then
    echo "installing $stremio into $pages"
    mkdir -p "$pages/stremio-video"
    (
        cd "$pages/stremio-video"
        file="stremio-$stremio.tgz"
        if ! { command -v npm && npm pack --silent "@stremio/${stremio%-*}@${stremio##*-}"; } >/dev/null; then
            curl -fsSL -o "$file" "https://registry.npmjs.org/@stremio/${stremio%-*}/-/$stremio.tgz"
        fi
        echo "$stremio_sha256  $file" | sha256sum --check --quiet
        tar -xzf "$file" --strip-components=3 package/src/withStreamingServer/{createTorrent,fetchVideoParams}.js
        rm "$file"
    )
fi

aria2c --version | head -n 1
transmission-cli --version 2>&1 | head -n 1
ffmpeg -version | head -n 1
chromium --version 2>/dev/null
nginx -v 2>&1
curl --version | head -n 1
echo "node $(node --version)"
miniupnpd --version | head -n 1
echo "libtorrent $("$venv/bin/python" -c 'import libtorrent; print(libtorrent.__version__)')"
