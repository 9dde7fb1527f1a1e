#!/usr/bin/env bash
# Build the fuzz targets with clang and libFuzzer (ASan, UBSan), and run each for some time
# from its seeds.
#
#   tests/fuzz/run.sh [SECONDS [TARGET...]]     10 seconds each, all of them
#
# An input that crashes a target is kept as FOLDER/crash-...; copy it to
# tests/fuzz/crashes/TARGET/, so that every later `make check` runs it. Interesting inputs
# remain in the build folder (corpus/TARGET) for the next run. The last line has the number
# of targets: "N passed, N failed".
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

set -u -o pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../setup.sh"

seconds=${1:-10}
[ $# -eq 0 ] || shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(event message request json config key rules http websocket)

stele_packages clang
build=${STELE_FUZZ_BUILD:-$STELE_ROOT/build-fuzz}
stele_build "$build" CC=clang --enable-fuzz --enable-sanitize=address,undefined ||
    { echo "0 passed, ${#targets[@]} failed"; exit 1; }
make -C "$build" -j"$(nproc)" fuzz-targets >>"$build/build.txt" 2>&1 ||
    { tail -n 40 "$build/build.txt" >&2; echo "0 passed, ${#targets[@]} failed"; exit 1; }

# Memory is limited: a small input that needs a lot of it is a bug too
search () {
    local target=$1 folder=$STELE_ROOT/tests/fuzz old=()
    [ ! -d "$folder/crashes/$target" ] || old=("$folder/crashes/$target")
    mkdir -p "corpus/$target"
    tests/fuzz/fuzz_$target -max_total_time="$seconds" -rss_limit_mb=1024 -malloc_limit_mb=128 -timeout=10 \
        -max_len=16384 -print_final_stats=1 -dict="$folder/stele.dict" \
        "corpus/$target" "$folder/seeds/$target" "${old[@]}" >"corpus/$target.txt" 2>&1
}

passed=0
failed=0
cd "$build" || exit 1
searches=()
for target in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
        sleep 0.1
    done
    search "$target" &
    searches+=($!)
done
for i in "${!targets[@]}"; do
    log=corpus/${targets[i]}.txt
    if wait "${searches[i]}"; then
        passed=$((passed + 1))
        say "${targets[i]}: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions"
    else
        failed=$((failed + 1))
        tail -n 60 "$log" | cut -c1-300 >&2
        say "${targets[i]}: FAILED, see $build/$log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
