/*  ledger_fixture - a ledger in a temporary folder, events and rows as JSON

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef LEDGER_FIXTURE_H_INCLUDED
#define LEDGER_FIXTURE_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>
#include "ledger/ledger.h"
#include "ledger/reader.h"
#include "sqlite/sql/sql.h"
#include "wire/event/event_codec.h"
#include "wire/json/json.h"

typedef struct {
    char folder [64];
    char path [96];
    stele_ledger_t *ledger;
    stele_reader_t *reader;
    stele_pack_t *pack;
    stele_record_t *event;
    bool in_batch;
    int64_t clock;                  // Of commits
} fixture_t;

static inline int
fixture_new (void **state)
{
    fixture_t *self = calloc (1, sizeof *self);
    assert_non_null (self);
    strcpy (self->folder, "/tmp/stele-test-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->path, sizeof self->path, "%s/ledger", self->folder);
    stele_refusal_t refusal = { 0 };
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_NONE, &refusal);
    assert_string_equal (refusal.message, "");
    self->reader = stele_reader_open (self->path, &refusal);
    assert_string_equal (refusal.message, "");
    assert_non_null (self->reader);
    self->pack = stele_pack_new ();
    self->event = stele_record_new ();
    *state = self;
    return 0;
}

static inline int
fixture_destroy (void **state)
{
    fixture_t *self = *state;
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    static const char *const suffixes [] = { "", "-wal", "-shm", ".lock", ".high-water" };
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes [0]; i++) {
        char name [128];
        snprintf (name, sizeof name, "%s%s", self->path, suffixes [i]);
        unlink (name);
    }
    assert_int_equal (rmdir (self->folder), 0);
    stele_record_destroy (&self->event);
    stele_pack_destroy (&self->pack);
    free (self);
    return 0;
}

static inline void
fixture_begin (fixture_t *self)
{
    assert_int_equal (stele_ledger_begin (self->ledger), 0);
    self->in_batch = true;
}

static inline void
fixture_commit (fixture_t *self)
{
    self->clock += 1000;
    assert_int_equal (stele_ledger_commit (self->ledger, self->clock), 0);
    self->in_batch = false;
}

//  JSON text, with ' for ", into an event; also one that only the broker makes.
static inline void
fixture_decode (fixture_t *self, char *text)
{
    for (char *byte = text; *byte; byte++)
        if (*byte == '\'')
            *byte = '"';
    stele_refusal_t refusal = { 0 };
    stele_pack_clear (self->pack);
    stele_record_clear (self->event);
    bool of_broker = strstr (text, "\"audit.recorded\"") != NULL;
    if (stele_json_parse_pack (text, strlen (text), self->pack, &refusal)
    ||  (of_broker? stele_event_decode_restored: stele_event_decode_record) (stele_pack_data (self->pack),
            stele_pack_size (self->pack), self->event, &refusal))
        fail_msg ("%s: %s", refusal.message, text);
}

//  Append one event, in a batch of its own unless one is open. Returns its position.
static inline int64_t
fixture_append (fixture_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));
static inline int64_t
fixture_append (fixture_t *self, const char *format, ...)
{
    char text [65536];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    fixture_decode (self, text);
    bool alone = !self->in_batch;
    if (alone)
        fixture_begin (self);
    int64_t position = 0;
    stele_refusal_t refusal = { 0 };
    int rc = stele_ledger_append (self->ledger, self->event, 0, &position, &refusal);
    if (rc != 1)
        fail_msg ("append: %d %s: %s", rc, refusal.message, text);
    if (alone)
        fixture_commit (self);
    return position;
}

//  A record as JSON. Caller owns it.
static inline json_t *
fixture_json (const stele_record_t *record)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_record_pack (record, pack);
    char *text = stele_json_print (stele_pack_data (pack), stele_pack_size (pack), false);
    assert_non_null (text);
    json_t *json = json_loads (text, JSON_ALLOW_NUL, NULL);
    assert_non_null (json);
    free (text);
    stele_pack_destroy (&pack);
    return json;
}

//  Row function: into the array
static inline int
fixture_add (const stele_record_t *row, void *array)
{
    json_array_append_new (array, fixture_json (row));
    return 0;
}

//  Assert that the JSON equals that text (with ' for ")
static inline void
fixture_assert_json (const json_t *json, const char *expected)
{
    char *text = json_dumps (json, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
    char *copy = strdup (expected);
    for (char *byte = copy; *byte; byte++)
        if (*byte == '\'')
            *byte = '"';
    json_t *wanted = json_loads (copy, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    free (copy);
    assert_non_null (wanted);
    char *wanted_text = json_dumps (wanted, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal (text, wanted_text);
    free (text);
    free (wanted_text);
    json_decref (wanted);
}

//  The log as a JSON array. Caller owns it.
static inline json_t *
fixture_events (fixture_t *self, int64_t after, int64_t limit, uint32_t types)
{
    json_t *events = json_array ();
    assert_int_equal (stele_reader_events (self->reader, after, limit, types, fixture_add, events), 0);
    return events;
}

//  Assert that one event equals that text
static inline void
fixture_assert_event (fixture_t *self, int64_t position, const char *expected)
{
    json_t *events = fixture_events (self, position - 1, 1, 0);
    assert_int_equal (json_array_size (events), 1);
    fixture_assert_json (json_array_get (events, 0), expected);
    json_decref (events);
}

//  The integer that a statement returns on a connection of its own; -1: none
static inline int64_t
fixture_ask (const fixture_t *self, const char *sql)
{
    sqlite3 *db;
    assert_int_equal (sqlite3_open_v2 (self->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    int64_t answer = stele_sql_integer (db, sql, -1);
    sqlite3_close (db);
    return answer;
}

static inline void
fixture_assert_intact (const fixture_t *self)
{
    assert_int_equal (fixture_ask (self, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}

//  A row function that ends the read with the given value.
static inline int
fixture_stop (const stele_record_t *row, void *arg)
{
    (void) row;
    return *(int *) arg;
}

//  Every event type with every field, extra keys, and values that JSON or SQL could damage
static const char *const fixture_events_all [] __attribute__ ((unused)) = {
    "{'type':'task.created','time':1,'user_id':'ann','task_id':'t','title':'T\\u0000\\u20ac\\ud83d\\ude00','description':'',"
        "'role':'builder','state':'starting','provider':'p','model':'m','branch':'b','worktree_path':'/w',"
        "'base_branch':'main','commit_hash':'c0','target_dir':'d','full_access':true,'provider_override':'o',"
        "'repository_url':'u','acceptance_criteria':{'z':[1,null],'a':{'$bin':'AP8='}},'metadata':{},"
        "'parent_id':'top','color':'red','nested':{'null':null}}",
    "{'type':'task.created','time':2,'task_id':'plain','title':'P','description':'D','role':'r','state':'queued'}",
    "{'type':'task.updated','time':3,'task_id':'t','title':'new\\u0000\\n\\\\\\u0001','role':'tester','state':'running','full_access':false,"
        "'model':'m2','metadata':{'b':1},'note':'why'}",
    "{'type':'task.state_changed','time':4,'task_id':'t','state':'failed','provider':'p2','model':'m3',"
        "'error_message':'it broke','details':{'code':{'$uint':'18446744073709551615'}},'x':1}",
    "{'type':'task.state_changed','time':5,'task_id':'t','state':'queued','user_id':'default'}",
    "{'type':'task.output_added','time':6,'task_id':'t','output_type':'stdout','content':'','file_path':'f',"
        "'file_size':0,'mime_type':'text/plain','commit_hash':'c1','branch':'b2','y':[]}",
    "{'type':'task.output_added','time':7,'task_id':'t','output_type':'artifact','content':{'$bin':'AAH/'}}",
    "{'type':'task.metric_recorded','time':8,'task_id':'t','name':'n','value':{'$uint':'18446744073709551615'},'unit':'B'}",
    "{'type':'task.metric_recorded','time':9,'task_id':'t','name':'n','value':{'$float':'NaN'}}",
    "{'type':'task.metric_recorded','time':10,'task_id':'t','name':'n','value':{'$float':'-Infinity'}}",
    "{'type':'task.metric_recorded','time':11,'task_id':'t','name':'n','value':-9223372036854775808}",
    "{'type':'task.metric_recorded','time':12,'task_id':'t','name':'n','value':2.0,'k':'v'}",
    "{'type':'session.started','time':13,'session_id':'s','cli_tool':'c','mode':'m','current_directory':'/',"
        "'state':'running','pid':9223372036854775807,'authentication_required':true,'auth_prompt':'?','task_id':'t',"
        "'user_id':'bob','more':{'null':null}}",
    "{'type':'session.started','time':14,'session_id':'s2','cli_tool':'','mode':'m','current_directory':'/'}",
    "{'type':'session.state_changed','time':15,'session_id':'s','state':'processing','q':2}",
    "{'type':'session.command_executed','time':16,'session_id':'s','command':'ls','output':'a\\nb',"
        "'execution_time_ms':1.5,'exit_code':-1,'w':'v'}",
    "{'type':'session.command_executed','time':17,'session_id':'s','command':''}",
    "{'type':'preference.set','time':18,'user_id':'ann','preferred_provider':'p','preferred_model':'m',"
        "'full_access_preferred':true,'role_preferences':{'builder':'p'},'v':1}",
    "{'type':'preference.set','time':19,'full_access_preferred':false}",
    "{'type':'audit.recorded','time':20,'user_id':'ann','details':{'a':[1]},'who':'key','operation':'mode','target':'dual',"
        "'peer':'::1','outcome':'unavailable','request_id':'r','count':2,'imported':true,'z':null}",
    "{'type':'audit.recorded','time':21,'who':'local','operation':'recover','outcome':'ok'}"
};
#define FIXTURE_EVENTS_ALL ((int) (sizeof fixture_events_all / sizeof fixture_events_all [0]))


#endif
