/*  version - the version of the library that a program runs with

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "stele_library.h"

void
stele_version (int *major, int *minor, int *patch)
{
    if (major)
        *major = STELE_VERSION_MAJOR;
    if (minor)
        *minor = STELE_VERSION_MINOR;
    if (patch)
        *patch = STELE_VERSION_PATCH;
}
