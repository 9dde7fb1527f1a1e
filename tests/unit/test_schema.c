/*  test_schema - ledgers of earlier versions are migrated: old rows read the same, new ones can be written

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <malloc.h>
#include "sqlite/sql/schema.h"
#include "ledger_fixture.h"

#define EARLIER 2                   // Its columns of long texts took nothing but TEXT

static void
s_exec (sqlite3 *db, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    char *sql = sqlite3_vmprintf (format, args);
    va_end (args);
    char *error = NULL;
    if (sqlite3_exec (db, sql, NULL, NULL, &error))
        fail_msg ("%s: %s", sql, error);
    sqlite3_free (sql);
}

//  Columns of the event tables whose declared type is that
static int64_t
s_count_columns (const fixture_t *self, const char *type)
{
    char sql [300];
    snprintf (sql, sizeof sql, "SELECT count (*) FROM sqlite_schema s JOIN pragma_table_info (s.name) c"
        " WHERE s.type = 'table' AND c.type = '%s' AND c.name IN ('extra', 'changes', 'replaced', 'error_message',"
        " 'fields')", type);
    return fixture_ask (self, sql);
}

//  The fixture's ledger as that version would have it, in its place
static void
s_become_earlier (fixture_t *self)
{
    char earlier [128];
    snprintf (earlier, sizeof earlier, "%s.earlier", self->path);
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    sqlite3 *db;
    assert_int_equal (sqlite3_open (earlier, &db), SQLITE_OK);
    for (const stele_migration_t *m = stele_schema; m->version && m->version <= EARLIER; m++)
        s_exec (db, "%s", m->sql);
    s_exec (db, "PRAGMA application_id = %d; PRAGMA user_version = %d; ATTACH %Q AS now",
        STELE_APPLICATION_ID, EARLIER, self->path);
    static const char *const repeated [] = { "base_branch", "target_dir", "provider_override", "repository_url" };
    for (size_t i = 0; i < 4; i++)
        s_exec (db, "INSERT OR IGNORE INTO now.words (word) SELECT %s FROM now.tasks WHERE typeof (%s) = 'text';"
            "UPDATE now.tasks SET %s = (SELECT id FROM now.words WHERE word = %s) WHERE typeof (%s) = 'text'",
            repeated [i], repeated [i], repeated [i], repeated [i], repeated [i]);
    sqlite3_stmt *tables;
    assert_int_equal (sqlite3_prepare_v2 (db, "SELECT s.name, group_concat (c.name) FROM main.sqlite_schema s"
        " JOIN pragma_table_info (s.name, 'main') c WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite%' GROUP BY 1",
        -1, &tables, NULL), SQLITE_OK);
    while (sqlite3_step (tables) == SQLITE_ROW) {
        const char *name = (const char *) sqlite3_column_text (tables, 0);
        const char *columns = (const char *) sqlite3_column_text (tables, 1);
        s_exec (db, "DELETE FROM main.%s; INSERT INTO main.%s (%s) SELECT %s FROM now.%s", name, name, columns, columns,
            name);
    }
    sqlite3_finalize (tables);
    //  An interruption was an error of the task
    s_exec (db, "UPDATE main.task_states SET error_count = error_count + (SELECT count (*) FROM main.task_history h"
        " WHERE h.position - h.task_back = task AND h.kind = 4 AND h.error_message IS NOT NULL)");
    assert_int_equal (sqlite3_close (db), SQLITE_OK);
    assert_int_equal (rename (earlier, self->path), 0);
}

static void
s_open (fixture_t *self)
{
    stele_refusal_t refusal = { 0 };
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_FULL, &refusal);
    assert_string_equal (refusal.message, "");
    self->reader = stele_reader_open (self->path, &refusal);
    assert_string_equal (refusal.message, "");
}

//  Texts that pay to compress, in every column that takes a frame
static void
s_append_long (fixture_t *self, int time)
{
    char words [6000] = "";
    for (size_t size = 0; size + 60 < sizeof words; size = strlen (words))
        snprintf (words + size, sizeof words - size, "module %zu not found in path; ", size);
    fixture_append (self, "{'type':'task.updated','time':%d,'task_id':'long','metadata':{'a':'%.1500s'},'own':'%.600s'}", time, words, words);
    fixture_append (self, "{'type':'task.updated','time':%d,'task_id':'long','metadata':{'b':'%.1500s'}}", time + 1, words);
    fixture_append (self, "{'type':'task.created','time':%d,'task_id':'long','title':'t','description':'%.600s','role':'r',"
        "'metadata':{'c':'%.1500s'}}", time + 2, words, words);
    fixture_append (self, "{'type':'task.state_changed','time':%d,'task_id':'long','state':'failed','error_message':'%.2000s'}", time + 3, words);
    fixture_append (self, "{'type':'task.output_added','time':%d,'task_id':'long','output_type':'log','content':'%.900s','own':'%.600s'}",
        time + 4, words, words);
    fixture_append (self, "{'type':'task.metric_recorded','time':%d,'task_id':'long','name':'n','value':1,'own':'%.600s'}", time + 5, words);
    fixture_append (self, "{'type':'session.started','time':%d,'session_id':'long','cli_tool':'c','mode':'m','current_directory':'/%.900s',"
        "'own':'%.600s'}", time + 6, words, words);
    fixture_append (self, "{'type':'session.command_executed','time':%d,'session_id':'long','command':'%.900s','output':'%.900s',"
        "'own':'%.600s'}", time + 7, words, words + 7, words);
    fixture_append (self, "{'type':'preference.set','time':%d,'user_id':'u','role_preferences':{'r':'%.900s'},'own':'%.600s'}", time + 8, words, words);
    fixture_append (self, "{'type':'audit.recorded','time':%d,'who':'w','operation':'o','outcome':'ok','own':'%.600s'}", time + 9, words);
}

//  Columns that have frames
static int64_t
s_count_frames (const fixture_t *self)
{
    static const char *const columns [] [2] = {
        { "task_history", "error_message" }, { "task_history", "changes" }, { "task_history", "replaced" },
        { "task_history", "extra" }, { "task_outputs", "extra" }, { "task_metrics", "extra" },
        { "cli_session_history", "fields" }, { "cli_session_history", "extra" },
        { "cli_session_commands", "extra" }, { "user_preference_history", "fields" },
        { "user_preference_history", "extra" }, { "audit_events", "extra" }
    };
    int64_t with = 0;
    for (size_t i = 0; i < sizeof columns / sizeof columns [0]; i++) {
        char sql [200];
        snprintf (sql, sizeof sql, "SELECT count (*) > 0 FROM %s WHERE typeof (%s) = 'blob'", columns [i] [0], columns [i] [1]);
        int64_t has = fixture_ask (self, sql);
        assert_true (has >= 0);
        with += has;
    }
    return with;
}

#define FRAME_COLUMNS 12
#define EARLIER_COLUMNS 11              // The earlier ledger had no audit_events

static void
test_schema_of_a_new_ledger_takes_frames_everywhere (void **state)
{
    fixture_t *self = *state;
    assert_int_equal (s_count_columns (self, "ANY"), FRAME_COLUMNS);
    assert_int_equal (s_count_columns (self, "TEXT"), 0);
    s_append_long (self, 100);
    assert_int_equal (s_count_frames (self), FRAME_COLUMNS);
    fixture_assert_intact (self);
}

static void
test_schema_of_an_earlier_ledger_is_migrated_and_all_is_there (void **state)
{
    fixture_t *self = *state;
    for (int i = 0; i < FIXTURE_EVENTS_ALL; i++)
        if (!strstr (fixture_events_all [i], "audit.recorded"))
            fixture_append (self, "%s", fixture_events_all [i]);
    json_t *before = fixture_events (self, 0, 1000, 0);
    s_become_earlier (self);
    assert_int_equal (s_count_columns (self, "TEXT"), EARLIER_COLUMNS);
    s_open (self);
    assert_int_equal (s_count_columns (self, "TEXT"), 0);
    json_t *after = fixture_events (self, 0, 1000, 0);
    assert_true (json_equal (before, after));
    json_decref (before);
    json_decref (after);

    //  Old and new rows of one column, also after another start
    s_append_long (self, 200);
    assert_int_equal (s_count_frames (self), FRAME_COLUMNS);
    before = fixture_events (self, 0, 1000, 0);
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    s_open (self);
    after = fixture_events (self, 0, 1000, 0);
    assert_true (json_equal (before, after));
    json_decref (before);
    json_decref (after);
    fixture_assert_intact (self);
}

static json_t *
s_tasks (fixture_t *self)
{
    json_t *rows = json_array ();
    int64_t next;
    assert_int_equal (stele_reader_table (self->reader, STELE_TABLE_TASKS, 0, INT64_MAX, 100, fixture_add, rows, &next), 0);
    return rows;
}

static void
test_schema_migration_counts_interruptions_and_retries (void **state)
{
    fixture_t *self = *state;
    static const char *const states [] [7] = {
        { "running", "failed", "queued", "running", "failed", "queued", NULL },
        { "running", "running", NULL }, { "passed", NULL }, { "queued", "cancelled", "queued", NULL }
    };
    for (int task = 0; task < 4; task++)
        for (int i = 0; states [task] [i]; i++)
            fixture_append (self, "{'type':'task.state_changed','time':%d,'task_id':'t%d','state':'%s'%s}", i + 1, task,
                states [task] [i], strcmp (states [task] [i], "failed") == 0? ",'error_message':'mine'": "");
    for (int i = 0; i < 3; i++) {
        fixture_begin (self);
        assert_int_equal (stele_ledger_interrupt (self->ledger, -1, "gone", 20 + i, INT64_MAX), 1);
        fixture_commit (self);
        fixture_append (self, "{'type':'task.state_changed','time':%d,'task_id':'t1','state':'%s'}", 20 + i,
            i == 1? "queued": "running");
        if (i == 1)
            fixture_append (self, "{'type':'task.state_changed','time':%d,'task_id':'t1','state':'running'}", 20 + i);
    }
    json_t *before = s_tasks (self);
    const json_t *mixed = json_array_get (before, 1);
    assert_int_equal (json_integer_value (json_object_get (mixed, "interruptions")), 3);
    assert_int_equal (json_integer_value (json_object_get (mixed, "attempt")), 2);
    assert_int_equal (json_integer_value (json_object_get (mixed, "error_count")), 0);
    s_become_earlier (self);
    s_open (self);
    json_t *after = s_tasks (self);
    assert_true (json_equal (after, before));
    json_decref (before);
    json_decref (after);
    fixture_assert_intact (self);
}

static void
s_assert_length (const json_t *event, const char *field, const char *inner, size_t length)
{
    const json_t *value = json_object_get (event, field);
    assert_int_equal (json_string_length (inner? json_object_get (value, inner): value), length);
}

//  What four tasks say of folders; the second and the third time a text becomes a word
static void
test_schema_texts_become_words_where_they_repeat (void **state)
{
    fixture_t *self = *state;
    static const char *const folders [] = { "/own/1", "/shared", "/shared", "/shared", "7", "" };
    for (int i = 0; i < 6; i++)
        fixture_append (self, "{'type':'task.created','time':%d,'task_id':'t%d','title':'t','description':'d','role':'r',"
            "'target_dir':'%s'}", i + 1, i, folders [i]);
    //  An update says nothing new of it
    fixture_append (self, "{'type':'task.updated','time':9,'task_id':'t0','title':'u'}");
    fixture_append (self, "{'type':'task.updated','time':9,'task_id':'t0','title':'v'}");
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM words WHERE word = '/shared'"), 1);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM words WHERE word IN ('/own/1', '7')"), 0);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM tasks WHERE typeof (target_dir) = 'integer'"), 2);
    for (int round = 0; round < 2; round++) {
        json_t *rows = json_array ();
        for (int i = 0; i < 6; i++) {
            char id [8];
            snprintf (id, sizeof id, "t%d", i);
            assert_int_equal (stele_reader_task (self->reader, id, 2, fixture_add, rows), 1);
            assert_string_equal (json_string_value (json_object_get (json_array_get (rows, (size_t) i), "target_dir")), folders [i]);
        }
        json_decref (rows);
        //  Once more when all of them have been written again
        for (int i = 0; i < 6 && round == 0; i++)
            fixture_append (self, "{'type':'task.updated','time':10,'task_id':'t%d','description':'e'}", i);
    }
    //  A word stays one after a start, which remembers none
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    s_open (self);
    for (int i = 0; i < 6; i++)
        fixture_append (self, "{'type':'task.updated','time':11,'task_id':'t%d','description':'f'}", i);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM tasks WHERE typeof (target_dir) = 'integer'"), 3);
    assert_int_equal (fixture_ask (self, "SELECT count (*) FROM words WHERE word IN ('/own/1', '7')"), 0);
    json_t *events = fixture_events (self, 0, 6, 0);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal (json_string_value (json_object_get (json_array_get (events, i), "target_dir")), folders [i]);
    json_decref (events);
}

static void
test_schema_frames_are_read_back_as_they_came (void **state)
{
    fixture_t *self = *state;
    s_append_long (self, 100);
    json_t *events = fixture_events (self, 0, 1000, 0);
    assert_int_equal (json_array_size (events), 10);
    s_assert_length (json_array_get (events, 0), "metadata", "a", 1500);
    s_assert_length (json_array_get (events, 0), "own", NULL, 600);
    s_assert_length (json_array_get (events, 1), "metadata", "b", 1500);
    s_assert_length (json_array_get (events, 2), "metadata", "c", 1500);
    s_assert_length (json_array_get (events, 3), "error_message", NULL, 2000);
    s_assert_length (json_array_get (events, 4), "own", NULL, 600);
    s_assert_length (json_array_get (events, 4), "content", NULL, 900);
    s_assert_length (json_array_get (events, 5), "own", NULL, 600);
    s_assert_length (json_array_get (events, 6), "current_directory", NULL, 901);
    s_assert_length (json_array_get (events, 7), "command", NULL, 900);
    s_assert_length (json_array_get (events, 7), "output", NULL, 900);
    s_assert_length (json_array_get (events, 7), "own", NULL, 600);
    s_assert_length (json_array_get (events, 8), "role_preferences", "r", 900);
    s_assert_length (json_array_get (events, 9), "own", NULL, 600);
    assert_string_not_equal (json_string_value (json_object_get (json_array_get (events, 7), "output")),
        json_string_value (json_object_get (json_array_get (events, 7), "command")));
    json_decref (events);

    //  The task as it is, and as it was; its history says what changed; a list finds its error
    json_t *rows = json_array ();
    assert_int_equal (stele_reader_task (self->reader, "long", 4, fixture_add, rows), 1);
    assert_int_equal (stele_reader_task_at (self->reader, "long", 4, 1, 0, fixture_add, rows), 1);
    s_assert_length (json_array_get (rows, 0), "metadata", "b", 1500);
    s_assert_length (json_array_get (rows, 0), "last_error", NULL, 2000);
    s_assert_length (json_array_get (rows, 1), "metadata", "a", 1500);
    json_array_clear (rows);
    int64_t next;
    stele_page_t page;
    stele_chain_filter_t all = { .limit = 10 };
    assert_int_equal (stele_reader_chain (self->reader, STELE_CHAIN_HISTORY, "long", 4, &all, fixture_add, rows, &next), 1);
    s_assert_length (json_object_get (json_array_get (rows, 1), "changes"), "metadata", "b", 1500);
    json_array_clear (rows);
    //  What a late task.created kept, and what a session began with
    assert_int_equal (stele_reader_task_at (self->reader, "long", 4, 3, 0, fixture_add, rows), 1);
    s_assert_length (json_array_get (rows, 0), "metadata", "b", 1500);
    s_assert_length (json_array_get (rows, 0), "description", NULL, 600);
    assert_int_equal (stele_reader_table (self->reader, STELE_TABLE_SESSIONS, 0, 8, 10, fixture_add, rows, &next), 0);
    s_assert_length (json_array_get (rows, 1), "current_directory", NULL, 901);
    json_array_clear (rows);
    static const char searched [] = "\"module 865 not found\"";
    stele_filter_t filter = { .limit = 10, .search = { searched, sizeof searched - 1 } };
    assert_int_equal (stele_reader_tasks (self->reader, &filter, fixture_add, rows, &page), 0);
    assert_int_equal (json_array_size (rows), 1);
    json_decref (rows);
}

//  An update of 'size' bytes of metadata; 'escaped': as control characters, each six bytes of JSON
static void
s_append_update (fixture_t *self, const char *id, int64_t number, size_t size, bool escaped)
{
    stele_refusal_t refusal = { 0 };
    char *text = malloc (size);
    assert_non_null (text);
    memset (text, escaped? 1: 'x', size);
    stele_pack_clear (self->pack);
    stele_pack_map (self->pack, escaped? 10: 4);
    stele_pack_key_string (self->pack, "type", "task.updated");
    stele_pack_key_string (self->pack, "task_id", id);
    stele_pack_key_integer (self->pack, "time", number);
    if (escaped) {
        static const char *const fields [] = { "branch", "worktree_path", "base_branch", "target_dir", "repository_url",
            "commit_hash" };
        for (size_t i = 0; i < 6; i++) {
            stele_pack_string (self->pack, fields [i]);
            stele_pack_text (self->pack, text, STELE_LIMIT_PATH);
        }
    }
    stele_pack_string (self->pack, escaped? "description": "metadata");
    if (!escaped) {
        stele_pack_map (self->pack, 1);
        stele_pack_string (self->pack, "text");
    }
    stele_pack_text (self->pack, text, size);
    free (text);
    stele_record_clear (self->event);
    assert_int_equal (stele_event_decode_record (stele_pack_data (self->pack), stele_pack_size (self->pack),
        self->event, &refusal), 0);
    int64_t position;
    fixture_begin (self);
    assert_int_equal (stele_ledger_append (self->ledger, self->event, 0, &position, &refusal), 1);
    fixture_commit (self);
}

static int
s_note_description (const stele_record_t *row, void *arg)
{
    *(size_t *) arg = stele_record_has (row, STELE_DESCRIPTION)? row->values [STELE_DESCRIPTION].size: 0;
    return 0;
}

//  More JSON than any content may have: what changed, and then what was replaced
static void
test_schema_the_longest_update_is_read_back (void **state)
{
    fixture_t *self = *state;
    fixture_append (self, "{'type':'task.created','time':1,'task_id':'t','title':'t','description':'d','role':'r'}");
    s_append_update (self, "t", 2, STELE_LIMIT_TEXT, true);
    s_append_update (self, "t", 3, STELE_LIMIT_TEXT, true);
    for (int64_t position = 2; position <= 3; position++) {
        size_t size = 0;
        assert_int_equal (stele_reader_events (self->reader, position - 1, 1, 0, s_note_description, &size), 0);
        assert_int_equal (size, STELE_LIMIT_TEXT);
        assert_int_equal (stele_reader_task_at (self->reader, "t", 1, position, 0, s_note_description, &size), 1);
        assert_int_equal (size, STELE_LIMIT_TEXT);
    }
    fixture_assert_event (self, 1, "{'type':'task.created','time':1,'task_id':'t','title':'t','description':'d','role':'r',"
        "'state':'queued','position':1}");
}

#define UPDATES 300
#define UPDATE_BYTES 200000

static size_t
s_in_use (void)
{
    struct mallinfo2 info = mallinfo2 ();
    return info.uordblks + info.hblkhd;
}

static int
s_note_memory (const stele_record_t *row, void *arg)
{
    (void) row;
    *(size_t *) arg = s_in_use ();
    return 0;
}

//  Not of all of them at once. (Under AddressSanitizer nothing is counted.)
static void
test_schema_a_read_along_many_updates_takes_the_memory_of_some (void **state)
{
    fixture_t *self = *state;
    fixture_append (self, "{'type':'task.created','time':1,'task_id':'t','title':'t','description':'d','role':'r'}");
    for (int i = 0; i < UPDATES; i++)
        s_append_update (self, "t", i + 2, UPDATE_BYTES, false);
    size_t before = s_in_use (), within = 0;
    assert_int_equal (stele_reader_events (self->reader, 0, 1, 0, s_note_memory, &within), 0);
    assert_true (within < before + UPDATES * UPDATE_BYTES / 10);
    assert_int_equal (stele_reader_task_at (self->reader, "t", 1, 3, 0, s_note_memory, &within), 1);
    assert_true (within < before + UPDATES * UPDATE_BYTES / 10);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fixture_new, fixture_destroy)
    const struct CMUnitTest tests [] = {
        TEST (test_schema_of_a_new_ledger_takes_frames_everywhere),
        TEST (test_schema_texts_become_words_where_they_repeat),
        TEST (test_schema_the_longest_update_is_read_back),
        TEST (test_schema_a_read_along_many_updates_takes_the_memory_of_some),
        TEST (test_schema_frames_are_read_back_as_they_came),
        TEST (test_schema_of_an_earlier_ledger_is_migrated_and_all_is_there),
        TEST (test_schema_migration_counts_interruptions_and_retries)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
