#!/usr/bin/env bash
# See Stele at work in a minute: builds it, starts a broker and a private Redis,
# publishes a small story of agents at work, queries the broker about it, and leaves
# the broker running for you to try, until Ctrl-C.
#
#   ./quickstart.sh [FILE.jsonl|FILE.zst] [--exit|--stay]
#
#   FILE      events to publish instead of the story, one JSON object per line
#   --exit    stop after the last query (the default without a terminal)
#   --stay    leave the broker running (the default on a terminal)
#
# Missing packages are installed with apt-get. STELE_REDIS, the URL of a Redis (or none),
# is used instead of a private one. All files are in one folder under /tmp (TMPDIR), and
# in build/.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

set -eu -o pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tests/setup.sh"

file=$STELE_ROOT/examples/sample.jsonl
stay=no
[ ! -t 0 ] || [ ! -t 1 ] || stay=yes
for word in "$@"; do
    case $word in
        --exit) stay=no ;;
        --stay) stay=yes ;;
        -h|--help) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
        -*) die "unknown option '$word'; see --help" ;;
        *) file=$word ;;
    esac
done
[ -r "$file" ] || die "cannot read '$file'"

stele_packages
build=${STELE_BUILD:-$STELE_ROOT/build}
if [ -z "${STELE_BUILD:-}" ]; then
    stele_build "$build" || die "the build failed: see $build/build.txt"
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/stele-quickstart-XXXXXX")
broker= redis= follower=
export STELE_EVENTS=ipc://$folder/events STELE_REQUESTS=ipc://$folder/requests STELE_FEED=ipc://$folder/feed

finish () {
    local process
    trap - EXIT INT TERM
    for process in $follower $broker $redis; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -f "$folder"/events "$folder"/requests "$folder"/feed "$folder"/redis.*
    say "stopped; the ledger remains in $folder/tasks.db"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

stele () { "$build/stele" "$@"; }

#   Show a command and its output
show () {
    printf '\n$ stele %s\n' "$*"
    stele "$@"
}

title () { printf '\n== %s\n' "$*"; }

events () {
    case $file in
        *.zst) zstd -dcq "$file" ;;
        *) cat "$file" ;;
    esac
}

title "Start a broker with its ledger and a Redis"
if [ -n "${STELE_REDIS:-}" ]; then
    url=$STELE_REDIS
else
    redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' --appendonly no \
        --dir "$folder" >"$folder/redis.log" &
    redis=$!
    url=unix://$folder/redis.sock
fi
#   HTTP at 127.0.0.1:5580, or at any free port where that is in use
http=
if [ -x "$build/stele-http" ]; then
    http=127.0.0.1:5580
    if (: </dev/tcp/127.0.0.1/5580) 2>/dev/null; then http=127.0.0.1:0; fi
fi
"$build/steled" --ledger "$folder/tasks.db" --redis "$url" --events "$STELE_EVENTS" \
    --requests "$STELE_REQUESTS" --feed "$STELE_FEED" --http "$http" 2>"$folder/steled.log" &
broker=$!
stele --timeout 30000 ping >/dev/null || { cat "$folder/steled.log" >&2; die "steled did not start"; }
cat "$folder/steled.log"

"$build/stele" --json follow >"$folder/feed.jsonl" 2>/dev/null &
follower=$!

#   The child is ready after the broker
web=
for _ in $(seq 50); do
    web=$(sed -n 's/.*stele-http: ready: \(http[^,]*\),.*/\1/p' "$folder/steled.log")
    [ -z "$web" ] && [ -n "$http" ] || break
    sleep 0.1
done
[ -z "$web" ] || printf '\nHTTP: %s\n' "$web"

title "Publish the $(events | wc -l) events of $(basename "$file"); each is durable before it is acked"
printf '\n$ stele publish --producer quickstart %s\n' "$(basename "$file")"
events | stele publish --producer quickstart -

title "List the tasks"
show list --limit 12

#   A task that failed and was retried in the story; in another file, one that failed
if [ "$file" = "$STELE_ROOT/examples/sample.jsonl" ]; then
    task=csv-export/tests
else
    task=$({ stele --json list --state failed,error --limit 1; stele --json list --limit 1; } |
        sed -n 's/.*"task_id": *"\([^"]*\)".*/\1/p' | head -n 1)
fi

if [ -n "$task" ]; then
    title "One of them, $task: its live record from Redis, its history and its metrics"
    show status "$task"
    show history "$task"
    show metrics "$task"

    then=$(($(events | wc -l) * 6 / 10))
    title "The same task as it was after event $then, from the ledger"
    show get "$task" --at "$then" || true
fi

title "Events of the feed, received meanwhile ($folder/feed.jsonl)"
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ "$(wc -l <"$folder/feed.jsonl")" -lt "$(events | wc -l)" ] || break
    sleep 0.2
done
printf '\n%s events; the last three:\n' "$(wc -l <"$folder/feed.jsonl")"
tail -n 3 "$folder/feed.jsonl" | cut -c 1-200

title "Statistics of the broker, and a check of Redis against the ledger"
show stats | sed '/^Ingest/,$d'
echo "  (for more: stele stats)"
show check

if [ "$stay" = no ]; then
    exit 0
fi

cat <<END

== Now try it yourself. The broker runs until you press Ctrl-C. In another terminal:

  export STELE_EVENTS=$STELE_EVENTS
  export STELE_REQUESTS=$STELE_REQUESTS
  export STELE_FEED=$STELE_FEED
  export PATH=$build:\$PATH

  stele run --task mine -- echo hello        a command as a task; then: stele show mine
  stele list --state running                 tasks that are running
  stele outputs $task          what a task printed or produced
  stele follow task.                         every change as it is committed; then, in a third terminal:
  /usr/bin/python3 $STELE_ROOT/examples/publish.py hello
  stele history hello
  echo '{"type":"task.state_changed","task_id":"hello","state":"running"}' | stele publish -
  stele rejected                             refused: a finished task must be queued before it can run again
  stele --help

  $web/                     the dashboard: open it in a browser
  curl '$web/v1/tasks?states=running'        the same as JSON over HTTP
  curl -N $web/v1/stream                     every change as it is committed

  sqlite3 -readonly $folder/tasks.db 'SELECT task_id, state, run_seconds FROM task_summary'
END
[ -z "$redis" ] || echo "  redis-cli -s $folder/redis.sock hgetall '{stele}:task:$task'"
echo
wait "$broker"
