#!/bin/sh
# Does every path that the documents name exist?
# Runs in "make check"; srcdir is set there, and is the current folder otherwise.
#
#   doc/paths.sh [FILE...]      (default: the documents listed below)
#
# A path is what begins with the name of a folder of the sources and a slash, in backticks in
# running text, or in a link of Markdown. Blocks between ``` lines are skipped: they are commands.
# *, an ellipsis, NAME and NNN stand for any text: at least one file must match.
src=${srcdir:-.}
failed=0
seen=0
test $# -gt 0 || set -- README.md CONTRIBUTING.md doc/ARCHITECTURE.md doc/PROTOCOL.md \
    doc/RELIABILITY.md doc/PERFORMANCE.md doc/PROOF.md doc/OPERATIONS.md doc/HTTP.md doc/COMING-FROM.md doc/SCALE.md tests/fault/README.md python/README.md

# prose FILE: its text without blocks of code
prose () {
    awk '/^ *```/ { block = !block; next } !block' "$1"
}

# exists PATTERN: a file or a folder; or the two files of a class, without their suffix
exists () {
    for match in $1; do
        test -e "$match" && return 0
    done
    test -e "$1.c" && test -e "$1.h"
}

# need PATH BASE FILE
need () {
    seen=$((seen + 1))
    exists "$2/$(echo "$1" | sed 's/…/*/g; s/NAME/*/g; s/NNN-name/NNN-*/; s/NNN/[0-9][0-9][0-9]/g')" || { echo "$3 names $1, which does not exist"; failed=1; }
}

for file in "$@"; do
    test -f "$src/$file" || { echo "no file $file"; failed=1; continue; }
    for path in $(prose "$src/$file" | grep -o '`[^` ]*`' | tr -d '`' |
                  grep -E '^(src|doc|sql|tests|examples|python|include|m4|\.ci|build-aux)/' | sed 's/:[0-9]*$//' | sort -u); do
        need "$path" "$src" "$file"
    done
    # Folders of src without "src/", as in `broker/common`
    for path in $(prose "$src/$file" | grep -o '`[^` ]*`' | tr -d '`' |
                  grep -E '^(base|broker|cache|cli|client|fault|http|ledger|migrate|model|proof|redact|repository|sqlite|wire)/' | sort -u); do
        need "$path" "$src/src" "$file"
    done
    # Links are relative to the document
    for path in $(prose "$src/$file" | tr '\n' ' ' | grep -o '\]( *[^)]*)' | sed 's/^.( *//; s/)$//; s/#.*//' |
                  grep -v '^[a-z]*:' | sort -u); do
        need "$path" "$src/$(dirname "$file")" "$file"
    done
done

test "$seen" -gt 0 || { echo "no paths found"; failed=1; }
exit $failed
