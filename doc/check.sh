#!/bin/sh
# Do the documents name everything that the tables in the code have?
# Runs in "make check"; srcdir is set there, and is the current folder otherwise.
src=${srcdir:-.}
failed=0

# need WORD FILE: the word stands in the file
need () {
    grep -qF -- "$1" "$src/$2" || { echo "$2 does not mention $1"; failed=1; }
}

settings=$(grep -o 'X ("[a-z-]*"' "$src/src/broker/common/settings.h" | cut -d '"' -f 2)
test "$(echo "$settings" | wc -l)" -ge 20 || { echo "no settings found"; failed=1; }
for name in $settings; do
    need "#$name = " doc/steled.conf.example
    need "$(echo "$name" | sed 's/-/\\-/g')" doc/steled.conf.5
done

# Codes from 20 on are the library's own and never on the wire
codes=$(sed -n 's/^ *X (STELE_E[A-Z_]*, *\([0-9]*\), *"\([a-z_]*\)".*/\1:\2/p' "$src/include/stele_error.h")
test -n "$codes" || { echo "no error codes found"; failed=1; }
for code in $codes; do
    need "${code#*:}" doc/libstele.3
    test "${code%%:*}" -ge 20 || need "\`${code#*:}\`" doc/PROTOCOL.md
done

fields=$(sed -n 's/^ *X (STELE_[A-Z_]*, *"\([a-z_]*\)", .*/\1/p' "$src/src/model/field.h" | sort -u)
test -n "$fields" || { echo "no fields found"; failed=1; }
for name in $fields; do need "$name" doc/PROTOCOL.md; done

words=$(sed -n 's/^ *X (STELE_[A-Z_]*, *[0-9]*, *"\([a-z_.]*\)").*/\1/p' "$src/src/model/vocabulary.h")
test -n "$words" || { echo "no words found"; failed=1; }
for name in $words; do need "\`$name\`" doc/PROTOCOL.md; done

# Commands and options of stele: man pages write - as \-
for file in "$src"/src/cli/commands/*/*.c; do
    test -e "$file" || continue
    need "SS stele $(basename "$file" .c)" doc/stele.1
    for name in $(sed -n 's/^    { "\([a-z-]*\)", *\(0\|'"'.'"'\),.*/\1/p' "$file"); do
        need "\-\-$(echo "$name" | sed 's/-/\\-/g')" doc/stele.1
    done
done

# Each fault point of the table stands somewhere in the code, and nothing else does
points=$(sed -n 's/^    X (\([a-z_]*\), *\(PLAIN\|ANY\|EIO\), .*/\1/p' "$src/src/fault/points.h")
test "$(echo "$points" | wc -l)" -ge 40 || { echo "fewer than 40 fault points"; failed=1; }
for name in $points; do
    grep -rqE "STELE_FAULT(_CODE)? \\($name\\)|STELE_FAULT_AT_$name\\b" "$src/src" --include='*.c' ||
        { echo "src/fault/points.h has $name, and no place in the code"; failed=1; }
done

exit $failed
