/*  replay - the segments of a repository, written into a ledger

    Commits are recorded one by one as they were, but the ledger commits them in portions: one sync per
    PORTION_EVENTS.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ledger/erase.h"
#include "proof/erased.h"
#include "repository/replay.h"
#include "wire/event/event_codec.h"
#include "wire/map.h"
#include "wire/scan.h"

#define PORTION_EVENTS 10000
#define PORTION_BYTES  (64 * 1024 * 1024)

typedef struct {
    stele_ledger_t *ledger;
    int64_t base;                   // Head of the ledger at the start
    stele_record_t *event;
    stele_erased_t *hashes;         // Of the events of tasks that are erased again
    bool has_owner;                 // An owner line has come before the event
    int64_t owner;                  // producers.id, 0: none
    char owner_name [STELE_LIMIT_ID + 1];   // Of the owner that was looked up last
    int64_t owner_id;
    int64_t time_us;                // Of the last commit
    int64_t events, bytes;          // Since the last commit of the ledger
    int64_t unrecorded;             // Erased events, without those that audit events recorded
    int64_t reported;
    stele_replay_fn *progress;
    void *arg;
    stele_refusal_t *refusal;
} s_replay_t;

static int
s_storage (s_replay_t *self, int code)
{
    return stele_refuse (self->refusal, code, "ledger", "%s", stele_ledger_error (self->ledger));
}

static int
s_damaged (s_replay_t *self, const stele_line_t *line)
{
    return stele_refuse (self->refusal, STELE_ELEDGER, "backup", "a line of the segments, at position %" PRId64
        ", does not have the form of its kind: %.80s", line->position, line->text);
}

//  -- producers ------------------------------------------------------------------------

//  Number of the producer with that name. Its own line comes later, with the state of the whole batch: until then it
//  has nothing but its name.
static int
s_producer_id (s_replay_t *self, const char *name, int64_t *id)
{
    stele_producer_t producer;
    int found = stele_ledger_producer_find (self->ledger, name, &producer);
    if (found == 0) {
        producer = (stele_producer_t) { .status = STELE_PRODUCER_LEFT };
        snprintf (producer.name, sizeof producer.name, "%s", name);
        found = stele_ledger_replay_producer (self->ledger, &producer, self->time_us, false);
    }
    if (found < 0)
        return s_storage (self, found);
    *id = producer.id;
    return 0;
}

static int
s_owner (s_replay_t *self, const stele_line_t *line, const stele_map_t *map)
{
    char name [STELE_LIMIT_ID + 1];
    (void) line;
    self->has_owner = true;
    self->owner = 0;
    if (!stele_map_text (map, "producer", name, sizeof name))
        return 0;
    if (self->owner_id == 0 || strcmp (name, self->owner_name)) {
        int code = s_producer_id (self, name, &self->owner_id);
        if (code)
            return code;
        memcpy (self->owner_name, name, sizeof name);
    }
    self->owner = self->owner_id;
    return 0;
}

static int
s_producer (s_replay_t *self, const stele_line_t *line, const stele_map_t *map)
{
    stele_producer_t producer = { .id = 0 };
    int64_t status, first_seen_at;
    if (!stele_map_text (map, "name", producer.name, sizeof producer.name)
    ||  !stele_map_integer (map, "sequence", &producer.sequence) || !stele_map_integer (map, "status", &status)
    ||  !stele_map_integer (map, "first_seen_at", &first_seen_at) || !stele_map_integer (map, "last_seen_at", &producer.seen_at))
        return s_damaged (self, line);
    //  An empty instance is an anonymous producer that has ended; none is one that never said hello
    producer.anonymous = stele_map_text (map, "instance", producer.instance, sizeof producer.instance);
    stele_map_integer (map, "lease_ms", &producer.lease_ms);
    producer.status = (stele_producer_status_t) status;
    int code = stele_ledger_replay_producer (self->ledger, &producer, first_seen_at, line->position > self->base);
    return code? s_storage (self, code): 0;
}

static int
s_fence (s_replay_t *self, const stele_line_t *line, const stele_map_t *map)
{
    char name [STELE_LIMIT_ID + 1], instance [STELE_LIMIT_ID + 1];
    int64_t id, time_us;
    if (!stele_map_text (map, "producer", name, sizeof name) || !stele_map_text (map, "instance", instance, sizeof instance)
    ||  !stele_map_integer (map, "fenced_at", &time_us))
        return s_damaged (self, line);
    int code = s_producer_id (self, name, &id);
    if (code)
        return code;
    code = stele_ledger_fence (self->ledger, id, instance, time_us);
    return code? s_storage (self, code): 0;
}

//  -- refused events -------------------------------------------------------------------

static int
s_rejected (s_replay_t *self, const stele_line_t *line, const stele_map_t *map)
{
    char name [STELE_LIMIT_ID + 1];
    stele_refusal_t reason = { .code = stele_map_code (map, "code") };
    int64_t id, time_us, producer = 0, sequence = 0, stored;
    stele_token_t event = stele_scan_find (map->data, map->size, "event", NULL, NULL);
    if (!stele_map_integer (map, "id", &id) || !stele_map_integer (map, "time", &time_us) || event.kind != STELE_SCAN_BYTES)
        return s_damaged (self, line);
    if (id <= stele_ledger_last_rejected (self->ledger))
        return 0;
    stele_map_text (map, "field", reason.field, sizeof reason.field);
    stele_map_text (map, "message", reason.message, sizeof reason.message);
    stele_map_integer (map, "sequence", &sequence);
    int code = stele_map_text (map, "producer", name, sizeof name)? s_producer_id (self, name, &producer): 0;
    if (code)
        return code;
    code = stele_ledger_reject (self->ledger, producer, sequence, &reason, time_us, event.data, event.size, &stored);
    if (code)
        return s_storage (self, code);
    return stored == id? 0: stele_refuse (self->refusal, STELE_ELEDGER, "backup",
        "refused event %" PRId64 " is missing: the segments continue with %" PRId64, stored, id);
}

static int
s_retried (s_replay_t *self, const stele_line_t *line, const stele_map_t *map)
{
    int64_t id, time_us, stored_at = 0;
    if (!stele_map_integer (map, "id", &id) || !stele_map_integer (map, "retried_at", &time_us))
        return s_damaged (self, line);
    stele_map_integer (map, "stored_at", &stored_at);
    int code = stele_ledger_rejected_done (self->ledger, id, time_us, stored_at);
    return code? s_storage (self, code): 0;
}

//  -- the ledger's own -----------------------------------------------------------------

static int
s_follower (s_replay_t *self, const stele_line_t *line, const stele_map_t *map)
{
    char name [80];
    int64_t cursor, time_us;
    if (!stele_map_text (map, "name", name, sizeof name) || !stele_map_integer (map, "cursor", &cursor)
    ||  !stele_map_integer (map, "updated_at", &time_us))
        return s_damaged (self, line);
    int code = stele_ledger_follower_save (self->ledger, name, cursor, time_us);
    return code? s_storage (self, code): 0;
}

static int
s_loss (s_replay_t *self, const stele_line_t *line, const stele_map_t *map)
{
    char ledger_id [40], evidence [1024];
    int64_t id;
    stele_lost_t loss = { .ledger_id = ledger_id, .evidence = evidence };
    if (!stele_map_integer (map, "id", &id) || !stele_map_integer (map, "time", &loss.time_us)
    ||  !stele_map_text (map, "ledger_id", ledger_id, sizeof ledger_id)
    ||  !stele_map_integer (map, "first", &loss.first) || !stele_map_integer (map, "last", &loss.last)
    ||  !stele_map_integer (map, "rejected", &loss.rejected)
    ||  !stele_map_text (map, "evidence", evidence, sizeof evidence))
        return s_damaged (self, line);
    int code = stele_ledger_replay_loss (self->ledger, id, &loss);
    return code? s_storage (self, code): 0;
}

static int
s_meta (s_replay_t *self, const stele_line_t *line, const stele_map_t *map)
{
    char key [128];
    const void *value = NULL;
    size_t size = 0;
    stele_token_t token = stele_scan_find (map->data, map->size, "value", &value, &size);
    if (!stele_map_text (map, "key", key, sizeof key) || token.kind == STELE_SCAN_END)
        return s_damaged (self, line);
    int code = stele_ledger_replay_note (self->ledger, key, value, size);
    return code? s_storage (self, code): 0;
}

//  -- events and commits ---------------------------------------------------------------

static int
s_event (s_replay_t *self, const stele_line_t *line)
{
    stele_refusal_t refusal = { 0 };
    int64_t position, expected = stele_ledger_last (self->ledger) + 1;
    if (line->position != expected)
        return stele_refuse (self->refusal, STELE_ELEDGER, "backup", "the segments continue with position %" PRId64
            ", but the ledger ends at %" PRId64, line->position, expected - 1);
    stele_record_clear (self->event);
    int code = stele_event_decode_replayed (line->packed, line->packed_size, self->event, &refusal);
    int64_t erased = code? code: stele_ledger_erase_again (self->ledger, self->event, stele_erased_hash, self->hashes, &refusal);
    code = erased < 0? (int) erased: 0;
    if (code == 0)
        code = stele_ledger_append (self->ledger, self->event, self->has_owner? self->owner: STELE_PRODUCER_SAME,
            &position, &refusal);
    self->has_owner = false;
    if (code == 1) {
        self->unrecorded += erased + stele_erased_is (line->text, line->size) - stele_erased_count (line->text, line->size);
        self->events++;
        self->bytes += (int64_t) line->size;
        return 0;
    }
    if (refusal.code || code == 0)
        return stele_refuse (self->refusal, STELE_ELEDGER, "backup", "the event at position %" PRId64
            " does not follow from those before it: %s", expected, code? refusal.message: "it is a duplicate");
    return s_storage (self, code);
}

static int
s_begin (s_replay_t *self)
{
    int code = stele_ledger_begin (self->ledger);
    self->events = self->bytes = 0;
    return code? s_storage (self, code): 0;
}

static int
s_end (s_replay_t *self)
{
    int code = stele_ledger_commit (self->ledger, self->time_us);
    if (code == 0)
        code = stele_ledger_idle (self->ledger, 0);
    if (stele_error_is_transient (code) && code != STELE_EFULL && code != STELE_ENO_MEMORY)
        code = 0;                   // Upkeep that can wait
    return code? s_storage (self, code): 0;
}

static int
s_commit (s_replay_t *self, const stele_line_t *line, const stele_map_t *map)
{
    if (!stele_map_integer (map, "time", &self->time_us))
        return s_damaged (self, line);
    int code = stele_ledger_replay_commit (self->ledger, self->time_us);
    if (code)
        return s_storage (self, code);
    int64_t position = stele_ledger_last (self->ledger);
    if (self->progress && position - self->reported >= PORTION_EVENTS) {
        self->reported = position;
        self->progress (position, self->arg);
    }
    if (self->events < PORTION_EVENTS && self->bytes < PORTION_BYTES)
        return 0;
    code = s_end (self);
    return code? code: s_begin (self);
}

static int
s_line (const stele_line_t *line, void *arg)
{
    s_replay_t *self = arg;
    stele_map_t map;
    if (stele_map_open (&map, line->packed, line->packed_size))
        return s_damaged (self, line);
    switch (line->kind) {
        case STELE_LINE_EVENT:
            return s_event (self, line);
        case STELE_LINE_COMMIT:
            return s_commit (self, line, &map);
        case STELE_LINE_OWNER:
            return s_owner (self, line, &map);
        case STELE_LINE_PRODUCER:
            return s_producer (self, line, &map);
        case STELE_LINE_FENCE:
            return s_fence (self, line, &map);
        case STELE_LINE_REJECTED:
            return s_rejected (self, line, &map);
        case STELE_LINE_RETRIED:
            return s_retried (self, line, &map);
        case STELE_LINE_FOLLOWER:
            return s_follower (self, line, &map);
        case STELE_LINE_LOSS:
            return s_loss (self, line, &map);
        case STELE_LINE_META:
            return s_meta (self, line, &map);
        //  No default: the compiler reports a kind without a case
        case STELE_LINE_UNKNOWN:
            break;
    }
    return 0;
}

//  A ledger without events gets the id of the repository's; another one must have it
static int
s_identify (s_replay_t *self, const char *id)
{
    if (strcmp (stele_ledger_id (self->ledger), id) == 0)
        return 0;
    if (self->base > 0 || stele_ledger_last_rejected (self->ledger) > 0)
        return stele_refuse (self->refusal, STELE_ELEDGER, "backup",
            "the segments are those of ledger %s, but this is ledger %s", id, stele_ledger_id (self->ledger));
    return stele_ledger_replay_id (self->ledger, id, self->refusal);
}

int64_t
stele_repository_replay (const stele_repository_t *repository, stele_ledger_t *ledger, int64_t upto,
    stele_replay_fn *progress, void *arg, int64_t *unrecorded, stele_refusal_t *refusal)
{
    stele_refusal_t own;
    s_replay_t self = {
        .ledger = ledger, .base = stele_ledger_head (ledger), .progress = progress, .arg = arg,
        .refusal = refusal? refusal: &own
    };
    int code = s_identify (&self, stele_repository_ledger_id (repository));
    if (code)
        return code;
    self.event = stele_record_new ();
    assert (self.event);
    self.hashes = stele_erased_new ();
    self.reported = self.base;
    code = s_begin (&self);
    if (code == 0)
        code = stele_repository_read (repository, self.base, upto, 0, s_line, &self, self.refusal);
    if (code == 0)
        code = s_end (&self);
    else
        stele_ledger_rollback (ledger);
    *unrecorded = self.unrecorded > 0? self.unrecorded: 0;
    stele_record_destroy (&self.event);
    stele_erased_destroy (&self.hashes);
    return code? code: stele_ledger_head (ledger);
}
