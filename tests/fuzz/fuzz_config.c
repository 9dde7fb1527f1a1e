/*  fuzz_config - bytes as a configuration file

    Each setting is set, or refused with a reason that names the file.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE             //  memfd_create
#include <sys/mman.h>
#include <unistd.h>
#include "fuzz.h"
#include "broker/common/settings.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    int file = memfd_create ("config", 0);
    FUZZ_HOLDS (file >= 0 && write (file, data, size) == (ssize_t) size && lseek (file, 0, SEEK_SET) == 0);
    char path [64];
    snprintf (path, sizeof path, "/proc/self/fd/%d", file);
    stele_settings_t *settings = stele_settings_new ();
    stele_refusal_t refusal = { 0 };
    int rc = stele_settings_load (settings, path, &refusal);
    FUZZ_HOLDS (rc == 0 || strstr (refusal.message, path));
    stele_settings_destroy (&settings);
    close (file);
    return 0;
}
