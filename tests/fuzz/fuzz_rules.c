/*  fuzz_rules - bytes as a rule file

    The file is read, or refused with a reason that names it; its rules then search the same bytes.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE             //  memfd_create
#include <sys/mman.h>
#include <unistd.h>
#include "fuzz.h"
#include "redact/redactor.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    int file = memfd_create ("rules", 0);
    FUZZ_HOLDS (file >= 0 && write (file, data, size) == (ssize_t) size && lseek (file, 0, SEEK_SET) == 0);
    char path [64];
    snprintf (path, sizeof path, "/proc/self/fd/%d", file);
    stele_refusal_t refusal = { 0 };
    stele_redactor_t *redactor = stele_redactor_new (path, NULL, &refusal);
    if (redactor) {
        size_t masked;
        if (stele_redactor_bytes (redactor, data, size))
            stele_redactor_masked (redactor, &masked);
        stele_redactor_destroy (&redactor);
    }
    else
        FUZZ_HOLDS (refusal.code == STELE_EINVALID_FIELD && *refusal.message);
    close (file);
    return 0;
}
