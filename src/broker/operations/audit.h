/*  audit - events of the type audit.recorded: who did what to the broker

    Which requests are recorded, and the events as the writer takes them: packed maps of event fields
    (model/field.h). Only the writer appends them (ingest/writer_audit.c); other actors send them to its
    mailbox, {op: "audit", event, answer}. 'answer', a whole answer of protocol section 4, is what the writer
    answers once the event is durable; without it, it answers that the event was stored.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_AUDIT_H_INCLUDED
#define STELE_AUDIT_H_INCLUDED

#include "broker/common/settings.h"
#include "broker/operations/operations.h"
#include "wire/map.h"

/*  One event. NULL and 0: absent.                                           */
typedef struct {
    const char *who;                // Name of an identity, cut to the limit of the field
    const char *operation;
    const char *target;
    const char *peer;               // Address, ""; absent
    const char *outcome;            // "ok", or the name of an error code
    int64_t count;
    stele_span_t details;           // One packed map
} stele_audit_t;

/*  Pack it into the cleared pack, with the time of now.                     */
void
    stele_audit_pack (const stele_audit_t *self, stele_pack_t *pack);

/*  Is that request one that is recorded? Then clear the pack, and pack what the event has before the
    request is answered. 'request' is a checked map; 'peer' may be "".       */
bool
    stele_audit_begin (const stele_identity_t *identity, const char *peer, const void *request, size_t size,
        stele_pack_t *pack);

/*  Is that answer the end of something that was begun? Not if the request was malformed, or not allowed: that is
    recorded as refused access (common/denied.h).                           */
bool
    stele_audit_answers (const void *answer, size_t size);

/*  Clear the pack, and pack the event: the map that was begun, with the outcome and the details of the
    answer.                                                                  */
void
    stele_audit_finish (const stele_map_t *begun, const void *answer, size_t size, stele_pack_t *pack);

/*  Clear the pack, and pack the message for the mailbox of the writer. 'answer' may be NULL.  */
void
    stele_audit_mail (const void *event, size_t event_size, const void *answer, size_t answer_size,
        stele_pack_t *pack);

/*  Send an event to the writer, for an actor without a connection to its mailbox. It is recorded as soon as
    storage takes writes.                                                    */
void
    stele_audit_send (const stele_audit_t *self, const stele_settings_t *settings);

/*  Send an event for each key that was added, revoked or changed: 'changes' is a map with the entries of
    stele_access_reload. 'who' made the broker read its keys again.          */
void
    stele_audit_keys (const stele_settings_t *settings, const char *who, const void *changes, size_t size);

#endif
