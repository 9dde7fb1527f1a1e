#!/bin/sh
# Print the numbered SQL files as one C table: stele_schema [], in their order.
set -e
echo '/* Made from sql/ by sql/embed.sh: do not edit. */'
echo '#include "sqlite/sql/schema.h"'
echo 'const stele_migration_t stele_schema [] = {'
for file in "$@"; do
    name=$(basename "$file")
    number=$(echo "$name" | sed 's/^0*\([0-9]*\)-.*/\1/')
    printf '    { %s, "%s",\n' "$number" "$name"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/        "/' -e 's/$/\\n"/' "$file"
    echo '    },'
done
echo '    { 0, 0, 0 }'
echo '};'
