/*  tasks - task.status, task.statuses, task.get, task.list

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "broker/common/answer.h"
#include "broker/operations/query.h"
#include "base/clock.h"
#include "ledger/erase.h"
#include "wire/event/event_codec.h"

//  An integer 'at' up to this one is a position, above it a time: 10^12
//  microseconds are the twelfth day of 1970, and no ledger holds 10^12 events.
#define POSITION_MAX 1000000000000

//  More than anyone types into a search box
#define SEARCH_MAX 1024

//  One task as it is packed, and what else the answer has of it
typedef struct {
    stele_pack_t *pack;
    int64_t position;
    char producer [STELE_LIMIT_ID + 1];
    size_t producer_size;
} s_task_t;

static int
s_pack_row (const stele_record_t *row, void *arg)
{
    s_task_t *task = arg;
    const stele_value_t *producer = &row->values [STELE_PRODUCER];
    stele_pack_key (task->pack, "task");
    stele_record_pack (row, task->pack);
    task->position = stele_record_integer (row, STELE_POSITION, 0);
    task->producer_size = stele_record_has (row, STELE_PRODUCER) && producer->size <= STELE_LIMIT_ID?
        producer->size: 0;
    if (task->producer_size)
        memcpy (task->producer, producer->text, task->producer_size);
    return 0;
}

//  When the broker heard of the task, and when it heard from its producer
static void
s_pack_heard (stele_query_t *self, const s_task_t *task)
{
    int64_t heard_us = stele_reader_commit_time (self->reader, task->position);
    if (heard_us > 0)
        stele_pack_key_integer (task->pack, "heard_at", heard_us);
    if (task->producer_size)
        stele_query_pack_owner (self, (stele_span_t) { task->producer, task->producer_size }, task->pack);
}

static int
s_refuse_unknown (stele_refusal_t *refusal, stele_span_t id)
{
    char shown [STELE_PARAMS_SHOWN];
    return stele_refuse (refusal, STELE_ENOT_FOUND, NULL, "there is no task '%s'", stele_params_show (id, shown));
}

static bool
s_may_see (const stele_params_t *params, const stele_record_t *task)
{
    const stele_value_t *user = &task->values [STELE_USER_ID];
    return stele_record_has (task, STELE_USER_ID)?
        stele_identity_may_see (params->identity, user->text, user->size):
        stele_identity_may_see (params->identity, "default", 7);
}

//  In mode sqlite Redis is out of date
static bool
s_uses_redis (const stele_query_t *self)
{
    return self->live && !stele_query_in_mode (self, "sqlite");
}

//  Pack the live record of a task, and what the answer has besides. Returns 1, 0 with nothing packed: there is no task, or an
//  error of the reader.
static int
s_pack_status (stele_query_t *self, const stele_params_t *params, stele_span_t id, int64_t min_position, stele_pack_t *pack)
{
    const char *source = "sqlite";
    s_task_t task = { .pack = pack };
    int found = 0;
    if (s_uses_redis (self)) {
        stele_record_clear (self->record);
        const stele_live_source_t ours = { self->ledger_id, stele_reader_file_id (self->reader) };
        found = stele_live_task (self->live, &ours, id.text, id.size, min_position, self->record);
        //  A task of somebody else looks like none; that takes as long as to ask the ledger
        if (found == 1 && !s_may_see (params, self->record))
            found = 0;
        if (found == 1) {
            s_pack_row (self->record, &task);
            source = "redis";
        }
    }
    if (found != 1)
        found = stele_reader_task_live (self->reader, id.text, id.size, s_pack_row, &task);
    if (found <= 0)
        return found;
    s_pack_heard (self, &task);
    stele_pack_key_string (pack, "source", source);
    return 1;
}

int
stele_operation_task_status (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_span_t id = stele_params_id (params, "task_id");
    int64_t min_position = stele_params_number (params, "min_position", 0, 0, INT64_MAX);
    if (params->refusal.code)
        return params->refusal.code;
    int found = s_pack_status (self, params, id, min_position, pack);
    if (found < 0)
        return stele_query_failed (self, params, found);
    return found? 0: s_refuse_unknown (&params->refusal, id);
}

//  -- task.statuses -----------------------------------------------------------------

static void
s_begin_entry (stele_span_t id, stele_pack_t *pack)
{
    stele_pack_map_begin (pack);
    stele_pack_key (pack, "task_id");
    stele_pack_text (pack, id.text, id.size);
}

static void
s_pack_error (const stele_refusal_t *refusal, stele_pack_t *pack)
{
    stele_pack_key (pack, "error");
    stele_pack_map_begin (pack);
    stele_answer_key_refusal (pack, refusal->code, refusal);
    stele_pack_map_end (pack);
}

//  One entry of the array: the status of a task, or why there is none. Beyond size_max bytes there is none (0: any size).
//  Returns 0 or an error of the reader.
static int
s_pack_entry (stele_query_t *self, const stele_params_t *params, stele_span_t id, int64_t min_position, size_t size_max,
    stele_pack_t *pack)
{
    size_t start = stele_pack_size (pack);
    stele_refusal_t refusal;
    s_begin_entry (id, pack);
    int found = s_pack_status (self, params, id, min_position, pack);
    if (found < 0)
        return found;
    if (found == 0) {
        s_refuse_unknown (&refusal, id);
        s_pack_error (&refusal, pack);
    }
    else
    if (size_max && stele_pack_size (pack) > size_max) {
        stele_pack_rewind (pack, start);
        s_begin_entry (id, pack);
        stele_refuse (&refusal, STELE_ETOO_LARGE, NULL, "the answer is full: request this task again, with fewer others");
        s_pack_error (&refusal, pack);
    }
    stele_pack_map_end (pack);
    return 0;
}

int
stele_operation_task_statuses (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_span_t ids [STELE_PARAMS_IDS];
    size_t count = stele_params_ids (params, "task_ids", ids);
    int64_t min_position = stele_params_number (params, "min_position", 0, 0, INT64_MAX);
    if (params->refusal.code)
        return params->refusal.code;
    //  With one question to Redis
    for (size_t i = 0; i < count && s_uses_redis (self); i++)
        stele_live_expect (self->live, ids [i].text, ids [i].size);
    stele_pack_key (pack, "statuses");
    stele_pack_array (pack, count);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = s_pack_entry (self, params, ids [i], min_position, i? (size_t) self->settings->message_bytes: 0, pack);
    if (self->live)
        stele_live_forget (self->live);
    return rc? stele_query_failed (self, params, rc): 0;
}

//  -- task.get ----------------------------------------------------------------------

typedef struct {
    int64_t position;               // One of the two is set
    int64_t time_us;
} s_when_t;

static s_when_t
s_read_at (stele_query_t *self, stele_params_t *params)
{
    s_when_t when = { 0, 0 };
    stele_token_t token = stele_scan_find (params->map, params->size, "at", NULL, NULL);
    if (token.kind != STELE_SCAN_INTEGER || token.integer > POSITION_MAX) {
        when.time_us = stele_params_time (params, "at");
        if (when.time_us < 1)
            stele_params_refuse (params, "at", "a position, or a time after 1970");
        return when;
    }
    when.position = token.integer;
    if (when.position < 1)
        stele_params_refuse (params, "at", "a position of at least 1, or a time");
    else
    if (when.position > self->head)
        stele_params_fail (params, STELE_ENOT_FOUND, "at",
            "position %" PRId64 " does not exist yet; the last one is %" PRId64, when.position, self->head);
    return when;
}

static int
s_get_at (stele_query_t *self, stele_params_t *params, stele_span_t id, stele_pack_t *pack)
{
    s_when_t when = s_read_at (self, params);
    if (params->refusal.code)
        return params->refusal.code;
    int found = stele_reader_task_at (self->reader, id.text, id.size,
        when.position, when.time_us, s_pack_row, &(s_task_t) { .pack = pack });
    if (found < 0)
        return stele_query_failed (self, params, found);
    if (found)
        return 0;
    char shown [80], time [40];
    stele_params_show (id, shown);
    if (when.position)
        return stele_params_fail (params, STELE_ENOT_FOUND, NULL,
            "there was no task '%s' at position %" PRId64, shown, when.position);
    stele_time_print (when.time_us, time, sizeof time);
    return stele_params_fail (params, STELE_ENOT_FOUND, NULL,
        "there was no task '%s' at %s", shown, time);
}

static int
s_pack_erasure (stele_query_t *self, stele_params_t *params, stele_span_t id, stele_pack_t *pack)
{
    stele_erasure_t erasure;
    int found = stele_reader_erasure (self->reader, id.text, id.size, &erasure);
    if (found < 0)
        return stele_query_failed (self, params, found);
    if (found) {
        stele_pack_key (pack, "erased");
        stele_pack_map_begin (pack);
        stele_pack_key_integer (pack, "time", erasure.time_us);
        stele_pack_key_integer (pack, "position", erasure.position);
        stele_pack_key_string (pack, "reason", erasure.reason);
        if (erasure.rest)
            stele_pack_key_bool (pack, "erasing", true);
        stele_pack_map_end (pack);
    }
    return 0;
}

int
stele_operation_task_get (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_span_t id = stele_params_id (params, "task_id");
    if (params->refusal.code)
        return params->refusal.code;
    if (stele_params_has (params, "at"))
        return s_get_at (self, params, id, pack);
    s_task_t task = { .pack = pack };
    int found = stele_reader_task (self->reader, id.text, id.size, s_pack_row, &task);
    if (found < 0)
        return stele_query_failed (self, params, found);
    if (found == 0)
        return s_refuse_unknown (&params->refusal, id);
    s_pack_heard (self, &task);
    return s_pack_erasure (self, params, id, pack);
}

//  -- task.list ---------------------------------------------------------------------

//  By stele_order_t, as cursors contain them; then other names of the same orders

static const char *const s_order_names [] = {
    [STELE_ORDER_CREATED_DESC] = "created_desc",     [STELE_ORDER_CREATED_ASC] = "created_asc",
    [STELE_ORDER_UPDATED_DESC] = "updated_desc",     [STELE_ORDER_UPDATED_ASC] = "updated_asc",
    [STELE_ORDER_COMPLETED_DESC] = "completed_desc", [STELE_ORDER_COMPLETED_ASC] = "completed_asc",
    "created", "updated", "completed", "newest", "oldest"
};

//  task.stuck has an order of its own
static const char *
s_order_name (stele_order_t order)
{
    return order == STELE_ORDER_HEARD_ASC? "heard_asc": s_order_names [order];
}

static stele_order_t
s_read_order (stele_params_t *params)
{
    static const stele_order_t others [] = {
        STELE_ORDER_CREATED_DESC, STELE_ORDER_UPDATED_DESC, STELE_ORDER_COMPLETED_DESC,
        STELE_ORDER_CREATED_DESC, STELE_ORDER_CREATED_ASC
    };
    size_t order = stele_params_choice (params, "order", s_order_names,
        sizeof s_order_names / sizeof s_order_names [0], STELE_ORDER_CREATED_DESC,
        "created, updated or completed with _desc or _asc (or newest, oldest)");
    return order <= STELE_ORDER_COMPLETED_ASC? (stele_order_t) order: others [order - STELE_ORDER_COMPLETED_ASC - 1];
}

//  A cursor is ORDER.TIME.KEY.POSITION.SKIP: the last place that was looked at, the position that
//  the list shows, and the rest of its offset

static void
s_print_cursor (char *cursor, size_t size, const char *order, const stele_page_t *page)
{
    snprintf (cursor, size, "%s.%" PRId64 ".%" PRId64 ".%" PRId64 ".%" PRId64, order,
        page->time, page->key, page->position, page->skip);
}

static void
s_pack_cursor (stele_pack_t *pack, stele_order_t order, const stele_page_t *next)
{
    char cursor [128];
    stele_pack_key (pack, "next");
    if (!next->more) {
        stele_pack_nil (pack);
        return;
    }
    s_print_cursor (cursor, sizeof cursor, s_order_name (order), next);
    stele_pack_string (pack, cursor);
}

static void
s_take_cursor (stele_filter_t *filter, const stele_page_t *page)
{
    filter->has_cursor = true;
    filter->cursor_time = page->time;
    filter->cursor_key = page->key;
    filter->cursor_skip = page->skip;
    filter->position = page->position;
}

static void
s_read_cursor (stele_params_t *params, stele_filter_t *filter)
{
    stele_span_t text = stele_params_text (params, "cursor");
    if (!text.text)
        return;
    char cursor [128], name [16], again [128];
    stele_page_t page = { .more = true };
    snprintf (cursor, sizeof cursor, "%.*s", text.size < 128? (int) text.size: 0, text.text);
    int fields = sscanf (cursor, "%15[a-z_].%" SCNd64 ".%" SCNd64 ".%" SCNd64 ".%" SCNd64, name,
        &page.time, &page.key, &page.position, &page.skip);
    //  Only a cursor that s_print_cursor wrote is printed the same again
    s_print_cursor (again, sizeof again, fields == 5? name: "", &page);
    if (fields != 5 || strlen (cursor) != text.size || strcmp (again, cursor) != 0
    ||  page.position < 0 || page.skip < 0)
        stele_params_refuse (params, "cursor", "the cursor of an earlier page of the same list");
    else
    if (strcmp (name, s_order_name (filter->order)) != 0)
        stele_params_fail (params, STELE_EBAD_REQUEST, "cursor",
            "the cursor is of a list in order %s, this one is in order %s: "
            "keep the order from page to page", name, s_order_name (filter->order));
    else
    if (stele_params_has (params, "offset"))
        stele_params_fail (params, STELE_EBAD_REQUEST, "offset",
            "use either cursor or offset, not both");
    s_take_cursor (filter, &page);
}

typedef struct {
    stele_span_t roles [STELE_PARAMS_VALUES];
    stele_span_t providers [STELE_PARAMS_VALUES];
    stele_span_t models [STELE_PARAMS_VALUES];
    stele_span_t producers [STELE_PARAMS_VALUES];
} s_values_t;

//  Both ends included; an absent parameter leaves the value unchanged
static void
s_read_range (stele_params_t *params, const char *from, const char *to, int64_t *from_us, int64_t *to_us)
{
    if (stele_params_has (params, from))
        *from_us = stele_params_time (params, from);
    if (stele_params_has (params, to))
        *to_us = stele_params_time (params, to);
}

static void
s_read_filter (stele_query_t *self, stele_params_t *params, stele_filter_t *filter,
    s_values_t *values)
{
    memset (filter, 0, sizeof *filter);
    filter->search = stele_params_text (params, "search");
    if (filter->search.size > SEARCH_MAX)
        stele_params_fail (params, STELE_EBAD_REQUEST, "search",
            "search takes text of at most %d bytes", SEARCH_MAX);
    filter->contains = stele_params_text (params, "contains");
    if (filter->contains.size > SEARCH_MAX)
        stele_params_fail (params, STELE_EBAD_REQUEST, "contains",
            "contains takes text of at most %d bytes", SEARCH_MAX);
    filter->states = stele_params_words (params, "states", STELE_VOCABULARY_TASK_STATE);
    filter->roles = values->roles;
    filter->role_count = stele_params_texts (params, "roles", values->roles);
    filter->providers = values->providers;
    filter->provider_count = stele_params_texts (params, "providers", values->providers);
    filter->models = values->models;
    filter->model_count = stele_params_texts (params, "models", values->models);
    filter->producers = values->producers;
    filter->producer_count = stele_params_texts (params, "producers", values->producers);
    filter->user_id = stele_params_text (params, "user_id");
    filter->parent_id = stele_params_text (params, "parent_id");
    s_read_range (params, "date_from", "date_to", &filter->from_us, &filter->to_us);
    s_read_range (params, "created_from", "created_to", &filter->from_us, &filter->to_us);
    s_read_range (params, "updated_from", "updated_to", &filter->updated_from_us, &filter->updated_to_us);
    s_read_range (params, "completed_from", "completed_to",
        &filter->completed_from_us, &filter->completed_to_us);
    if (stele_params_has (params, "has_error"))
        filter->has_error = stele_params_bool (params, "has_error", false)? 1: -1;
    if (stele_params_has (params, "interrupted"))
        filter->interrupted = stele_params_bool (params, "interrupted", false)? 1: -1;
    filter->order = s_read_order (params);
    filter->limit = stele_query_limit (self, params);
    filter->offset = stele_params_number (params, "offset", 0, 0, POSITION_MAX);
    if (stele_params_has (params, "at")) {
        s_when_t when = s_read_at (self, params);
        filter->position = when.position;
        filter->time_us = when.time_us;
    }
    s_read_cursor (params, filter);
}

//  Before the first event nothing is known: that is not the same as an empty list
static int
s_check_known (stele_query_t *self, stele_params_t *params, int64_t time_us)
{
    int64_t first_us = 0;
    int rc = stele_reader_first_time (self->reader, &first_us);
    if (rc < 0)
        return stele_query_failed (self, params, rc);
    if (time_us == 0 || (rc && time_us >= first_us))
        return 0;
    char time [40], first [40];
    stele_time_print (time_us, time, sizeof time);
    stele_time_print (first_us, first, sizeof first);
    return stele_params_fail (params, STELE_ENOT_FOUND, "at",
        "nothing is known of %s: the first event is of %s", time, rc? first: "no time yet");
}

//  'owners' collects the producers of the rows; NULL: they are not requested
static int
s_answer_list (stele_query_t *self, stele_params_t *params, stele_pack_t *pack, stele_filter_t filter,
    stele_owners_t *owners)
{
    bool with_total = stele_params_bool (params, "total", false);
    if (params->refusal.code || s_check_known (self, params, filter.time_us))
        return params->refusal.code;
    stele_rows_t rows;
    stele_page_t next = { .more = false };
    stele_rows_open (&rows, self, pack, "tasks", STELE_FIELD_NONE);
    if (owners)
        owners->rows = &rows;
    int rc;
    //  The cursor belongs to the last row of a page: read a page that is too large for one
    //  answer again, with as many rows as fit
    do {
        stele_rows_again (&rows);
        rc = stele_reader_tasks (self->reader, &filter, owners? stele_owners_add: stele_rows_add,
            owners? (void *) owners: &rows, &next);
        filter.limit = (int64_t) rows.count;
    } while (rc >= 0 && rows.full);
    if (rc < 0)
        return stele_query_failed (self, params, rc);
    stele_rows_close (&rows);
    s_pack_cursor (pack, filter.order, &next);
    stele_pack_key_integer (pack, "as_of", next.position);
    if (filter.search.text)
        stele_pack_key_integer (pack, "indexed", next.indexed);
    if (next.cut || next.partial)
        stele_pack_key_bool (pack, "complete", false);
    if (next.cut)
        stele_pack_key_integer (pack, "looked_to", filter.order < STELE_ORDER_HEARD_DESC? next.time:
            stele_reader_commit_time (self->reader, next.time > 1? next.time: 1));
    if (!with_total)
        return 0;

    bool complete;
    int64_t total = stele_reader_task_total (self->reader, &filter, &complete);
    if (total < 0)
        return stele_query_failed (self, params, (int) total);
    stele_pack_key_integer (pack, "total", total);
    if (!complete)
        stele_pack_key_bool (pack, "total_complete", false);
    return 0;
}

int
stele_operation_task_list (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_filter_t filter;
    s_values_t values;
    s_read_filter (self, params, &filter, &values);
    return s_answer_list (self, params, pack, filter, NULL);
}

//  The last position that was committed longer ago than that. By the times of commits, since the clock of a
//  producer may be wrong; but the clock of this machine may have been wrong, too, so a steady clock decides
//  where it can: commits of earlier runs of the broker are older than this run, its own are not.
static int64_t
s_silent_since (stele_query_t *self, int64_t silent_us, int64_t run_us)
{
    int64_t position = stele_reader_position_at (self->reader, stele_clock_us () - silent_us - 1);
    if (position < 0)
        return position;
    bool older = run_us > silent_us;
    return (position < self->opened_head) == older? self->opened_head: position;
}

//  Running tasks with no event for longer than silent_s, longest silence first.

int
stele_operation_task_stuck (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    int64_t silent_s = stele_params_number (params, "silent_s", 300, 0, 1000000000);
    int64_t run_us = stele_clock_steady_us () - self->opened_us;
    int64_t heard_to = s_silent_since (self, silent_s * 1000000, run_us);
    if (heard_to < 0)
        return stele_query_failed (self, params, (int) heard_to);
    stele_filter_t filter = {
        .states = 1u << STELE_TASK_RUNNING,
        .heard_to = heard_to? heard_to: -1,
        .order = STELE_ORDER_HEARD_ASC,
        .limit = stele_query_limit (self, params)
    };
    s_read_cursor (params, &filter);
    stele_owners_t owners;
    stele_owners_open (&owners);
    int rc = s_answer_list (self, params, pack, filter, &owners);
    if (rc == 0) {
        stele_owners_pack (&owners, self, pack);
        stele_pack_key_integer (pack, "run_ms", run_us / 1000);
        stele_pack_key_integer (pack, "run_after", self->opened_head);
    }
    stele_owners_close (&owners);
    return rc;
}
