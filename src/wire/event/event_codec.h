/*  event_codec - events and records between msgpack and stele_record_t

    See protocol section 3 for fields, limits and refusals.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_EVENT_CODEC_H_INCLUDED
#define STELE_EVENT_CODEC_H_INCLUDED

#include "model/record.h"
#include "model/refusal.h"
#include "wire/pack.h"
#include "wire/time.h"

/*  Decode one event from checked bytes (stele_scan_check) into a cleared
    record: every field is checked for type, value, UTF-8 and limit, required fields
    are present, unknown keys go to 'extra' unchanged. A nil field counts as absent.
    A value may be nested STELE_LIMIT_NESTING deep. Text and bytes borrow from
    'data', JSON from the record's arena.
    If 'time' is absent, the caller sets it. 'position' and 'interrupted' are set by
    the broker only: those of a producer are dropped. So are events of the type audit.recorded:
    one of a producer is refused.
    Returns 0, or the code of the refusal.                                   */
int
    stele_event_decode_record (const void *data, size_t size, stele_record_t *record,
        stele_refusal_t *refusal);

/*  The same for an event imported from an export (protocol section 3): 'interrupted' is
    kept in a task.state_changed to failed, an audit.recorded is decoded, and 'erased_leaf' is dropped. */
int
    stele_event_decode_restored (const void *data, size_t size, stele_record_t *record,
        stele_refusal_t *refusal);

/*  The same for an event of a backup, which gets its own position again: 'erased_leaf' is kept. */
int
    stele_event_decode_replayed (const void *data, size_t size, stele_record_t *record,
        stele_refusal_t *refusal);

/*  Pack a record as one map: 'type' first if it is an event, then every value in the
    order of the field table, then the entries of 'extra' (at the same level, unchanged,
    without keys of fields that the record has). Words as text, times as integers. */
void
    stele_record_pack (const stele_record_t *record, stele_pack_t *pack);

/*  Write the topic of an event in the feed (protocol section 5), type/ID, without a NUL.
    Returns its size, 0 if it exceeds size_max; 64 + STELE_LIMIT_ID always suffice. */
size_t
    stele_record_topic (const stele_record_t *event, char *topic, size_t size_max);

/*  Are two events equal in every field, except position, and except time if either has none?
    An absent field equals its default (state queued, target_dir ".", full_access false,
    user_id "default").                                                      */
bool
    stele_record_equal (const stele_record_t *one, const stele_record_t *other);

#endif
