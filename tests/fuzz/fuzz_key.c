/*  fuzz_key - bytes as a key file in the folder of the keys

    It is a key, or is refused with a reason that names the file.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "fuzz.h"
#include "broker/access/keyring.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    stele_refusal_t refusal = { 0 };
    int code = stele_keyring_read ("fuzzed", (const char *) data, size, &refusal);
    FUZZ_HOLDS (code == 0 || (refusal.code == code && strstr (refusal.message, "fuzzed")));
    return 0;
}
