#!/bin/sh
# Print the files of the dashboard, compressed, as one C table: http_assets []. embed.sh FOLDER "MODULE..." FILE...
#
# The modules become one file, app/main.js (join.awk), so that a browser needs few requests.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.
set -e
LC_ALL=C
export LC_ALL
folder=$1
modules=$2
shift 2
version=$(for file in embed.sh join.awk $modules "$@"; do cat "$folder/$file"; done | sha256sum | cut -c 1-16)

#   What is served: the page with its version; modules of others, which name Preact as packages do, with its path
served ()
{
    case $1 in
        index.html)     sed "s/@VERSION@/$version/g" "$folder/$1" ;;
        app/main.js)    awk -v folder="$folder" -f "$folder/join.awk" $modules ;;
        app/*.css)      sed '/^\/\*/,/\*\/$/d' "$folder/$1" ;;
        app/*.js)       sed '/^ *\/\//d' "$folder/$1" ;;
        vendor/*.mjs)   sed 's/from"preact"/from".\/preact.mjs"/g; /^\/\/# sourceMappingURL=/d' "$folder/$1" ;;
        *)              cat "$folder/$1" ;;
    esac
}

type_of ()
{
    case $1 in
        *.html)         echo 'text/html; charset=utf-8' ;;
        *.css)          echo 'text/css; charset=utf-8' ;;
        *)              echo 'text/javascript; charset=utf-8' ;;
    esac
}

echo '/* Made from src/http/dashboard/ by embed.sh: do not edit. */'
echo '#include "http/dashboard/assets.h"'
echo "const char http_assets_version [] = \"$version\";"
number=0
for file in "$@"; do
    text=$(served "$file"; echo .)      # In a pipe, a failure would pass
    echo "static const unsigned char s_$number [] = {"
    printf %s "${text%.}" | gzip -9n | od -An -v -tu1 | sed 's/  */,/g; s/^,//; s/$/,/'
    echo '};'
    number=$((number + 1))
done
echo 'const http_asset_t http_assets [] = {'
number=0
for file in "$@"; do
    echo "    { \"$file\", \"$(type_of "$file")\", s_$number, sizeof s_$number },"
    number=$((number + 1))
done
echo '    { 0, 0, 0, 0 }'
echo '};'
