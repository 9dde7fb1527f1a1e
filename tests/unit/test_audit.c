/*  test_audit - audit events: their rows, which requests are recorded, refused access

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "broker/common/answer.h"
#include "broker/common/denied.h"
#include "broker/ingest/writer.h"
#include "broker/operations/audit.h"
#include "ledger_fixture.h"

//  -- rows ------------------------------------------------------------------------

static int
s_note_position (const stele_record_t *row, void *arg)
{
    char *text = arg;
    snprintf (text + strlen (text), 20, " %d", (int) stele_record_integer (row, STELE_ID, 0));
    return 0;
}

#define SPAN(word) (stele_span_t) { word, strlen (word) }

//  Positions that pass, as " 3 1", and the cursor of the next page
static const char *
s_list (fixture_t *self, stele_audit_filter_t filter, int64_t *next)
{
    static char text [400];
    *text = 0;
    filter.limit = filter.limit? filter.limit: 100;
    assert_int_equal (stele_reader_audit (self->reader, &filter, s_note_position, text, next), 0);
    return text;
}

static void
test_audit_list_is_newest_first_and_filtered (void **state)
{
    fixture_t *self = *state;
    int64_t next = -1;
    assert_string_equal (s_list (self, (stele_audit_filter_t) { .limit = 1 }, &next), "");
    assert_int_equal (next, 0);
    fixture_append (self, "{'type':'audit.recorded','time':10,'who':'a','operation':'mode','outcome':'ok'}");
    fixture_append (self, "{'type':'preference.set','time':11,'preferred_model':'m'}");
    fixture_append (self, "{'type':'audit.recorded','time':12,'who':'b','operation':'recover','outcome':'timeout'}");
    fixture_append (self, "{'type':'audit.recorded','time':13,'who':'a','operation':'recover','outcome':'ok'}");
    assert_string_equal (s_list (self, (stele_audit_filter_t) { .limit = 0 }, &next), " 4 3 1");
    assert_int_equal (next, 0);
    assert_string_equal (s_list (self, (stele_audit_filter_t) { .who = SPAN ("a") }, &next), " 4 1");
    assert_string_equal (s_list (self, (stele_audit_filter_t) { .who = SPAN ("nobody") }, &next), "");
    assert_string_equal (s_list (self, (stele_audit_filter_t) { .operation = SPAN ("recover") }, &next), " 4 3");
    assert_string_equal (s_list (self, (stele_audit_filter_t) { .outcome = SPAN ("timeout") }, &next), " 3");
    assert_string_equal (s_list (self, (stele_audit_filter_t) { .from_us = 12, .to_us = 12 }, &next), " 3");
    assert_string_equal (s_list (self, (stele_audit_filter_t) { .limit = 2 }, &next), " 4 3");
    assert_int_equal (next, 3);
    assert_string_equal (s_list (self, (stele_audit_filter_t) { .limit = 2, .before = next }, &next), " 1");
    assert_int_equal (next, 0);
    fixture_assert_intact (self);
}

static void
test_audit_rows_can_be_neither_changed_nor_removed (void **state)
{
    fixture_t *self = *state;
    fixture_append (self, "{'type':'audit.recorded','time':10,'who':'a','operation':'mode','outcome':'ok'}");
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    static const char *const changes [] = {
        "UPDATE audit_events SET time = 1", "DELETE FROM audit_events", "UPDATE audit_events SET outcome = who"
    };
    sqlite3 *db;
    assert_int_equal (sqlite3_open (self->path, &db), SQLITE_OK);
    for (size_t i = 0; i < sizeof changes / sizeof changes [0]; i++) {
        assert_int_equal (sqlite3_exec (db, changes [i], NULL, NULL, NULL), SQLITE_CONSTRAINT);
        assert_string_equal (sqlite3_errmsg (db), "audit_events is append-only");
    }
    sqlite3_close (db);
}

//  -- which requests ------------------------------------------------------------------

//  The event of a request and its answer, both as JSON with '; NULL: it is not recorded. Without time.
static char *
s_event (const char *request, const char *answer)
{
    char text [2] [4000];
    stele_pack_t *packs [2] = { stele_pack_new (), stele_pack_new () };
    stele_pack_t *begun = stele_pack_new (), *event = stele_pack_new ();
    stele_refusal_t refusal;
    snprintf (text [0], sizeof text [0], "%s", request);
    snprintf (text [1], sizeof text [1], "%s", answer);
    for (int i = 0; i < 2; i++) {
        for (char *byte = text [i]; *byte; byte++)
            *byte = *byte == '\''? '"': *byte;
        assert_int_equal (stele_json_parse_pack (text [i], strlen (text [i]), packs [i], &refusal), 0);
    }
    char *json = NULL;
    if (stele_audit_begin (&stele_identity_local, "10.0.0.7", stele_pack_data (packs [0]), stele_pack_size (packs [0]), begun)
    &&  stele_audit_answers (stele_pack_data (packs [1]), stele_pack_size (packs [1]))) {
        stele_map_t map = { stele_pack_data (begun), stele_pack_size (begun) };
        stele_audit_finish (&map, stele_pack_data (packs [1]), stele_pack_size (packs [1]), event);
        stele_record_t *record = stele_record_new ();
        int rc = stele_event_decode_restored (stele_pack_data (event), stele_pack_size (event), record, &refusal);
        assert_string_equal (rc? refusal.message: "", "");
        assert_int_equal (record->type, STELE_AUDIT_RECORDED);
        assert_true (stele_record_has (record, STELE_TIME));
        record->values [STELE_TIME].kind = STELE_VALUE_NONE;
        record->type = 0;
        stele_pack_clear (begun);
        stele_record_pack (record, begun);
        json = stele_json_print (stele_pack_data (begun), stele_pack_size (begun), false);
        stele_record_destroy (&record);
    }
    for (int i = 0; i < 2; i++)
        stele_pack_destroy (&packs [i]);
    stele_pack_destroy (&begun);
    stele_pack_destroy (&event);
    return json;
}

static void
s_assert_event (const char *request, const char *answer, const char *event)
{
    char expected [4000];
    snprintf (expected, sizeof expected, "%s", event? event: "");
    for (char *byte = expected; *byte; byte++)
        *byte = *byte == '\''? '"': *byte;
    char *json = s_event (request, answer);
    assert_string_equal (json? json: "", expected);
    free (json);
}

static void
test_audit_records_what_changes_something (void **state)
{
    (void) state;
    s_assert_event ("{'op':'mode','mode':'redis','request_id':'r1'}", "{'ok':true,'position':7,'mode':'redis','only_in_redis':0}",
        "{'details':{'mode':'redis','only_in_redis':0},'who':'local','operation':'mode','target':'redis','peer':'10.0.0.7',"
        "'outcome':'ok','request_id':'r1'}");
    s_assert_event ("{'op':'mode','mode':'dual'}", "{'ok':false,'error':{'code':'unavailable','message':'no Redis'}}",
        "{'details':{'message':'no Redis'},'who':'local','operation':'mode','target':'dual','peer':'10.0.0.7','outcome':'unavailable'}");
    s_assert_event ("{'op':'task.recover','task_id':'t'}", "{'ok':true,'position':7,'task':{'task_id':'t'}}",
        "{'details':{},'who':'local','operation':'task.recover','target':'t','peer':'10.0.0.7','outcome':'ok'}");
    s_assert_event ("{'op':'recover'}", "{'ok':true,'position':7,'restored':3,'by_state':{'running':3}}",
        "{'details':{'restored':3},'who':'local','operation':'recover','peer':'10.0.0.7','outcome':'ok'}");
    s_assert_event ("{'op':'consistency.check','repair':true}", "{'ok':true,'position':7,'checked':3,'examples':['a','b']}",
        "{'details':{'checked':3,'examples':2},'who':'local','operation':'consistency.check','peer':'10.0.0.7','outcome':'ok'}");
    s_assert_event ("{'op':'rejected.retry','ids':[3,5]}", "{'ok':true,'position':7,'accepted':1,'rejected':[{'code':'not_found'}]}",
        "{'details':{'accepted':1,'rejected':1},'who':'local','operation':'rejected.retry','target':'3, 5','peer':'10.0.0.7','outcome':'ok'}");
    s_assert_event ("{'op':'rejected.retry','id':3}", "{'ok':true,'position':7,'accepted':0,'rejected':[{'code':'not_found'}]}",
        "{'details':{'accepted':0,'rejected':1},'who':'local','operation':'rejected.retry','target':'3','peer':'10.0.0.7','outcome':'not_found'}");
}

static void
test_audit_leaves_out_what_changes_nothing (void **state)
{
    (void) state;
    static const char *const requests [] = {
        "{'op':'ping'}", "{'op':'mode'}", "{'op':'mode','mode':null}", "{'op':'consistency.check'}",
        "{'op':'consistency.check','repair':false}", "{'op':'task.get','task_id':'t'}", "{'op':'publish'}"
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests [0]; i++)
        s_assert_event (requests [i], "{'ok':true,'position':1}", NULL);
    s_assert_event ("{'op':'mode','mode':'no'}", "{'ok':false,'error':{'code':'bad_request','message':'m'}}", NULL);
}

static void
test_audit_event_fits_its_fields_whatever_they_are_made_of (void **state)
{
    (void) state;
    char name [600];
    memset (name, 'x', sizeof name);
    memcpy (name + 254, "\xc3\xa9", 2);     // Across the limit of 255 bytes
    name [599] = 0;
    stele_audit_t audit = { .who = name, .operation = "access.denied", .target = "\xff", .outcome = "unauthorized" };
    stele_pack_t *pack = stele_pack_new ();
    stele_record_t *record = stele_record_new ();
    stele_refusal_t refusal;
    stele_audit_pack (&audit, pack);
    assert_int_equal (stele_event_decode_restored (stele_pack_data (pack), stele_pack_size (pack), record, &refusal), 0);
    assert_int_equal (record->values [STELE_WHO].size, 254);
    assert_memory_equal (record->values [STELE_TARGET].text, "(not UTF-8)", 11);
    assert_false (stele_record_has (record, STELE_PEER));
    stele_record_destroy (&record);
    stele_pack_destroy (&pack);
}

//  -- refused access ------------------------------------------------------------------

static void
s_note (stele_denied_t *self, const char *peer, const char *operation)
{
    stele_refusal_t refusal;
    stele_refuse (&refusal, STELE_EUNAUTHORIZED, NULL, "%s is not for you", operation);
    stele_denied_note (self, "ann", peer, operation, &refusal);
}

static void
test_denials_of_one_peer_are_taken_once_a_minute_with_their_number (void **state)
{
    (void) state;
    stele_denied_t *self = stele_denied_new ();
    stele_denied_peer_t denial;
    int64_t now = 5000000;
    assert_false (stele_denied_take (self, now, &denial));
    s_note (self, "::1", "mode");
    assert_true (stele_denied_take (self, now, &denial));
    assert_string_equal (denial.who, "ann");
    assert_string_equal (denial.peer, "::1");
    assert_string_equal (denial.operation, "mode");
    assert_string_equal (denial.message, "mode is not for you");
    assert_int_equal (denial.code, STELE_EUNAUTHORIZED);
    assert_int_equal (denial.count, 1);
    for (int i = 0; i < 1000; i++)
        s_note (self, "::1", i == 999? "recover": "mode");
    assert_false (stele_denied_take (self, now + STELE_DENIED_US - 1, &denial));
    s_note (self, "::2", "mode");
    assert_true (stele_denied_take (self, now + 1, &denial));
    assert_string_equal (denial.peer, "::2");
    assert_true (stele_denied_take (self, now + STELE_DENIED_US, &denial));
    assert_string_equal (denial.operation, "recover");
    assert_int_equal (denial.count, 1000);
    assert_true (denial.first_us <= denial.last_us);
    //  A peer that was quiet for a minute is new again
    assert_false (stele_denied_take (self, now + 3 * STELE_DENIED_US, &denial));
    s_note (self, "::1", "mode");
    assert_true (stele_denied_take (self, now + 3 * STELE_DENIED_US, &denial));
    assert_int_equal (denial.count, 1);
    stele_denied_destroy (&self);
}

static void
test_denials_beyond_the_bound_share_one_entry (void **state)
{
    (void) state;
    stele_denied_t *self = stele_denied_new ();
    stele_denied_peer_t denial;
    for (int i = 0; i < STELE_DENIED_PEERS + 50; i++) {
        char peer [20];
        snprintf (peer, sizeof peer, "10.0.%d.%d", i / 250, i % 250);
        s_note (self, peer, "mode");
    }
    int events = 0, others = 0;
    while (stele_denied_take (self, 1, &denial)) {
        events++;
        others += strcmp (denial.who, "others") == 0? (int) denial.count: 0;
    }
    assert_int_equal (events, STELE_DENIED_PEERS + 1);
    assert_int_equal (others, 50);
    stele_denied_destroy (&self);
}

//  Whoever has no key, from however many addresses, adds few events
static void
test_denials_of_strangers_share_one_entry_after_the_first (void **state)
{
    (void) state;
    stele_denied_t *self = stele_denied_new ();
    stele_denied_peer_t denial;
    stele_refusal_t refusal;
    stele_refuse (&refusal, STELE_EUNAUTHORIZED, NULL, "no such key");
    for (int pass = 0; pass < 3; pass++) {
        int64_t now = 1 + pass * STELE_DENIED_US;
        for (int i = 0; i < 500; i++) {
            char peer [20];
            snprintf (peer, sizeof peer, "10.%d.%d.%d", pass, i / 250, i % 250);
            stele_denied_note (self, STELE_DENIED_STRANGER, peer, "connect", &refusal);
        }
        s_note (self, "::1", "mode");
        int events = 0, count = 0;
        for (; stele_denied_take (self, now, &denial); events++)
            count += (int) denial.count;
        assert_int_equal (count, 501);
        assert_in_range (events, 2, STELE_DENIED_STRANGERS + 2);
    }
    stele_denied_destroy (&self);
}

//  -- the writer ----------------------------------------------------------------------

//  A writer of the fixture's ledger
static stele_writer_t *
s_writer (fixture_t *self, stele_settings_t **settings)
{
    stele_refusal_t refusal = { 0 };
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    *settings = stele_settings_new ();
    assert_int_equal (stele_settings_set (*settings, "ledger", self->path, NULL), 0);
    assert_int_equal (stele_settings_set (*settings, "redis", "none", NULL), 0);
    stele_writer_t *writer = stele_writer_new (*settings, &refusal);
    assert_string_equal (refusal.message, "");
    self->reader = stele_reader_open (self->path, &refusal);
    assert_string_equal (refusal.message, "");
    return writer;
}

static void
test_audit_denials_become_events_of_the_writer (void **state)
{
    fixture_t *self = *state;
    stele_settings_t *settings;
    stele_writer_t *writer = s_writer (self, &settings);
    for (int i = 0; i < 3; i++)
        s_note (settings->denied, "10.0.0.7", "mode");
    assert_int_equal (stele_writer_audit_denials (writer), 0);
    assert_int_equal (stele_writer_commit (writer), 0);
    //  Within the minute: counted only
    s_note (settings->denied, "10.0.0.7", "mode");
    assert_int_equal (stele_writer_audit_denials (writer), 0);
    assert_false (writer->open);
    json_t *events = fixture_events (self, 0, 10, 0);
    assert_int_equal (json_array_size (events), 1);
    json_t *event = json_array_get (events, 0);
    static const char *const fields [] [2] = {
        { "type", "audit.recorded" }, { "who", "ann" }, { "operation", "access.denied" }, { "target", "mode" },
        { "peer", "10.0.0.7" }, { "outcome", "unauthorized" }
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields [0]; i++)
        assert_string_equal (json_string_value (json_object_get (event, fields [i] [0])), fields [i] [1]);
    assert_int_equal (json_integer_value (json_object_get (event, "count")), 3);
    json_t *details = json_object_get (event, "details");
    assert_string_equal (json_string_value (json_object_get (details, "message")), "mode is not for you");
    json_decref (events);
    stele_writer_destroy (&writer);
    stele_settings_destroy (&settings);
}

//  A batch that storage does not take runs again
static void
test_audit_denial_of_a_batch_that_runs_again_counts_once (void **state)
{
    fixture_t *self = *state;
    stele_settings_t *settings;
    stele_writer_t *writer = s_writer (self, &settings);
    static const stele_identity_t ann = { .name = "ann" };
    stele_input_t *input = stele_input_new (STELE_FROM_PIPELINE, NULL, 0, NULL, 0, "x", 1);
    input->identity = &ann;
    assert_int_equal (stele_writer_take (writer, input), 0);
    stele_writer_rollback (writer);
    assert_int_equal (stele_writer_again (writer), 0);
    stele_denied_peer_t denial;
    assert_true (stele_denied_take (settings->denied, 1, &denial));
    assert_int_equal (denial.count, 1);
    stele_writer_destroy (&writer);
    stele_settings_destroy (&settings);
}

static void
test_audit_event_of_a_batch_that_was_rolled_back_is_taken_again (void **state)
{
    fixture_t *self = *state;
    stele_settings_t *settings;
    stele_writer_t *writer = s_writer (self, &settings);
    s_note (settings->denied, "10.0.0.7", "mode");
    assert_int_equal (stele_writer_audit_denials (writer), 0);
    stele_writer_rollback (writer);
    assert_int_equal (writer->counts.audited, 0);
    assert_int_equal (stele_writer_again (writer), 0);
    assert_int_equal (writer->counts.audited, 1);
    json_t *events = fixture_events (self, 0, 10, 0);
    assert_int_equal (json_array_size (events), 1);
    json_decref (events);
    stele_writer_destroy (&writer);
    stele_settings_destroy (&settings);
}

static void
test_audit_event_of_another_actor_is_mail_to_the_writer (void **state)
{
    (void) state;
    char endpoint [80];
    stele_settings_t *settings = stele_settings_new ();
    zsock_t *mailbox = zsock_new (ZMQ_ROUTER);
    assert_int_equal (zsock_bind (mailbox, "%s", stele_settings_inproc (settings, "writer", endpoint)), 0);
    stele_audit_send (&(stele_audit_t) {
        .who = "local", .operation = "key.revoked", .target = "ann", .outcome = "ok"
    }, settings);
    zmsg_t *mail = zmsg_recv (mailbox);
    assert_int_equal (zmsg_size (mail), 3);
    stele_map_t map = { zframe_data (zmsg_last (mail)), zframe_size (zmsg_last (mail)) }, event;
    assert_int_equal (stele_operation_id (map.data, map.size), STELE_OPERATION_AUDIT);
    assert_true (stele_map_map (&map, "event", &event));
    char target [20];
    assert_true (stele_map_text (&event, "target", target, sizeof target));
    assert_string_equal (target, "ann");
    zmsg_destroy (&mail);
    zsock_destroy (&mailbox);
    stele_settings_destroy (&settings);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_audit_list_is_newest_first_and_filtered, fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_audit_rows_can_be_neither_changed_nor_removed, fixture_new, fixture_destroy),
        cmocka_unit_test (test_audit_records_what_changes_something),
        cmocka_unit_test (test_audit_leaves_out_what_changes_nothing),
        cmocka_unit_test (test_audit_event_fits_its_fields_whatever_they_are_made_of),
        cmocka_unit_test (test_denials_of_one_peer_are_taken_once_a_minute_with_their_number),
        cmocka_unit_test (test_denials_beyond_the_bound_share_one_entry),
        cmocka_unit_test (test_denials_of_strangers_share_one_entry_after_the_first),
        cmocka_unit_test_setup_teardown (test_audit_denials_become_events_of_the_writer, fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_audit_denial_of_a_batch_that_runs_again_counts_once,
            fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_audit_event_of_a_batch_that_was_rolled_back_is_taken_again,
            fixture_new, fixture_destroy),
        cmocka_unit_test (test_audit_event_of_another_actor_is_mail_to_the_writer)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
