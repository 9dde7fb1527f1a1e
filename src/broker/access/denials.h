/*  denials - accesses that were denied: counted, and logged at most once a minute for each peer

    Any thread may call these.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DENIALS_H_INCLUDED
#define STELE_DENIALS_H_INCLUDED

#include "broker/access/access.h"

typedef struct stele_denials stele_denials_t;

/*  Caller owns return value.                                                */
stele_denials_t *
    stele_denials_new (void);
void
    stele_denials_destroy (stele_denials_t **self_p);

/*  Count one; log 'text' unless one of this peer was logged less than a minute ago. */
void
    stele_denials_note (stele_denials_t *self, stele_denial_t denial, const char *peer, const char *text);

/*  Pack "denied", a map of counts by reason, and "denied_lately", those of the last ten minutes. */
void
    stele_denials_pack (stele_denials_t *self, stele_pack_t *pack);

#endif
