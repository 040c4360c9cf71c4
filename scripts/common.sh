# shellcheck shell=bash
# What the checks of other systems and of dependencies share; sourced, not run.

# Says why a check cannot be done here, and ends the script: that is no failure.
skip() {
    printf 'skipped: %s\n' "$1"
    exit 0
}

# need TOOL=PACKAGE...: installs the packages of missing tools where that is possible without asking.
need() {
    local missing=() pair
    for pair in "$@"; do
        [ -e "${pair%%=*}" ] || command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    ((${#missing[@]})) || return 0
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        { apt-get update -qq &&
            apt-get install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends "${missing[@]}"; } \
            >/dev/null 2>&1 || true
    fi
    for pair in "$@"; do
        [ -e "${pair%%=*}" ] || command -v "${pair%%=*}" >/dev/null ||
            skip "${pair%%=*} is missing (Debian: ${pair#*=})"
    done
}

# Finds a compiler that has the source of its standard library beside it, so that the library can be
# built for any target; sets `RUSTC`. Where rustup has the component `rust-src` it is the usual
# compiler, else the one of Debian.
compiler_with_source() {
    export RUSTC_BOOTSTRAP=1
    if [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library/std" ]; then
        return
    fi
    need /usr/bin/rustc=rustc-web /usr/lib/rustlib/src/rust/library/std=rust-web-src
    export RUSTC=/usr/bin/rustc
    local minor
    minor=$("$RUSTC" --version | sed -E 's/^rustc 1\.([0-9]+).*/\1/')
    ((minor >= 89)) || skip "$("$RUSTC" --version) is older than 1.89"
}
