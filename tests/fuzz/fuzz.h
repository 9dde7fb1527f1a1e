/*  fuzz - shared by the fuzz targets

    A target is one file with libFuzzer's function, which takes bytes and aborts if a
    property does not hold. With --enable-fuzz (clang) libFuzzer searches for such bytes;
    in other builds replay.c runs the seeds and earlier crashes as a test.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FUZZ_H_INCLUDED
#define STELE_FUZZ_H_INCLUDED

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
    LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/*  Abort if the property does not hold, also with NDEBUG.                   */
#define FUZZ_HOLDS(condition) \
    do { \
        if (!(condition)) { \
            fprintf (stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort (); \
        } \
    } while (0)

#endif
