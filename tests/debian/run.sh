#!/usr/bin/env bash
# The Debian packages: build them, check them with lintian, install, use, upgrade, remove and purge them.
# The machine is not changed: packages are installed in a copy-on-write view of its file system (overlayfs),
# with a network of its own. Needs root. The last line of the output is "N passed, N failed".
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

set -u -o pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../setup.sh"

[ "$(id -u)" = 0 ] || die "installing packages needs root"
#   Only Debian's own programs, as on a build machine
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
[ ! -d /usr/lib/ccache ] || PATH=/usr/lib/ccache:$PATH
passed=0
failed=0

# check NAME COMMAND...: count whether the command succeeds; show its output if it does not.
check () {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1))
        say "ok: $name"
    else
        failed=$((failed + 1))
        say "FAILED: $name"
        tail -n 40 <<<"$output" >&2
    fi
}

stele_packages "${STELE_DEBIAN_PACKAGES[@]}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/stele"
if git -C "$STELE_ROOT" rev-parse --git-dir >/dev/null 2>&1; then
    (cd "$STELE_ROOT" && git ls-files -z | tar -c --null -T -) | tar -x -C "$work/stele"
else
    tar -c -C "$STELE_ROOT" --exclude=./build* . | tar -x -C "$work/stele"
fi

#   Not optimized, since only the packages are tested here
build () {
    cd "$work/stele" && DEB_BUILD_OPTIONS="nocheck noopt parallel=$(nproc)" dpkg-buildpackage -us -uc -b
}
check "dpkg-buildpackage" build
check "lintian" lintian --fail-on error "$work"/stele_*.changes

#   The version before: the same files with a smaller number
mkdir "$work/before"
for package in "$work"/{steled,stele,libstele0,libstele-dev,python3-stele}_*.deb; do
    dpkg-deb -R "$package" "$work/tree"
    sed -i -E -e 's/^(Version: .*)/\1~before/' -e 's/\(= ([^)]*)\)/(= \1~before)/' "$work/tree/DEBIAN/control"
    dpkg-deb -b "$work/tree" "$work/before" >/dev/null
    rm -r "$work/tree"
done

view () {
    mount -t tmpfs tmpfs "$work/mnt" && mkdir "$work"/mnt/{upper,work,root} "$work/mnt/upper/packages" &&
    mount -t overlay overlay -o "lowerdir=/,upperdir=$work/mnt/upper,workdir=$work/mnt/work" "$work/mnt/root" &&
    cp -r "$work"/*.deb "$work/before" "$STELE_ROOT/examples/publish_event.c" "$STELE_ROOT/tests/debian/life.sh" "$work/mnt/root/packages" &&
    mount -t proc proc "$work/mnt/root/proc" && mount --rbind /dev "$work/mnt/root/dev" && ip link set lo up &&
    chroot "$work/mnt/root" bash /packages/life.sh
}
mkdir "$work/mnt"
export -f view
export work STELE_ROOT
last=$(unshare --mount --net --pid --fork bash -c view | tee >(cat >&2) | tail -n 1)
if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
else
    say "FAILED: the life of the packages has no total"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
