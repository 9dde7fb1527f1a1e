#!/bin/sh
# Print a rule file as a C string: stele_rules_default [].
set -e
echo '/* Made from redact.rules by embed.sh: do not edit. */'
echo '#include "redact/rules.h"'
echo 'const char stele_rules_default [] ='
grep -v '^#' "$1" | grep -v '^$' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' -e 's/??/?\\?/g'
echo '    ;'
