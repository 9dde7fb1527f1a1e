/*  test_memory - out of memory at the N-th allocation, for every N: an error, no crash, no leak, and the
    ledger has a batch wholly or not at all.

    The allocations of our own code are wrapped by the linker (--wrap), those of SQLite by
    its own hook. Those of jansson and zstd are left alone: jansson 2.14 itself ends the process
    by an assertion when they fail. Under AddressSanitizer leaks are found, too.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <sqlite3.h>
#include "ledger/rollup.h"
#include "ledger/text_index.h"
#include "sqlite/sql/file_names.h"
#include "ledger_fixture.h"
#include "wire/event/message.h"

//  -- the allocator ------------------------------------------------------------------

static long s_left = -1;            // Allocations until one fails; -1: none does
static bool s_failed;               // Has one?

static bool
s_may (void)
{
    if (s_left < 0)
        return true;
    if (s_left-- > 0)
        return true;
    s_failed = true;
    errno = ENOMEM;
    return false;
}

//  The N-th allocation from here on fails, and only that; 0: none.
static void
s_fail_at (long number)
{
    s_left = number - 1;
    s_failed = false;
}

//  All of the first ones, then one in so many: where each round takes a while
static long
s_after (long number, long step)
{
    return number + (number < 60? 1: step);
}

void *__real_malloc (size_t size);
void *__real_calloc (size_t count, size_t size);
void *__real_realloc (void *memory, size_t size);
char *__real_strdup (const char *text);
void *__wrap_malloc (size_t size);
void *__wrap_calloc (size_t count, size_t size);
void *__wrap_realloc (void *memory, size_t size);
char *__wrap_strdup (const char *text);

void *
__wrap_malloc (size_t size)
{
    return s_may ()? __real_malloc (size): NULL;
}

void *
__wrap_calloc (size_t count, size_t size)
{
    return s_may ()? __real_calloc (count, size): NULL;
}

void *
__wrap_realloc (void *memory, size_t size)
{
    return s_may ()? __real_realloc (memory, size): NULL;
}

char *
__wrap_strdup (const char *text)
{
    return s_may ()? __real_strdup (text): NULL;
}

static sqlite3_mem_methods s_sqlite;

static void *
s_sqlite_malloc (int size)
{
    return s_may ()? s_sqlite.xMalloc (size): NULL;
}

static void *
s_sqlite_realloc (void *memory, int size)
{
    return s_may ()? s_sqlite.xRealloc (memory, size): NULL;
}

static void
s_hook (void)
{
    assert_int_equal (sqlite3_config (SQLITE_CONFIG_GETMALLOC, &s_sqlite), SQLITE_OK);
    sqlite3_mem_methods methods = s_sqlite;
    methods.xMalloc = s_sqlite_malloc;
    methods.xRealloc = s_sqlite_realloc;
    assert_int_equal (sqlite3_config (SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
    //  Memory of its own that SQLite takes first would hide most of its allocations
    assert_int_equal (sqlite3_config (SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
}

//  -- the batch ------------------------------------------------------------------------

#define UUID "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
#define LONG "the same words over and over, the same words over and over, "
#define LONGER LONG LONG LONG LONG LONG LONG LONG LONG

static const char *const s_more [] = {
    "{'type':'task.output_added','time':20,'task_id':'" UUID "','output_type':'log','content':'" LONGER "'}",
    "{'type':'task.created','time':21,'task_id':'" UUID "','title':'late','description':'" LONGER "','role':'builder',"
        "'metadata':{'text':'" LONG "'},'parent_id':'plain'}",
    "{'type':'task.created','time':21,'task_id':'" UUID "','title':'late','description':'" LONGER "','role':'builder',"
        "'metadata':{'text':'" LONG "'},'parent_id':'plain'}",
    "{'type':'session.command_executed','time':22,'session_id':'" UUID "','command':'" LONGER "','output':'" LONGER "'}"
};
#define MORE ((int) (sizeof s_more / sizeof s_more [0]))
#define ALL (FIXTURE_EVENTS_ALL + MORE)

static const char *
s_text (int i)
{
    return i < FIXTURE_EVENTS_ALL? fixture_events_all [i]: s_more [i - FIXTURE_EVENTS_ALL];
}

//  Every event, packed once.
static stele_pack_t *s_packed [ALL];

static void
s_pack_all (void)
{
    for (int i = 0; i < ALL; i++) {
        char text [8192];
        stele_refusal_t refusal = { 0 };
        snprintf (text, sizeof text, "%s", s_text (i));
        for (char *byte = text; *byte; byte++)
            if (*byte == '\'')
                *byte = '"';
        s_packed [i] = stele_pack_new ();
        if (stele_json_parse_pack (text, strlen (text), s_packed [i], &refusal))
            fail_msg ("%s: %s", refusal.message, text);
    }
}

//  Decode and append all of them. 0 or the first error.
static int
s_append_all (fixture_t *self)
{
    for (int i = 0; i < ALL; i++) {
        stele_refusal_t refusal = { 0 };
        int64_t position;
        stele_record_clear (self->event);
        int code = stele_event_decode_restored (stele_pack_data (s_packed [i]),     // Some only the broker makes
            stele_pack_size (s_packed [i]), self->event, &refusal);
        if (code)
            return code;
        code = stele_ledger_append (self->ledger, self->event, 0, &position, &refusal);
        if (code < 0)
            return code;
    }
    return 0;
}

static int
s_batch (fixture_t *self)
{
    stele_refusal_t refusal;
    stele_producer_t producer = { .name = "producer", .instance = "instance", .status = STELE_PRODUCER_PRESENT };
    stele_refuse (&refusal, STELE_EILLEGAL, "state", "it was not legal");
    int code = stele_ledger_begin (self->ledger);
    if (code == 0)
        code = stele_ledger_producer_save (self->ledger, &producer);
    if (code == 0)
        code = stele_ledger_fence (self->ledger, producer.id, "another", 1);
    if (code == 0)
        code = stele_ledger_reject (self->ledger, producer.id, 1, &refusal, 1, "event", 5, NULL);
    if (code == 0)
        code = s_append_all (self);
    if (code == 0)
        code = stele_ledger_producer_advance (self->ledger, producer.id, 1);
    if (code == 0)
        code = stele_ledger_follower_save (self->ledger, "follower", 1, 1);
    if (code == 0)
        code = (int) stele_ledger_interrupt (self->ledger, -1, "interrupted", 30, INT64_MAX);
    if (code >= 0)
        code = stele_ledger_commit (self->ledger, 1000);
    return code;
}

static void
s_assert_rows (fixture_t *self, int64_t events)
{
    assert_int_equal (stele_reader_head (self->reader), events);
    stele_ledger_stats_t stats;
    assert_int_equal (stele_reader_stats (self->reader, &stats), 0);
    assert_int_equal (stats.tasks, events? 3: 0);
    assert_int_equal (stats.rejected, events? 1: 0);
}

//  'plain' is not running, t was queued again, UUID is queued: no task is interrupted
#define STORED (ALL - 1)            // One is a duplicate

static void
test_memory_short_in_a_batch_stores_all_or_nothing (void **state)
{
    (void) state;
    fixture_t *self = NULL;
    long absorbed = 0;
    long number = 0;
    do {
        number++;
        if (!self)
            fixture_new ((void **) &self);
        s_fail_at (number);
        int code = s_batch (self);
        s_left = -1;
        if (code) {
            if (!s_failed || code != STELE_ENO_MEMORY)
                fail_msg ("at %ld: %d %s", number, code, stele_ledger_error (self->ledger));
            assert_string_not_equal (stele_ledger_error (self->ledger), "");
            stele_ledger_rollback (self->ledger);
            s_assert_rows (self, 0);
        }
        else {
            //  It did without: stored as it is what it could not compress, say
            absorbed += s_failed;
            s_assert_rows (self, STORED);
        }
        if (code == 0 || number % 100 == 0) {
            fixture_assert_intact (self);
            fixture_destroy ((void **) &self);
            self = NULL;
        }
    } while (s_failed);
    assert_true (number > 200 && absorbed < number / 2);
    print_message ("%ld allocations, %ld done without\n", number - 1, absorbed);
}

static void
test_memory_short_while_opening_leaves_the_ledger_alone (void **state)
{
    fixture_t *self = *state;
    assert_int_equal (s_batch (self), 0);
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    long number = 0;
    do {
        stele_refusal_t refusal = { 0 };
        number = s_after (number, 29);
        s_fail_at (number);
        self->ledger = stele_ledger_open (self->path, STELE_CHECK_QUICK, &refusal);
        s_left = -1;
        if (!self->ledger && refusal.code != STELE_ENO_MEMORY)
            fail_msg ("at %ld: %d %s", number, refusal.code, refusal.message);
        if (self->ledger)
            assert_int_equal (stele_ledger_head (self->ledger), STORED);
        stele_ledger_close (&self->ledger);
    } while (s_failed);
    assert_true (number > 200);
    fixture_assert_intact (self);
    stele_refusal_t refusal;
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_FULL, &refusal);
    self->reader = stele_reader_open (self->path, &refusal);
    s_assert_rows (self, STORED);
}

static void
test_memory_short_while_creating_leaves_what_can_be_opened (void **state)
{
    fixture_t *self = *state;
    char path [128];
    long number = 0;
    do {
        stele_refusal_t refusal = { 0 };
        snprintf (path, sizeof path, "%s/new", self->folder);
        number = s_after (number, 293);
        s_fail_at (number);
        stele_ledger_t *ledger = stele_ledger_open (path, STELE_CHECK_NONE, &refusal);
        s_left = -1;
        bool failed = s_failed;
        if (!ledger && refusal.code != STELE_ENO_MEMORY)
            fail_msg ("at %ld: %d %s", number, refusal.code, refusal.message);
        stele_ledger_close (&ledger);
        ledger = stele_ledger_open (path, STELE_CHECK_NONE, &refusal);
        if (!ledger)
            fail_msg ("at %ld: %s", number, refusal.message);
        stele_ledger_close (&ledger);
        static const char *const suffixes [] = { "", "-wal", "-shm", ".lock", ".high-water", ".high-water.new" };
        for (size_t i = 0; i < sizeof suffixes / sizeof suffixes [0]; i++) {
            snprintf (path, sizeof path, "%s/new%s", self->folder, suffixes [i]);
            unlink (path);
        }
        s_failed = failed;
    } while (s_failed);
    assert_true (number > 200);
}

//  -- reading --------------------------------------------------------------------------

static int
s_pack_row (const stele_record_t *row, void *arg)
{
    stele_record_pack (row, arg);
    return stele_pack_failed (arg)? STELE_ENO_MEMORY: 0;
}

static int
s_pack_group (const stele_report_group_t *group, void *arg)
{
    stele_pack_integer (arg, (int64_t) group->name.size);
    stele_pack_integer (arg, group->now + group->completed + group->failed + group->run_us.p99);
    return stele_pack_failed (arg)? STELE_ENO_MEMORY: 0;
}

//  Lists in several orders, as they are, as they were and by a search, and reports
static int64_t
s_ask_lists (stele_reader_t *reader, stele_pack_t *pack)
{
    int64_t rc = 0;
    stele_page_t page;
    stele_report_end_t end;
    for (int order = STELE_ORDER_CREATED_DESC; order <= STELE_ORDER_COMPLETED_ASC && rc >= 0; order++)
        for (int at = 0; at < 2 && rc >= 0; at++) {
            stele_filter_t filter = { .limit = 100, .order = (stele_order_t) order, .position = at * 6 };
            rc = stele_reader_tasks (reader, &filter, s_pack_row, pack, &page);
        }
    static const char *const searched [] = { "late", "f81d4", "\"the same words\" ov*", LONGER };
    for (size_t i = 0; i < sizeof searched / sizeof searched [0] && rc >= 0; i++) {
        stele_filter_t filter = { .limit = 100, .search = { searched [i], strlen (searched [i]) } };
        rc = stele_reader_tasks (reader, &filter, s_pack_row, pack, &page);
    }
    for (int by = STELE_REPORT_STATE; by <= STELE_REPORT_ERROR && rc >= 0; by++) {
        stele_report_t report = { .by = (stele_report_by_t) by, .groups = 10, .slowest = 3 };
        rc = stele_reader_report (reader, &report, s_pack_group, s_pack_row, pack, &end);
    }
    return rc;
}

//  All kinds of questions; what was answered is packed one after the other.
static int
s_ask (const char *path, stele_pack_t *pack)
{
    stele_refusal_t refusal = { 0 };
    stele_reader_t *reader = stele_reader_open (path, &refusal);
    if (!reader)
        return refusal.code;
    stele_span_t states = { "new", 3 };
    stele_chain_filter_t chain = { .limit = 100 };
    stele_chain_filter_t metrics = { .limit = 100, .names = &states, .name_count = 1 };
    stele_filter_t filter = { .limit = 100 };
    int64_t next;
    stele_page_t page;
    int64_t rc = stele_reader_events (reader, 0, 100, 0, s_pack_row, pack);
    if (rc >= 0)
        rc = stele_reader_task (reader, "t", 1, s_pack_row, pack);
    if (rc >= 0)
        rc = stele_reader_task (reader, UUID, strlen (UUID), s_pack_row, pack);
    if (rc >= 0)
        rc = stele_reader_task_at (reader, "t", 1, 4, 0, s_pack_row, pack);
    for (int kind = 0; kind < 3 && rc >= 0; kind++)
        rc = stele_reader_chain (reader, (stele_chain_t) kind, "t", 1, &chain, s_pack_row, pack, &next);
    if (rc >= 0)
        rc = stele_reader_chain (reader, STELE_CHAIN_METRICS, "t", 1, &metrics, s_pack_row, pack, &next);
    if (rc >= 0)
        rc = stele_reader_tasks (reader, &filter, s_pack_row, pack, &page);
    if (rc >= 0)
        rc = s_ask_lists (reader, pack);
    if (rc >= 0)
        rc = stele_reader_sessions (reader, ~0u, (stele_span_t) { NULL, 0 }, 0, 100, s_pack_row, pack, &next);
    if (rc >= 0)
        rc = stele_reader_preferences (reader, "ann", 3, s_pack_row, pack);
    if (rc >= 0)
        rc = stele_reader_rejected_one (reader, 1, s_pack_row, pack);
    stele_reader_close (&reader);
    return rc < 0? (int) rc: 0;
}

static void
test_memory_short_while_reading_is_an_error_and_no_other_answer (void **state)
{
    fixture_t *self = *state;
    assert_int_equal (s_batch (self), 0);
    stele_pack_t *expected = stele_pack_new ();
    assert_int_equal (s_ask (self->path, expected), 0);
    long number = 0;
    do {
        stele_pack_t *pack = stele_pack_new ();
        number = s_after (number, 7);
        s_fail_at (number);
        int code = s_ask (self->path, pack);
        s_left = -1;
        if (code && (!s_failed || code != STELE_ENO_MEMORY))
            fail_msg ("at %ld: %d", number, code);
        if (code == 0) {
            assert_int_equal (stele_pack_size (pack), stele_pack_size (expected));
            assert_memory_equal (stele_pack_data (pack), stele_pack_data (expected), stele_pack_size (pack));
        }
        stele_pack_destroy (&pack);
    } while (s_failed);
    assert_true (number > 200);
    stele_pack_destroy (&expected);
}

static int
s_count_row (const stele_record_t *row, void *arg)
{
    (void) row;
    ++*(int *) arg;
    return 0;
}

//  A reader of its own for each: what it has prepared once needs no memory again
static void
test_a_reader_reads_on_after_memory_was_short (void **state)
{
    fixture_t *self = *state;
    assert_int_equal (s_batch (self), 0);
    int rows = 0;
    long number = 0;
    do {
        stele_refusal_t refusal;
        stele_reader_t *reader = stele_reader_open (self->path, &refusal);
        assert_non_null (reader);
        s_fail_at (++number);
        if (stele_reader_begin (reader) == 0) {
            stele_reader_task (reader, "t", 1, s_count_row, &rows);
            stele_reader_end (reader);
        }
        s_left = -1;
        assert_int_equal (stele_reader_begin (reader), 0);
        assert_int_equal (stele_reader_task (reader, "t", 1, s_count_row, &rows), 1);
        stele_reader_end (reader);
        stele_reader_close (&reader);
    } while (s_failed);
    assert_true (number > 20);
}

//  -- the index for searches ------------------------------------------------------------

#define INDEXED (STELE_SEARCH_LAG + 40)

static void
s_add_tasks (fixture_t *self)
{
    fixture_begin (self);
    for (int i = 0; i < INDEXED; i++)
        fixture_append (self, "{'type':'task.created','time':%d,'task_id':'%s%d','title':'stone %d','description':'lies','role':'mason'}",
            100 + i, i % 2? "stone-": "f81d4fae-7dec-11d0-a765-00a0c91e", i + 1000, i);
    fixture_commit (self);
}

static void
s_unlink_beside (fixture_t *self, const char *suffix)
{
    static const char *const suffixes [] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < 3; i++) {
        char name [128];
        snprintf (name, sizeof name, "%s%s%s", self->path, suffix, suffixes [i]);
        unlink (name);
    }
}

static void
s_unlink_index (fixture_t *self)
{
    s_unlink_beside (self, STELE_SEARCH_SUFFIX);
}

//  Open the index, and index what there is. 0 or an error.
static int
s_index (fixture_t *self)
{
    stele_refusal_t refusal = { 0 };
    stele_text_index_t *search = stele_text_index_open (self->path, self->reader, &refusal);
    if (!search)
        return refusal.code;
    int64_t count = stele_text_index_follow (search, INDEXED);
    if (count < 0)
        assert_string_not_equal (stele_text_index_error (search), "");
    stele_text_index_close (&search);
    return count < 0? (int) count: 0;
}

static int64_t
s_search (fixture_t *self, const char *text, stele_pack_t *pack)
{
    stele_page_t page;
    stele_filter_t filter = { .limit = 1000, .search = { text, strlen (text) } };
    return stele_reader_tasks (self->reader, &filter, s_pack_row, pack, &page);
}

static void
test_memory_short_while_indexing_or_searching_finds_no_less (void **state)
{
    fixture_t *self = *state;
    s_add_tasks (self);
    stele_pack_t *expected = stele_pack_new (), *pack = stele_pack_new ();
    static const char *const searched [] = { "stone", "stone 33", "one-11", "a765-00a0" };
    for (size_t i = 0; i < 4; i++) {
        stele_pack_clear (expected);
        assert_true (s_search (self, searched [i], expected) >= 0);
        long number = 0;
        do {
            number = s_after (number, 97);
            s_fail_at (number);
            int64_t code = s_index (self);
            s_left = -1;
            if (code && (!s_failed || code != STELE_ENO_MEMORY))
                fail_msg ("index, at %ld: %ld", number, (long) code);
            s_fail_at (number);
            stele_pack_clear (pack);
            code = s_search (self, searched [i], pack);
            s_left = -1;
            if (code < 0 && (!s_failed || code != STELE_ENO_MEMORY))
                fail_msg ("search, at %ld: %ld", number, (long) code);
            if (code >= 0) {
                assert_int_equal (stele_pack_size (pack), stele_pack_size (expected));
                assert_memory_equal (stele_pack_data (pack), stele_pack_data (expected), stele_pack_size (pack));
            }
        } while (s_failed);
        assert_true (number > 200);
    }
    stele_pack_destroy (&pack);
    stele_pack_destroy (&expected);
    s_unlink_index (self);
}

//  Some looks end with their 64th task, others with a MiB of texts
static void
test_texts_of_many_looks_are_all_indexed (void **state)
{
    fixture_t *self = *state;
    char *filler = malloc (30001);
    assert_non_null (filler);
    memset (filler, 'x', 30000);
    filler [30000] = 0;
    fixture_begin (self);
    for (int i = 0; i < INDEXED; i++)
        fixture_append (self, "{'type':'task.created','time':%d,'task_id':'t%d','title':'only%04d','description':'%s end%04d','role':'mason'}",
            100 + i, i, i, i < 200? filler: "short", i);
    fixture_commit (self);
    free (filler);
    //  What is in the index is not looked for in the log
    stele_refusal_t refusal = { 0 };
    stele_text_index_t *search = stele_text_index_open (self->path, self->reader, &refusal);
    assert_non_null (search);
    assert_int_equal (stele_text_index_follow (search, INDEXED), INDEXED);
    assert_int_equal (stele_text_index_position (search), INDEXED);
    stele_text_index_close (&search);
    for (int i = 0; i < INDEXED; i++) {
        char word [20];
        snprintf (word, sizeof word, i % 2? "only%04d": "end%04d", i);
        stele_filter_t filter = { .limit = 1000, .search = { word, strlen (word) } };
        stele_page_t page;
        int found = 0;
        assert_int_equal (stele_reader_tasks (self->reader, &filter, s_count_row, &found, &page), 0);
        assert_int_equal (found, 1);
    }
    s_unlink_index (self);
}

//  -- the counts over time ------------------------------------------------------------------

//  Count what there is. 0 or an error.
static int
s_count_events (fixture_t *self)
{
    stele_refusal_t refusal = { 0 };
    stele_rollup_t *rollup = stele_rollup_open (self->path, self->reader, &refusal);
    if (!rollup)
        return refusal.code;
    int64_t count = stele_rollup_follow (rollup, stele_reader_head (self->reader));
    if (count < 0)
        assert_string_not_equal (stele_rollup_error (rollup), "");
    stele_rollup_close (&rollup);
    return count < 0? (int) count: 0;
}

typedef struct { int64_t series, points, created, failed; } s_sums_t;

static int
s_sum_head (const stele_series_head_t *head, void *arg)
{
    s_sums_t *sums = arg;
    sums->series++;
    sums->created += head->total.created;
    sums->failed += head->total.count;
    return 0;
}

static int
s_sum_point (const stele_series_point_t *point, void *arg)
{
    s_sums_t *sums = arg;
    sums->points++;
    sums->created += point->created * 1000;
    sums->failed += point->count * 1000;
    return 0;
}

static int
s_sum_series (fixture_t *self, stele_series_by_t by, s_sums_t *sums)
{
    stele_series_t ask = { .by = by, .step = STELE_STEP_DAY, .to_us = 1000000, .limit = 2 };
    stele_series_end_t end;
    stele_refusal_t refusal = { 0 };
    *sums = (s_sums_t) { 0 };
    return stele_reader_series (self->reader, &ask, s_sum_head, s_sum_point, sums, &end, &refusal);
}

static void
test_memory_short_while_counting_counts_all_or_nothing (void **state)
{
    static const s_sums_t expected [] = {
        [STELE_SERIES_ALL] = { 1, 1, 30030, 0 }, [STELE_SERIES_ROLE] = { 3, 3, 30030, 0 },
        [STELE_SERIES_FINGERPRINT] = { 1, 1, 0, 15015 }
    };
    static const stele_series_by_t by [] = { STELE_SERIES_ALL, STELE_SERIES_ROLE, STELE_SERIES_FINGERPRINT };
    fixture_t *self = *state;
    fixture_begin (self);
    for (int i = 0; i < 30; i++) {
        fixture_append (self, "{'type':'task.created','time':%d,'task_id':'t%d','title':'t','description':'d','role':'r%d'}",
            100 + i, i, i % 4);
        if (i % 2)
            fixture_append (self, "{'type':'task.state_changed','time':%d,'task_id':'t%d','state':'failed','error_message':'no %d'}",
                100 + i, i, i);
    }
    fixture_commit (self);
    long number = 0;
    do {
        number = s_after (number, 97);
        s_unlink_beside (self, STELE_ROLLUP_SUFFIX);
        s_fail_at (number);
        int code = s_count_events (self);
        s_left = -1;
        if (code && (!s_failed || code != STELE_ENO_MEMORY))
            fail_msg ("count, at %ld: %d", number, code);
        bool failed = s_failed;
        assert_int_equal (s_count_events (self), 0);
        for (size_t i = 0; i < sizeof by / sizeof by [0]; i++) {
            s_sums_t sums;
            s_fail_at (number);
            code = s_sum_series (self, by [i], &sums);
            s_left = -1;
            failed |= s_failed;
            if (code && (!s_failed || code != STELE_ENO_MEMORY))
                fail_msg ("series, at %ld: %d", number, code);
            if (code == 0)
                assert_memory_equal (&sums, &expected [by [i]], sizeof sums);
        }
        s_failed = failed;
    } while (s_failed);
    assert_true (number > 200);
    s_unlink_beside (self, STELE_ROLLUP_SUFFIX);
}

//  -- the wire ---------------------------------------------------------------------------

//  JSON to an event, its record, msgpack, and JSON again. 0 with the text, or an error.
static int
s_round (const char *json, stele_record_t *record, stele_pack_t *pack, char **text)
{
    stele_refusal_t refusal = { 0 };
    stele_pack_clear (pack);
    stele_record_clear (record);
    int code = stele_json_parse_pack (json, strlen (json), pack, &refusal);
    if (code == 0)
        code = stele_event_decode_restored (stele_pack_data (pack), stele_pack_size (pack), record, &refusal);
    if (code == 0)
        code = stele_record_own (record);
    if (code)
        return code;
    stele_pack_clear (pack);
    stele_record_pack (record, pack);
    if (stele_pack_failed (pack))
        return STELE_ENO_MEMORY;
    *text = stele_json_print (stele_pack_data (pack), stele_pack_size (pack), true);
    return *text? 0: STELE_ENO_MEMORY;
}

static void
test_memory_short_on_the_wire_is_an_error_and_no_other_event (void **state)
{
    (void) state;
    for (int i = 0; i < ALL; i++) {
        char json [8192];
        snprintf (json, sizeof json, "%s", s_text (i));
        for (char *byte = json; *byte; byte++)
            if (*byte == '\'')
                *byte = '"';
        char *expected = NULL;
        stele_record_t *record = stele_record_new ();
        stele_pack_t *pack = stele_pack_new ();
        assert_int_equal (s_round (json, record, pack, &expected), 0);
        long number = 0;
        do {
            //  New ones: memory that is kept for the next use would hide allocations
            stele_record_destroy (&record);
            stele_pack_destroy (&pack);
            record = stele_record_new ();
            pack = stele_pack_new ();
            char *text = NULL;
            s_fail_at (++number);
            int code = s_round (json, record, pack, &text);
            s_left = -1;
            if (code && (!s_failed || code != STELE_ENO_MEMORY))
                fail_msg ("event %d at %ld: %d", i, number, code);
            if (code == 0)
                assert_string_equal (text, expected);
            free (text);
        } while (s_failed);
        assert_true (number > 5);
        free (expected);
        stele_record_destroy (&record);
        stele_pack_destroy (&pack);
    }
}

static void
test_memory_short_makes_no_object (void **state)
{
    (void) state;
    s_fail_at (1);
    stele_record_t *record = stele_record_new ();
    s_fail_at (1);
    stele_pack_t *pack = stele_pack_new ();
    s_left = -1;
    assert_null (record);
    assert_null (pack);
}

int
main (void)
{
    s_hook ();
    s_pack_all ();
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_memory_short_makes_no_object),
        cmocka_unit_test (test_memory_short_on_the_wire_is_an_error_and_no_other_event),
        cmocka_unit_test (test_memory_short_in_a_batch_stores_all_or_nothing),
        cmocka_unit_test_setup_teardown (test_memory_short_while_opening_leaves_the_ledger_alone,
            fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_memory_short_while_creating_leaves_what_can_be_opened,
            fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_memory_short_while_reading_is_an_error_and_no_other_answer,
            fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_a_reader_reads_on_after_memory_was_short, fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_texts_of_many_looks_are_all_indexed, fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_memory_short_while_counting_counts_all_or_nothing,
            fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_memory_short_while_indexing_or_searching_finds_no_less,
            fixture_new, fixture_destroy)
    };
    int failed = cmocka_run_group_tests (tests, NULL, NULL);
    for (int i = 0; i < ALL; i++)
        stele_pack_destroy (&s_packed [i]);
    return failed;
}
