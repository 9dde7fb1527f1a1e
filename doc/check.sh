#!/bin/sh
# Check that the documents mention everything in the tables of the code.
# Runs in "make check", which sets srcdir; otherwise srcdir is the current folder.
src=${srcdir:-.}
failed=0

complain () {
    echo "$1"
    failed=1
}

# need WORD FILE: the file contains the word
need () {
    grep -qF -- "$1" "$src/$2" || complain "$2 does not mention $1"
}

# need_line LINE FILE: the file contains exactly this line
need_line () {
    grep -qxF -- "$1" "$src/$2" || complain "$2 lacks the line: $1"
}

# Settings: name, type, default and place (FILE or OPTION), one setting per line
rows=$(sed -n 's/^ *X ("\([a-z-]*\)", [a-z_]*, \([A-Z]*\), "\([^"]*\)", [^,]*, \([A-Z]*\), ".*/\1 \2 \4 \3/p' \
    "$src/src/broker/common/settings.h")
test "$(echo "$rows" | wc -l)" -ge 20 || complain "no settings found"
while read -r name type place default; do
    page=$(echo "$name" | sed 's/-/\\-/g')
    if test "$place" = OPTION; then
        need_line ".B $page" doc/steled.conf.5
        need "--$name" doc/steled.conf.example
        ! grep -qE "^#?$name *=" "$src/doc/steled.conf.example" || complain "steled.conf.example sets $name"
        continue
    fi
    case $type in
        COUNT | FLAG) need_line "#$name = $default" doc/steled.conf.example;;
        *) need_line "#$name = \"$default\"" doc/steled.conf.example;;
    esac
    test "$type" != OPTIONAL || default=off
    grep -F -- "\\fB$page\\fR = " "$src/doc/steled.conf.5" | grep -qF -- " ($default)" ||
        complain "doc/steled.conf.5 lacks $name with the default ($default)"
done <<END
$rows
END

# ... and no document has a setting that the table lacks
for name in $(sed -n 's/^#\([a-z-]*\) = .*/\1/p' "$src/doc/steled.conf.example") \
    $(sed -n 's/^\\fB\([a-z\\-]*\)\\fR = .*/\1/p' "$src/doc/steled.conf.5" | tr -d '\\'); do
    echo "$rows" | grep -q "^$name " || complain "there is no setting $name"
done

# Settings and options of stele-relay
names=$(sed -n 's/^    X ("\([a-z-]*\)", [a-z_]*, [A-Z]*, .*/\1/p' "$src/src/relay/settings.h")
test "$(echo "$names" | wc -l)" -ge 20 || complain "no settings of stele-relay found"
for name in $names $(sed -n 's/^    { "\([a-z-]*\)", .*/\1/p' "$src/src/relay/main.c"); do
    need "$(echo "$name" | sed 's/-/\\-/g')" doc/stele-relay.8
done

# Codes from 20 up belong to the library and never appear on the wire
codes=$(sed -n 's/^ *X (STELE_E[A-Z_]*, *\([0-9]*\), *"\([a-z_]*\)".*/\1:\2/p' "$src/include/stele_error.h")
test -n "$codes" || complain "no error codes found"
for code in $codes; do
    need "${code#*:}" doc/libstele.3
    test "${code%%:*}" -ge 20 || need "\`${code#*:}\`" doc/PROTOCOL.md
done

fields=$(sed -n 's/^ *X (STELE_[A-Z_]*, *"\([a-z_]*\)", .*/\1/p' "$src/src/model/field.h" | sort -u)
test -n "$fields" || complain "no fields found"
for name in $fields; do need "$name" doc/PROTOCOL.md; done

words=$(sed -n 's/^ *X (STELE_[A-Z_]*, *[0-9]*, *"\([a-z_.]*\)").*/\1/p' "$src/src/model/vocabulary.h")
test -n "$words" || complain "no words found"
for name in $words; do need "\`$name\`" doc/PROTOCOL.md; done

# Commands and options of stele; manual pages write - as \-
for file in "$src"/src/cli/commands/*/*.c; do
    test -e "$file" || continue
    need "SS stele $(basename "$file" .c)" doc/stele.1
    for name in $(sed -n 's/^    { "\([a-z-]*\)", *\(0\|'"'.'"'\),.*/\1/p' "$file"); do
        need "\-\-$(echo "$name" | sed 's/-/\\-/g')" doc/stele.1
    done
done

# Findings of stele health
findings=$(sed -n '/define CLI_BROKER_FINDINGS/,/^$/s/X (\([a-z_]*\))/\n\1\n/gp' "$src/src/cli/view/findings.h" | grep '^[a-z][a-z_]*$')
test "$(echo "$findings" | wc -l)" -ge 26 || complain "fewer than 26 findings"
for name in $findings; do
    need "$name" doc/stele.1
    need "\`$name\`" doc/OPERATIONS.md
done

# ... and the code adds no other: the program would end
for name in $(cat "$src"/src/cli/*/*.c "$src"/src/cli/*/*/*.c "$src"/src/http/*.c |
    sed -n 's/.*\(ADD\|cli_finding_add\) ([a-z, ]*"\([a-z_]*\)", CLI_LEVEL.*/\2/p'); do
    echo "$findings" | grep -qx "$name" || complain "the finding $name is not in CLI_FINDINGS (src/cli/view/findings.h)"
done

# Each fault point of the table is used in the code
points=$(sed -n 's/^    X (\([a-z_]*\), *\(PLAIN\|ANY\|EIO\), .*/\1/p' "$src/src/fault/points.h")
test "$(echo "$points" | wc -l)" -ge 40 || complain "fewer than 40 fault points"
for name in $points; do
    grep -rqE "STELE_FAULT(_CODE)? \\($name\\)|STELE_FAULT_AT_$name\\b" "$src/src" --include='*.c' ||
        complain "src/fault/points.h has $name, but no place in the code does"
done

exit $failed
