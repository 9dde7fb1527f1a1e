# join.awk - join the modules of the dashboard into one, each in a scope of its own
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.
#
# awk -v folder=FOLDER -f join.awk MODULE...: each after those that it imports. Reads the forms of import and export that README lists,
# and stops at others. A module of vendor/ is imported as it is. Lines that are comments, and indentation, are left out.

function fail(why)
{
    print "join.awk: " FILENAME ": " why ": " $0 > "/dev/stderr"
    failed = 1
    exit 1
}

# "app/api.js" of "./api.js" in a module of app/
function resolve(from,   path)
{
    path = from
    if (!sub (/^\.\.\//, "", path)) {
        sub (/^\.\//, "", path)
        path = place "/" path
    }
    if (!(path in known))
        fail("imports " path ", which is not among the files before it")
    return path
}

function quoted(text)
{
    match (text, /"[^"]*"/)
    return substr (text, RSTART + 1, RLENGTH - 2)
}

# The name that is declared after 'export'
function declared(text)
{
    sub (/^(async )?(function|const|class) /, "", text)
    match (text, /^[A-Za-z_$][A-Za-z0-9_$]*/)
    return substr (text, 1, RLENGTH)
}

function begin(file)
{
    end()
    module = file
    place = file
    sub (/\/[^\/]*$/, "", place)
    exports = ""
    print "M[\"" module "\"]=(()=>{"
}

function end()
{
    if (module)
        print "return{" exports "};})();"
    if (module)
        known [module] = 1
}

BEGIN {
    for (i = 1; i < ARGC; i++) {
        if (ARGV [i] ~ /^vendor\//) {
            print "import * as v" i " from \"../" ARGV [i] "\";"
            modules = modules "\"" ARGV [i] "\":v" i ","
            known [ARGV [i]] = 1
            ARGV [i] = ""
        }
        else
            ARGV [i] = folder "/" ARGV [i]
    }
    print "const M={" modules "};"
}

FNR == 1 {
    begin(substr (FILENAME, length (folder) + 2))
}

{
    sub (/^ +/, "")
}

/^\/\// || /^$/ {
    next
}

# A statement over several lines
/^import / || /^export \{/ {
    while ($0 !~ /;$/ && (getline more) > 0)
        $0 = $0 " " more
}

/^import \{.*\} from "/ {
    names = $0
    sub (/^import /, "", names)
    sub (/ from .*/, "", names)
    gsub (/ as /, ": ", names)
    print "const " names "=M[\"" resolve(quoted($0)) "\"];"
    next
}

/^import \* as [A-Za-z]+ from "/ {
    print "const " $4 "=M[\"" resolve(quoted($0)) "\"];"
    next
}

/^import [A-Za-z]+ from "/ {
    print "const " $2 "=M[\"" resolve(quoted($0)) "\"].default;"
    next
}

/^export \* from "/ {
    exports = exports "...M[\"" resolve(quoted($0)) "\"],"
    next
}

/^export \{/ {
    names = $0
    sub (/^export \{ */, "", names)
    sub (/,? *\};?$/, "", names)
    exports = exports names ","
    next
}

/^export default (async )?function [A-Za-z]/ {
    sub (/^export default /, "")
    exports = exports "default:" declared($0) ","
}

/^export default / {
    sub (/^export default /, "const $default = ")
    exports = exports "default:$default,"
}

/^export (async function|function|const|class) / {
    sub (/^export /, "")
    exports = exports declared($0) ","
}

/^(import|export) / {
    fail("join.awk does not read this form")
}

# The pages are evaluated after the list of them
{
    while (match ($0, /import\("\.\.\/[^"]*"\)/))
        $0 = substr ($0, 1, RSTART - 1) "Promise.resolve(M[\"" substr ($0, RSTART + 11, RLENGTH - 13) "\"])" substr ($0, RSTART + RLENGTH)
    print
}

END {
    if (!failed)
        end()
}
