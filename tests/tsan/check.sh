#!/usr/bin/env bash
# Run tests under ThreadSanitizer: what it reports in any program that they start counts as a failure.
#
#   check.sh SUPPRESSIONS COMMAND...      in the folder of a build with --enable-sanitize=thread
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

set -u -o pipefail
suppressions=$(realpath "$1")
shift
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT

# How mutexes are used is not watched: czmq's are taken where it is not seen
options="suppressions=$suppressions report_mutex_bugs=0 exitcode=66"

if TSAN_OPTIONS="$options log_path=$reports/control" tests/tsan/race >/dev/null ||
   ! grep -q "data race.*race.c" "$reports"/control.*; then
    echo "the control was not reported: is this a build with --enable-sanitize=thread?" >&2
    exit 1
fi
rm -f "$reports"/control.*
echo "the control is reported, as it has to be"

TSAN_OPTIONS="$options log_path=$reports/report" "$@"
status=$?
if compgen -G "$reports/report.*" >/dev/null; then
    cat "$reports"/report.* >&2
    echo "$(grep -h SUMMARY "$reports"/report.* | sort | uniq -c)" >&2
    exit 1
fi
echo "no race was reported"
exit $status
