#!/usr/bin/env bash
# Run all tests, from a fresh clone on a fresh Debian 12 machine: install missing
# packages (apt-get, as root or with sudo), build in build/, run `make check`.
# The last line of the output is "N passed, N failed".
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

set -u -o pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

stele_packages "${STELE_TEST_PACKAGES[@]}"
if ! stele_first_build; then
    echo "0 passed, 1 failed"
    exit 1
fi
say "running the tests"
stele_check "$STELE_ROOT/build"
status=$?
echo "$STELE_PASSED passed, $STELE_FAILED failed"
exit $status
