/*  trouble - query the broker for the reason why acks do not arrive

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_TROUBLE_H_INCLUDED
#define STELE_TROUBLE_H_INCLUDED

#include <stddef.h>

/*  Read the answer to the request 'stats' of the broker at 'endpoint'. Returns one sentence: acks
    are held back, and why; or the broker runs, and what to check. Caller owns return value.  */
char *
    stele_trouble_text (const char *endpoint, const void *answer, size_t size);

#endif
