#!/usr/bin/env bash
# Checks that the crates without I/O compile where there is no operating system (wasm32), and that what a user runs
# compiles where a usize has 32 bits (i686). Debian's rustc-web, cargo-web and rust-web-src bring the standard library's
# source, so that no toolchain has to be downloaded. Needs root once, to install them.
set -euo pipefail
cd "$(dirname "$0")/.."

target_dir="${CARGO_TARGET_DIR:-target}/other-targets"
std=/usr/lib/rustlib/src/rust/library/std
compiler=/usr/bin/rustc

# TLS is partly C, which needs the headers for 32 bits.
headers=/usr/include/x86_64-linux-gnu/gnu/stubs-32.h
if [[ ! -x $compiler || ! -e $std || ! -e $headers ]]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends rustc-web cargo-web rust-web-src \
        libc6-dev-i386 </dev/null >/dev/null
fi

check() { # TARGET ARGUMENTS...
    local target=$1
    shift
    # `-Zbuild-std` is unstable; the variable lets a stable compiler take it.
    RUSTC_BOOTSTRAP=1 RUSTC="$compiler" CARGO_TARGET_DIR="$target_dir" \
        /usr/bin/cargo check --quiet -Zbuild-std=std,panic_abort --target "$target" "$@"
    echo "$target: $*"
}

# One call for each, as features would be united otherwise.
for crate in types bencode metainfo wire engine netsim; do
    check wasm32-unknown-unknown --package "tailwater-$crate"
done
check wasm32-unknown-unknown --package tailwater-dht --no-default-features
check wasm32-unknown-unknown --package tailwater-utp --no-default-features
check i686-unknown-linux-gnu --package tailwater-session
