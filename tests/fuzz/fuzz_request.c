/*  fuzz_request - answer bytes as a request, from a small ledger

    Every input must be answered by one well-formed map.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <unistd.h>
#include "fuzz.h"
#include "broker/common/answer.h"
#include "broker/operations/query.h"
#include "ledger/ledger.h"
#include "wire/event/event_codec.h"
#include "wire/json/json.h"
#include "wire/scan.h"

static stele_query_t s_query;
static char s_folder [] = "/tmp/stele-fuzz-XXXXXX";

static const char *const s_events [] = {
    "{\"type\":\"task.created\",\"time\":1000000,\"task_id\":\"a\",\"title\":\"A task\",\"description\":\"first words\","
        "\"role\":\"coder\",\"provider\":\"x\",\"metadata\":{\"k\":1}}",
    "{\"type\":\"task.created\",\"time\":2000000,\"task_id\":\"b\",\"title\":\"B\",\"description\":\"second\","
        "\"role\":\"tester\",\"parent_id\":\"a\",\"user_id\":\"ann\"}",
    "{\"type\":\"task.state_changed\",\"time\":3000000,\"task_id\":\"a\",\"state\":\"running\"}",
    "{\"type\":\"task.output_added\",\"time\":4000000,\"task_id\":\"a\",\"output_type\":\"stdout\",\"content\":\"hi\"}",
    "{\"type\":\"task.metric_recorded\",\"time\":5000000,\"task_id\":\"a\",\"name\":\"cost\",\"value\":0.5}",
    "{\"type\":\"task.state_changed\",\"time\":6000000,\"task_id\":\"a\",\"state\":\"failed\",\"error_message\":\"broke\"}",
    "{\"type\":\"session.started\",\"time\":7000000,\"session_id\":\"s\",\"cli_tool\":\"sh\",\"mode\":\"m\","
        "\"current_directory\":\"/\",\"task_id\":\"a\"}",
    "{\"type\":\"session.command_executed\",\"time\":8000000,\"session_id\":\"s\",\"command\":\"ls\",\"output\":\"x\"}",
    "{\"type\":\"preference.set\",\"time\":9000000,\"user_id\":\"ann\",\"preferred_provider\":\"x\"}"
};

static void
s_append (stele_ledger_t *ledger, const char *json)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_record_t *event = stele_record_new ();
    stele_refusal_t refusal = { 0 };
    int64_t position;
    FUZZ_HOLDS (stele_json_parse_pack (json, strlen (json), pack, &refusal) == 0);
    FUZZ_HOLDS (stele_event_decode_record (stele_pack_data (pack), stele_pack_size (pack), event, &refusal) == 0);
    FUZZ_HOLDS (stele_ledger_append (ledger, event, 0, &position, &refusal) == 1);
    stele_record_destroy (&event);
    stele_pack_destroy (&pack);
}

static void
s_clean_up (void)
{
    stele_reader_close (&s_query.reader);
    stele_record_destroy (&s_query.record);
    stele_settings_t *settings = (stele_settings_t *) s_query.settings;
    stele_settings_destroy (&settings);
    char command [128];
    snprintf (command, sizeof command, "rm -rf %s", s_folder);
    FUZZ_HOLDS (system (command) == 0);
}

static void
s_start (void)
{
    FUZZ_HOLDS (mkdtemp (s_folder));
    char path [64];
    snprintf (path, sizeof path, "%s/ledger.db", s_folder);
    stele_refusal_t refusal = { 0 };
    stele_ledger_t *ledger = stele_ledger_open (path, STELE_CHECK_NONE, &refusal);
    FUZZ_HOLDS (ledger && stele_ledger_begin (ledger) == 0);
    for (size_t i = 0; i < sizeof s_events / sizeof s_events [0]; i++)
        s_append (ledger, s_events [i]);
    FUZZ_HOLDS (stele_ledger_commit (ledger, 10000000) == 0);
    stele_ledger_close (&ledger);
    s_query.reader = stele_reader_open (path, &refusal);
    s_query.settings = stele_settings_new ();
    s_query.ledger_id = "fuzz";
    s_query.record = stele_record_new ();
    FUZZ_HOLDS (s_query.reader);
    atexit (s_clean_up);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (!s_query.reader)
        s_start ();
    stele_pack_t *pack = stele_pack_new ();
    stele_params_t params;
    stele_ignored_t ignored = { .count = 0 };
    const stele_operation_t *operation = stele_operation_check (&params, data, size, &ignored);
    FUZZ_HOLDS (ignored.count <= sizeof ignored.names / sizeof ignored.names [0]);
    if (params.refusal.code || !operation->handler)
        stele_answer_refuse (pack, &params.refusal, NULL, 0);
    else
        stele_query_answer (&s_query, &stele_identity_local, data, size, pack);
    FUZZ_HOLDS (stele_scan_check (stele_pack_data (pack), stele_pack_size (pack), SIZE_MAX, NULL) == 0);
    char *text = stele_json_print (stele_pack_data (pack), stele_pack_size (pack), true);
    FUZZ_HOLDS (text && strncmp (text, "{\"ok\":", 6) == 0);
    free (text);
    stele_pack_destroy (&pack);
    return 0;
}
