/*  event_codec - events and records between msgpack and stele_record_t

    Protocol section 3: which fields, which limits, which refusal.

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
    record: every field checked for type, value, UTF-8 and limit, required
    fields present, unknown keys in 'extra', as they came. A field that is nil counts
    as absent. A value may be nested STELE_LIMIT_NESTING deep. Text and bytes borrow
    from 'data', JSON from the record's arena.
    'time' absent: the record has none, the caller sets it. 'position' and
    'interrupted' are the broker's words: a producer's are dropped.
    Returns 0, or the code that is in the refusal.                           */
int
    stele_event_decode_record (const void *data, size_t size, stele_record_t *record,
        stele_refusal_t *refusal);

/*  The same for an event that comes back from an export (protocol section 3):
    'interrupted' stays on a task.state_changed to failed.                    */
int
    stele_event_decode_restored (const void *data, size_t size, stele_record_t *record,
        stele_refusal_t *refusal);

/*  Pack a record as one map: 'type' first if it is an event, then every value
    it has in the order of the field table, then the entries of 'extra' (at the
    same level, as they came, but for keys that are fields the record has). Words as text, times as integers.             */
void
    stele_record_pack (const stele_record_t *record, stele_pack_t *pack);

/*  One value alone, as stele_record_pack packs it; nil for NONE.            */
void
    stele_value_pack (const stele_value_t *value, stele_pack_t *pack);

/*  Topic of an event in the feed (protocol section 5): type/ID. Returns its size;
    at most size_max bytes are written, 64 + STELE_LIMIT_ID always suffice.   */
size_t
    stele_record_topic (const stele_record_t *event, char *topic, size_t size_max);

/*  Do two events say the same in every field (position and, where either has none,
    time left aside)? An absent field equals its default (state queued, target_dir ".",
    full_access false, user_id "default").                                   */
bool
    stele_record_equal (const stele_record_t *one, const stele_record_t *other);

#endif
