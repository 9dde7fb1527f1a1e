/*  parts - versions of the libraries that only this room uses

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <hiredis/hiredis.h>
#include "cache/cache_parts.h"

#define TEXT_(number) #number
#define TEXT(number) TEXT_ (number)

//  hiredis tells only what it was when this was compiled

const char *
stele_hiredis_version (void)
{
    return TEXT (HIREDIS_MAJOR) "." TEXT (HIREDIS_MINOR) "." TEXT (HIREDIS_PATCH);
}
