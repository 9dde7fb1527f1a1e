#!/usr/bin/env bash
# A broker as the durable stage of a pipeline: see README.md.
#
#   ./run.sh [BUILD]               the folder with steled and stele (default: ../../build)
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

set -eu -o pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${1:-$here/../../build}" && pwd)
python=${PYTHON:-/usr/bin/python3}
folder=$(mktemp -d /tmp/stele-pipeline-XXXXXX)
broker=

finish () {
    [ -z "$broker" ] || kill "$broker" 2>/dev/null || true
    wait
    rm -rf "$folder"
}
trap finish EXIT

stele () { "$build/stele" --requests "ipc://$folder/requests" --timeout 30000 --json "$@"; }

#   Both ends use a free port, which the broker reports
start_broker () {
    "$build/steled" --redis none --ledger "$folder/ledger.db" \
        --events "ipc://$folder/events" --requests "ipc://$folder/requests" --feed "ipc://$folder/feed" \
        --pipeline-in "tcp://127.0.0.1:*" --pipeline-out "tcp://127.0.0.1:*" 2>"$folder/log" &
    broker=$!
    stele info >"$folder/info"
    inlet=$(sed -n 's/.*"pipeline-in": *"\([^"]*\)".*/\1/p' "$folder/info")
    outlet=$(sed -n 's/.*"pipeline-out": *"\([^"]*\)".*/\1/p' "$folder/info")
}

consume () {
    "$python" "$here/consume.py" "$outlet" "ipc://$folder/requests" "$folder/consumed" "$1"
    echo "consumed up to position $(tail -n 1 "$folder/consumed")"
}

start_broker
"$python" "$here/produce.py" "$inlet" 250
until stele ping | grep -Eq '"position": *1000\b'; do
    sleep 0.1
done

echo "restarting the broker, on the same ledger"
kill "$broker"
wait "$broker"
start_broker

echo "consuming, and stopping in the middle with messages still in flight"
consume 300
echo "consuming again"
consume 1000
echo "$(cut -d ' ' -f 1 "$folder/consumed" | sort -n | uniq -c | awk '$1 == 1' | wc -l)" \
    "of 1000 events arrived exactly once"
