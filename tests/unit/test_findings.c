/*  test_findings - what 'stele health' reports from which statistics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cli/view/findings.h"

#define NOW_US 1767225600000000LL       // 2026-01-01T00:00:00Z

static json_t *
s_find (const char *stats)
{
    json_t *parsed = json_loads (stats, JSON_DECODE_ANY, NULL);
    assert_non_null (parsed);
    json_t *findings = cli_findings (parsed, NOW_US);
    json_decref (parsed);
    return findings;
}

static const char *
s_text (const json_t *finding, const char *key)
{
    const char *text = json_string_value (json_object_get (finding, key));
    return text? text: "";
}

//  Exactly one finding, with that code and level, whose message has these words
static void
s_assert_one (const char *stats, const char *code, cli_level_t level, const char *words)
{
    json_t *findings = s_find (stats);
    size_t count;
    assert_int_equal (json_array_size (findings), 1);
    const json_t *finding = json_array_get (findings, 0);
    assert_string_equal (s_text (finding, "code"), code);
    assert_string_equal (s_text (finding, "level"), cli_level_word (level));
    assert_int_equal (cli_findings_level (findings, &count), level);
    assert_int_equal (count, level > CLI_LEVEL_INFO);
    if (!strstr (s_text (finding, "message"), words))
        fail_msg ("'%s' does not have '%s'", s_text (finding, "message"), words);
    assert_true (*s_text (finding, "hint"));
    json_decref (findings);
}

static void
test_findings_of_a_healthy_broker_are_none (void **state)
{
    (void) state;
    json_t *findings = s_find ("{\"ingest\":{\"mode\":\"dual\",\"holding\":false,\"behind\":0},"
        "\"redis\":{\"state\":\"live\",\"lag_events\":3,\"lag_ms\":5},\"search\":{\"state\":\"live\",\"lag_events\":400000,\"lag_limit\":200000},"
        "\"disk\":{\"free_bytes\":100000000000,\"size_bytes\":200000000000,\"growth_bytes\":0},"
        "\"ledger\":{\"wal_bytes\":33554432,\"wal_limit\":16777216,\"rejected\":0,\"losses\":0},\"tasks\":{\"by_state\":{\"running\":2}},"
        "\"producers\":[{\"producer\":\"p\",\"status\":\"present\",\"silent_ms\":100}]}");
    assert_int_equal (json_array_size (findings), 0);
    json_decref (findings);
    findings = s_find ("{}");           // Parts that did not answer
    assert_int_equal (json_array_size (findings), 0);
    json_decref (findings);
}

static void
test_findings_of_a_node_name_what_the_shared_log_lacks (void **state)
{
    (void) state;
    json_t *findings = s_find ("{\"shared_log\":{\"role\":\"follower\",\"state\":\"live\",\"lag_batches\":900,\"lag_ms\":9000,\"no_writer\":false}}");
    assert_int_equal (json_array_size (findings), 0);
    json_decref (findings);
    findings = s_find ("{\"shared_log\":{\"state\":\"in_doubt\",\"state_ms\":999},\"ingest\":{\"holding\":true}}");    // It may only be late
    assert_int_equal (json_array_size (findings), 0);
    json_decref (findings);
    //  The ledger is not what acks wait for
    s_assert_one ("{\"shared_log\":{\"role\":\"writer\",\"state\":\"in_doubt\",\"state_ms\":1000,\"replicated\":true},"
        "\"ingest\":{\"holding\":true,\"trouble\":\"no answer\"}}", "log_in_doubt", CLI_LEVEL_DEGRADED, "does not confirm an append to the shared log: no answer");
    s_assert_one ("{\"shared_log\":{\"role\":\"writer\",\"state\":\"live\"},\"ingest\":{\"holding\":true,\"trouble\":\"disk is full\"}}", "holding",
        CLI_LEVEL_DEGRADED, "cannot be written: disk is full");
    s_assert_one ("{\"shared_log\":{\"state\":\"away\",\"trouble\":\"no server\"}}", "log_away", CLI_LEVEL_DEGRADED, "shared log: no server");
    s_assert_one ("{\"shared_log\":{\"state\":\"stopped\",\"trouble\":\"upgrade\",\"lag_ms\":99000}}", "log_stopped", CLI_LEVEL_DEGRADED, "wrote: upgrade");
    s_assert_one ("{\"shared_log\":{\"state\":\"full\",\"trouble\":\"no space\"}}", "log_stopped", CLI_LEVEL_DEGRADED, "wrote: no space");
    s_assert_one ("{\"shared_log\":{\"state\":\"live\",\"lag_batches\":1200,\"lag_ms\":11000}}", "log_behind", CLI_LEVEL_DEGRADED,
        "11.0 s (batches: 1,200) behind");
    s_assert_one ("{\"shared_log\":{\"state\":\"live\",\"no_writer\":true}}", "log_no_writer", CLI_LEVEL_DEGRADED, "no node leads");
    s_assert_one ("{\"shared_log\":{\"role\":\"writer\",\"state\":\"live\",\"replicated\":false}}", "log_unreplicated", CLI_LEVEL_DEGRADED, "no standby");
}

static void
test_findings_of_the_writer_name_the_cause_and_the_time (void **state)
{
    (void) state;
    json_t *findings = s_find ("{\"ingest\":{\"holding\":true,\"holding_ms\":60000,\"trouble\":\"disk is full\"}}");
    const json_t *finding = json_array_get (findings, 0);
    assert_string_equal (s_text (finding, "since"), "2025-12-31T23:59:00Z");
    assert_int_equal (json_integer_value (json_object_get (finding, "for_ms")), 60000);
    json_decref (findings);
    s_assert_one ("{\"ingest\":{\"holding\":true,\"trouble\":\"disk is full\"}}", "holding", CLI_LEVEL_DEGRADED,
        "cannot be written: disk is full");
    s_assert_one ("{\"ingest\":{\"mode\":\"redis\",\"only_in_redis\":1200}}", "mode_redis", CLI_LEVEL_DEGRADED,
        "1,200 acked events only in Redis");
    s_assert_one ("{\"ingest\":{\"behind\":2}}", "ledger_behind", CLI_LEVEL_DEGRADED, "2 hellos answered");
    s_assert_one ("{\"age_ms\":900,\"ingest\":{}}", "writer_stalled", CLI_LEVEL_DEGRADED, "did not answer for 900");
}

static void
test_findings_of_redis (void **state)
{
    (void) state;
    s_assert_one ("{\"redis\":{\"state\":\"away\",\"state_ms\":5,\"last_error\":\"refused\",\"lag_events\":7}}",
        "redis_away", CLI_LEVEL_DEGRADED, "refused; live records there are 7 events old");
    json_t *findings = s_find ("{\"redis\":{\"state\":\"away\",\"last_error\":\"NOAUTH\",\"cause\":\"password\","
        "\"remedy\":\"give the password\"}}");
    assert_ptr_equal (strstr (s_text (json_array_get (findings, 0), "hint"), "give the password;"),
        s_text (json_array_get (findings, 0), "hint"));
    json_decref (findings);
    //  The log has both in one text
    s_assert_one ("{\"redis\":{\"state\":\"away\",\"last_error\":\"Redis is away: NOAUTH (give the password)\",\"cause\":\"password\","
        "\"remedy\":\"give the password\",\"lag_events\":7}}", "redis_away", CLI_LEVEL_DEGRADED,
        "Redis is away: NOAUTH; live records there are 7 events old");
    s_assert_one ("{\"redis\":{\"state\":\"rebuilding\"}}", "redis_rebuilding", CLI_LEVEL_DEGRADED, "being rebuilt");
    s_assert_one ("{\"redis\":{\"state\":\"catching_up\",\"lag_ms\":10001,\"lag_events\":9}}", "redis_behind",
        CLI_LEVEL_DEGRADED, "(9 events) behind");
    s_assert_one ("{\"redis\":{\"state\":\"live\",\"age_ms\":10001}}", "redis_stalled", CLI_LEVEL_DEGRADED,
        "has not answered");
}

static void
test_findings_of_the_disk (void **state)
{
    (void) state;
    s_assert_one ("{\"disk\":{\"free_bytes\":268435455,\"size_bytes\":1000000000}}", "disk_low", CLI_LEVEL_DEGRADED,
        "256 MiB of 954 MiB left");
    s_assert_one ("{\"disk\":{\"free_bytes\":49000000000,\"size_bytes\":1000000000000}}", "disk_low",
        CLI_LEVEL_DEGRADED, "left");
    s_assert_one ("{\"disk\":{\"free_bytes\":490000000000,\"size_bytes\":1000000000000,\"full_in_s\":14399,"
        "\"growth_bytes\":34030000}}", "disk_filling", CLI_LEVEL_DEGRADED, "full in 3h 59m");
    json_t *findings = s_find ("{\"disk\":{\"free_bytes\":490000000000,\"size_bytes\":1000000000000,"
        "\"full_in_s\":14400}}");
    assert_int_equal (json_array_size (findings), 0);
    json_decref (findings);
    s_assert_one ("{\"ledger\":{\"wal_bytes\":134217729,\"wal_limit\":67108864}}", "wal_long", CLI_LEVEL_DEGRADED, "write-ahead log");
}

static void
test_findings_of_the_clocks (void **state)
{
    (void) state;
    s_assert_one ("{\"ledger\":{\"ahead_ms\":10001}}", "clock_wrong", CLI_LEVEL_DEGRADED, "is 10.0 s ahead");
    s_assert_one ("{\"clock\":{\"steps\":1,\"step_ms\":-3600000,\"stepped_ms\":5000}}", "clock_stepped",
        CLI_LEVEL_INFO, "set back by 1h");
    s_assert_one ("{\"clock\":{\"events_ahead\":1,\"ahead_ms\":600000,\"seen_ms\":5,\"producer\":\"fast\"}}",
        "events_ahead", CLI_LEVEL_INFO, "of producer fast");
    json_t *findings = s_find ("{\"ledger\":{\"ahead_ms\":10000},\"clock\":{\"steps\":1,\"step_ms\":-3600000,"
        "\"stepped_ms\":86400000,\"events_ahead\":1,\"ahead_ms\":600000,\"seen_ms\":86400000}}");
    assert_int_equal (json_array_size (findings), 0);
    json_decref (findings);
}

static void
test_findings_that_are_only_noted (void **state)
{
    (void) state;
    s_assert_one ("{\"ledger\":{\"rejected\":3}}", "rejected", CLI_LEVEL_INFO, "3 refused events");
    s_assert_one ("{\"ledger\":{\"losses\":1}}", "losses", CLI_LEVEL_INFO, "accepted: 1");
    s_assert_one ("{\"auth\":{\"denied_lately\":100}}", "denials", CLI_LEVEL_DEGRADED, "100 accesses");
    s_assert_one ("{\"search\":{\"lag_events\":100001,\"lag_limit\":50000}}", "search_behind", CLI_LEVEL_INFO, "100,001 events behind");
    s_assert_one ("{\"segments\":{\"state\":\"failing\",\"state_ms\":5,\"error\":\"/b: No space left on device\"}}",
        "segments_failing", CLI_LEVEL_DEGRADED, "not backed up: /b: No space left");
    s_assert_one ("{\"seal\":{\"state\":\"failing\",\"state_ms\":5,\"error\":\"/a.seals: No space left on device\"}}",
        "seal_failing", CLI_LEVEL_DEGRADED, "not sealed: /a.seals: No space left");
    s_assert_one ("{\"seal\":{\"state\":\"contradicted\",\"state_ms\":5,\"error\":\"position 3\"}}",
        "seal_contradicted", CLI_LEVEL_DEGRADED, "contradicts what was sealed: position 3");
    s_assert_one ("{\"ingest\":{\"erase_failing_ms\":60001,\"erase_error\":\"/a.archive-2026: another program reads it\"}}",
        "erase_failing", CLI_LEVEL_DEGRADED, "still be read from a file: /a.archive-2026: another");
    s_assert_one ("{\"segments\":{\"state\":\"live\",\"lag_events\":3,\"lag_ms\":60001}}", "segments_behind",
        CLI_LEVEL_DEGRADED, "3 events not backed up yet");
    s_assert_one ("{\"backup\":{\"failing_ms\":5,\"last_error\":\"/b: No space left on device\"}}",
        "backup_failing", CLI_LEVEL_DEGRADED, "/b: No space left");
    s_assert_one ("{\"backup\":{\"age_s\":93601}}", "backup_old", CLI_LEVEL_DEGRADED, "1d 02h old");
    s_assert_one ("{\"search\":{\"state\":\"failing\"}}", "search_failing", CLI_LEVEL_DEGRADED, "index");
    s_assert_one ("{\"rollup\":{\"state\":\"failing\"}}", "rollup_failing", CLI_LEVEL_DEGRADED, "not counted");
    s_assert_one ("{\"rollup\":{\"state\":\"building\",\"lag_events\":2001,\"lag_limit\":1000}}", "rollup_behind", CLI_LEVEL_INFO,
        "2,001 events are not counted");
    s_assert_one ("{\"producers\":[{\"producer\":\"a\",\"status\":\"expired\",\"silent_ms\":9000},"
        "{\"producer\":\"b\",\"status\":\"expired\",\"silent_ms\":8000},"
        "{\"producer\":\"c\",\"status\":\"expired\",\"silent_ms\":86400001}]}",
        "producers_expired", CLI_LEVEL_INFO, "2 producers ran out in the last 24 hours, the last one 'b'");
    s_assert_one ("{\"tasks\":{\"by_state\":{\"running\":1}},\"uptime_s\":301,\"producers\":["
        "{\"producer\":\"a\",\"status\":\"present\",\"silent_ms\":null},"
        "{\"producer\":\"b\",\"status\":\"present\",\"silent_ms\":10}]}",
        "producers_silent", CLI_LEVEL_INFO, "1 producer silent for more than 5m");
    s_assert_one ("{\"ledger\":{\"rejected\":1}}", "rejected", CLI_LEVEL_INFO, "1 refused event kept");
    //  Those that have tasks in progress are named, and are no mere notes
    s_assert_one ("{\"tasks\":{\"by_state\":{\"running\":1}},\"producers\":["
        "{\"producer\":\"a\",\"status\":\"present\",\"silent_ms\":900000},"
        "{\"producer\":\"b\",\"status\":\"present\",\"silent_ms\":400000,\"owns\":true}]}",
        "producers_silent", CLI_LEVEL_DEGRADED, "2 producers silent for more than 5m 00s, among them 'b', which has tasks");
    s_assert_one ("{\"producers\":[{\"producer\":\"a\",\"status\":\"expired\",\"silent_ms\":9000,\"owns\":true}]}",
        "producers_expired", CLI_LEVEL_DEGRADED, "'a', which still has tasks in progress");
}

static void
test_findings_are_sorted_by_their_gravity (void **state)
{
    (void) state;
    size_t count;
    json_t *findings = s_find ("{\"ledger\":{\"rejected\":3},\"search\":{\"lag_events\":100001,\"lag_limit\":50000},"
        "\"redis\":{\"state\":\"away\"},\"ingest\":{\"mode\":\"redis\"}}");
    assert_int_equal (json_array_size (findings), 4);
    assert_string_equal (s_text (json_array_get (findings, 0), "code"), "mode_redis");
    assert_string_equal (s_text (json_array_get (findings, 1), "code"), "redis_away");
    assert_int_equal (cli_findings_level (findings, &count), CLI_LEVEL_DEGRADED);
    assert_int_equal (count, 2);
    json_decref (findings);
}

static void
s_assert_relay (const char *text, const char *code, const char *words)
{
    size_t count;
    json_t *findings = json_array (), *stats = json_object (), *status = cli_findings_of_relay (findings, stats, text, NOW_US);
    assert_int_equal (json_array_size (findings), code != NULL);
    if (code) {
        assert_string_equal (s_text (json_array_get (findings, 0), "code"), code);
        assert_int_equal (cli_findings_level (findings, &count), CLI_LEVEL_DEGRADED);
        assert_true (*s_text (json_array_get (findings, 0), "hint"));
        if (!strstr (s_text (json_array_get (findings, 0), "message"), words))
            fail_msg ("'%s' does not have '%s'", s_text (json_array_get (findings, 0), "message"), words);
    }
    json_decref (findings);
    json_decref (stats);
    json_decref (status);
}

#define RELAY(target) "{\"running\":true,\"head\":9,\"targets\":[{\"target\":\"ci\"," target "}]}"

static void
test_findings_of_a_relay (void **state)
{
    (void) state;
    s_assert_relay (RELAY ("\"state\":\"behind\",\"dead\":0,\"lag_events\":5,\"lag_ms\":60000"), NULL, NULL);
    s_assert_relay (RELAY ("\"state\":\"behind\",\"dead\":0,\"lag_events\":5,\"lag_ms\":60001"), "relay_behind", "'ci' of stele-relay is 1m");
    s_assert_relay (RELAY ("\"state\":\"behind\",\"dead\":0"), "relay_behind", "has not begun");
    s_assert_relay (RELAY ("\"state\":\"failing\",\"dead\":0,\"lag_events\":5,\"lag_ms\":60001,\"error\":\"status 500\""),
        "relay_failing", "status 500; its lag is 5 events");
    s_assert_relay (RELAY ("\"state\":\"failing\",\"dead\":1,\"lag_events\":0,\"error\":\"status 500\""), "relay_dead_letters", "1 event could");
    s_assert_relay (RELAY ("\"state\":\"failing\",\"dead\":0,\"error\":\"another ledger\""), "relay_failing", ": another ledger");
    s_assert_relay (RELAY ("\"state\":\"disabled\",\"dead\":0,\"lag_events\":1,\"error\":\"status 410\""), "relay_disabled",
        "; its lag is 1 event");
    s_assert_relay (RELAY ("\"state\":\"live\",\"dead\":2,\"lag_events\":0"), "relay_dead_letters", "2 events could not");
    s_assert_relay ("{\"running\":false,\"head\":9,\"targets\":[{\"target\":\"ci\",\"state\":\"behind\",\"dead\":0}]}", "relay_away",
        "does not run");
    s_assert_relay ("{\"running\":true,\"error\":\"no answer\",\"targets\":[{\"target\":\"ci\",\"state\":\"behind\",\"dead\":0}]}",
        "relay_unknown", "does not answer it: no answer");
    s_assert_relay ("stele-relay: cannot open x\n", "relay_unknown", "is not known: cannot open x");
    s_assert_relay ("", "relay_unknown", "is not known: it printed nothing");
    s_assert_relay ("[1]", "relay_unknown", "is not known: [1]");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_findings_of_a_healthy_broker_are_none),
        cmocka_unit_test (test_findings_of_a_node_name_what_the_shared_log_lacks),
        cmocka_unit_test (test_findings_of_the_writer_name_the_cause_and_the_time),
        cmocka_unit_test (test_findings_of_redis),
        cmocka_unit_test (test_findings_of_the_disk),
        cmocka_unit_test (test_findings_of_the_clocks),
        cmocka_unit_test (test_findings_that_are_only_noted),
        cmocka_unit_test (test_findings_of_a_relay),
        cmocka_unit_test (test_findings_are_sorted_by_their_gravity)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
