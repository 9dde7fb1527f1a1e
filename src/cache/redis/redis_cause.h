/*  redis_cause - why Redis refuses, from the text of its error, and what to do about it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REDIS_CAUSE_H_INCLUDED
#define STELE_REDIS_CAUSE_H_INCLUDED

typedef struct {
    const char *prefix;             // Of the error, as Redis words it
    const char *cause;              // One word, for programs (protocol, section 4: stats)
    const char *remedy;
} stele_redis_cause_t;

/*  The cause for that error. Never NULL: of an error of no known kind it is 'unreachable'. */
const stele_redis_cause_t *
    stele_redis_cause (const char *error);

#endif
