# setup - install packages and build, for scripts that start from a fresh clone
#
# Sourced by tests/run.sh, examples/quickstart.sh and .ci/run, from any folder;
# only defines functions and variables. STELE_ROOT is the root of the source tree.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

STELE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

#   Every compilation and every link runs libtool, a large script: dash takes about half the time of bash for it
[ ! -x /bin/dash ] || export CONFIG_SHELL=/bin/dash

STELE_PACKAGES=(
    autoconf automake libtool pkg-config make gcc libc6-dev
    libzmq3-dev libczmq-dev libsqlite3-dev libhiredis-dev libmsgpack-dev libjansson-dev libzstd-dev zlib1g-dev
    libpcre2-dev libssl-dev uthash-dev libevent-dev libcurl4-openssl-dev libcmocka-dev redis-server sqlite3 python3 python3-zmq python3-msgpack
    zstd
)

# What the tests need besides
STELE_TEST_PACKAGES=(
    python3-jsonschema libfaketime python3-pip python3-venv python3-setuptools python3-wheel python3-celery python3-redis
    mypy openssl curl postgresql libpq-dev
)

# What the tests of the Debian packages and of the dashboard need besides
STELE_DEBIAN_PACKAGES=(
    build-essential debhelper dh-python pybuild-plugin-pyproject python3-all python3-setuptools lintian iproute2 libpq-dev
)
STELE_BROWSER_PACKAGES=(chromium chromium-driver python3-selenium)

say () { printf '%s\n' "-- $*" >&2; }
die () { printf '%s\n' "$(basename "$0"): $*" >&2; exit 1; }

stele_as_root () {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Debian starts a redis-server when its package is installed. Nothing here
# needs it, so a policy prevents that during the installation.
stele_install () {
    local policy=/usr/sbin/policy-rc.d made_policy=no status=0
    if [ ! -e "$policy" ]; then
        made_policy=yes
        printf '#!/bin/sh\nexit 101\n' | stele_as_root tee "$policy" >/dev/null
        stele_as_root chmod 755 "$policy"
    fi
    stele_as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >&2 ||
    { stele_as_root apt-get update >&2 &&
      stele_as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >&2; } ||
        status=1
    [ "$made_policy" = no ] || stele_as_root rm -f "$policy"
    return $status
}

# stele_packages [MORE...]: install those of STELE_PACKAGES and MORE that are missing.
stele_packages () {
    local package missing=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        say "not a Debian system; install these packages yourself: ${STELE_PACKAGES[*]} $*"
        return 0
    fi
    for package in "${STELE_PACKAGES[@]}" "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        die "please install as root: apt-get install ${missing[*]}"
    fi
    say "installing packages: ${missing[*]}"
    stele_install "${missing[@]}" || die "apt-get could not install: ${missing[*]}"
}

# stele_generate LOG: make ./configure, if it is missing or older than configure.ac.
stele_generate () {
    [ ! -x "$STELE_ROOT/configure" ] || [ "$STELE_ROOT/configure.ac" -nt "$STELE_ROOT/configure" ] || return 0
    say "generating ./configure"
    (cd "$STELE_ROOT" && ./autogen.sh) >>"$1" 2>&1 || { tail -n 40 "$1" >&2; return 1; }
}

# stele_build FOLDER [CONFIGURE-OPTIONS...]: configure out of tree (once), then build.
# Output goes to FOLDER/build.txt; its end is printed on failure.
stele_build () {
    local folder=$1 log=$1/build.txt
    shift
    mkdir -p "$folder" || return 1
    : >"$log"
    stele_generate "$log" || return 1
    if [ ! -f "$folder/Makefile" ]; then
        say "configuring in $folder"
        (cd "$folder" && "$STELE_ROOT/configure" "$@") >>"$log" 2>&1 || { tail -n 40 "$log" >&2; return 1; }
    fi
    say "building in $folder"
    make -C "$folder" -j"$(nproc)" >>"$log" 2>&1 || { tail -n 60 "$log" >&2; return 1; }
}

# stele_first_build: the build in build/ that tests/run.sh tests, with PostgreSQL if its library is there.
stele_first_build () {
    local options=()
    ! pkg-config --exists libpq || options+=(--with-postgresql)
    stele_build "$STELE_ROOT/build" "${options[@]}"
}

# stele_failures FOLDER: print the tests that failed there, each with the error that it printed, or with the place
# where it hung.
stele_failures () {
    local name text
    sed -n -E 's/^(FAIL|XPASS|ERROR): //p' "$1/check.txt" | sort -u | while read -r name; do
        text=$1/${name%.*}.log
        printf '%s in %s: %s\n' "$name" "$(basename "$1")" "$({ grep -E \
            '(Error|Exception):? |^(FAIL|ERROR): |runtime error|Sanitizer|Fatal|ssertion|\[ +(LINE|FAILED) ' "$text" | head -n 4
            sed -n '/^Current thread/,$p' "$text" | grep -m 8 '^  File'; } | tr '\n' ';')"
    done
}

# stele_check FOLDER [TARGET]: run all tests there, or those of that target of make. Sets STELE_PASSED and
# STELE_FAILED, and adds the names of failed tests to STELE_FAILURES; a test that could not be run counts as failed.
STELE_FAILURES=()
stele_check () {
    local folder=$1 log=$1/check.txt name
    STELE_PASSED=0
    STELE_FAILED=0
    rm -f "$folder/test-suite.log"
    #   Two jobs per processor: tests mostly wait
    make -C "$folder" -j"$((2 * $(nproc)))" "${2:-check}" 2>&1 | tee "$log" |
        grep --line-buffered -E '^(PASS|FAIL|XFAIL|XPASS|SKIP|ERROR):' >&2
    if [ ! -f "$folder/test-suite.log" ]; then
        tail -n 60 "$log" >&2
        STELE_FAILED=1
        STELE_FAILURES+=("the build of the tests in $folder")
        return 1
    fi
    while read -r name; do
        STELE_FAILURES+=("$name")
    done < <(stele_failures "$folder")
    STELE_PASSED=$(sed -n 's/^# *PASS: *//p' "$folder/test-suite.log")
    for name in FAIL XPASS ERROR; do
        STELE_FAILED=$((STELE_FAILED + $(sed -n "s/^# *$name: *//p" "$folder/test-suite.log")))
    done
    [ "$STELE_PASSED" -gt 0 ] || STELE_FAILED=$((STELE_FAILED + 1))
    [ "$STELE_FAILED" -eq 0 ] || cat "$folder/test-suite.log" >&2
    [ "$STELE_FAILED" -eq 0 ]
}
