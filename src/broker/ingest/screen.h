/*  screen - every event passes it before anything else reads it: secrets are masked, or the event is
    refused (setting redact)

    Counts belong to the open batch: stele_screen_commit adds them to the totals and logs them, at most once
    a minute per rule, stele_screen_rollback drops them.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SCREEN_H_INCLUDED
#define STELE_SCREEN_H_INCLUDED

#include "broker/common/settings.h"
#include "ledger/reader.h"
#include "model/record.h"
#include "wire/pack.h"

typedef struct stele_screen stele_screen_t;

/*  The reader has the key of the masks. NULL: the refusal has the reason. Caller owns return value. */
stele_screen_t *
    stele_screen_new (const stele_settings_t *settings, stele_reader_t *reader, stele_refusal_t *refusal);
void
    stele_screen_destroy (stele_screen_t **self_p);

/*  Pass one event, checked msgpack. If it has secrets, *data and *size become the event with masks, which is
    valid until the next call. Returns 0, or STELE_ESECRET with a refusal: in mode refuse, and if the secret
    is in an id, since a mask would change what it identifies.               */
int
    stele_screen_event (stele_screen_t *self, const void **data, size_t *size, stele_refusal_t *refusal);

/*  Pass what is kept of something that is refused anyway, or was acked before: any bytes. Only masks. */
void
    stele_screen_kept (stele_screen_t *self, const void **data, size_t *size);

/*  The same with masks that make no text longer, for what must be stored though it exceeds a limit with its masks. */
void
    stele_screen_kept_fit (stele_screen_t *self, const void **data, size_t *size);

/*  The event that passed last is what this says: its producer (NULL: none) and its position (0: refused, or stored
    before). For the log, so that it can be found. 'data' is the event as it is stored.  */
void
    stele_screen_stored (stele_screen_t *self, const char *producer, int64_t position, const void *data, size_t size);

/*  Refuse an event whose id was masked when it was refused first: a retry of it would create another id.
    Returns 0 or STELE_ESECRET.                                              */
int
    stele_screen_ids (const stele_record_t *event, stele_refusal_t *refusal);

/*  Refuse a name with a secret in it. Returns 0 or STELE_ESECRET.           */
int
    stele_screen_name (stele_screen_t *self, const char *field, const char *name, stele_refusal_t *refusal);

void
    stele_screen_commit (stele_screen_t *self, int64_t now_us);
void
    stele_screen_rollback (stele_screen_t *self);

/*  Log the counts that are due, on the steady clock. Call it some times per second. */
void
    stele_screen_tick (stele_screen_t *self, int64_t now_us);

/*  Pack the key 'redactions' of the statistics.                             */
void
    stele_screen_pack (const stele_screen_t *self, stele_pack_t *pack);

#endif
