/*  test_client_end - how a run of a client ends, what its caller is told, and misuse

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "client_fixture.h"
#include "base/clock.h"
#include "base/file.h"
#include "client/publish/refusals.h"

//  The answer contains the text
static bool
s_answers (const broker_t *broker, const char *request, const char *expected)
{
    stele_client_t *reader = s_client_new (broker, NULL);
    char *answer = NULL;
    assert_int_equal (stele_client_request_json (reader, request, TIMEOUT_MS, &answer), 0);
    bool found = strstr (answer, expected) != NULL;
    free (answer);
    stele_client_destroy (&reader);
    return found;
}

//  -- secrets ------------------------------------------------------------------------

#ifdef STELE_WITH_REDACTION
//  Put together, so that this file has no secret
#define SECRET "gh" "p_" "Ab0Cd1Ef2Gh3Ij4Kl5Mn6Op7Qr8St9UvWxYz"

static bool
s_contains (const char *path, const char *text)
{
    zchunk_t *chunk = zchunk_slurp (path, 0);
    bool found = chunk && memmem (zchunk_data (chunk), zchunk_size (chunk), text, strlen (text));
    zchunk_destroy (&chunk);
    return found;
}

static int64_t
s_publish_secret (stele_client_t *client, const char *field)
{
    stele_event_t *event = stele_event_new ("task.state_changed");
    stele_event_set_string (event, "task_id", "t");
    stele_event_set_string (event, "state", "failed");
    stele_event_set_string (event, field, "x " SECRET);
    return stele_client_publish (client, &event, TIMEOUT_MS);
}

static void
test_client_redact_masks_before_the_spool_and_the_broker (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    char spool [200];
    snprintf (spool, sizeof spool, "%s/spool", broker->folder);
    stele_client_t *client = s_client_new (broker, "p");
    unsigned char key [32] = { 7 };
    stele_client_set_spool (client, spool);
    assert_int_equal (stele_client_set_redact (client, "/nonexistent", key), STELE_EINVALID_FIELD);
    assert_non_null (strstr (stele_client_error (client), "/nonexistent"));
    assert_int_equal (stele_client_set_redact (client, NULL, key), 0);
    assert_int_equal (s_publish_secret (client, "task_id"), STELE_ESECRET);
    assert_null (strstr (stele_client_error (client), SECRET));
    int64_t number = s_publish_secret (client, "error_message");
    assert_int_equal (number, 1);
    assert_true (s_contains (spool, "redacted:github-token:"));
    assert_false (s_contains (spool, SECRET));
    assert_int_equal (stele_client_wait (client, number, TIMEOUT_MS), 0);
    //  Only the client has masked it: the broker found nothing
    assert_true (s_answers (broker, "{\"op\":\"events.read\"}",
        "\"redacted\":[{\"field\":\"error_message\",\"n\":1,\"rule\":\"github-token\"}]"));
    assert_true (s_answers (broker, "{\"op\":\"stats\"}", "\"redactions\":{\"mode\":\"mask\",\"events\":0,"));
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}
#endif

//  -- the end of a run ---------------------------------------------------------------

static void
s_wait_left (const broker_t *broker)
{
    int64_t deadline_ms = zclock_mono () + TIMEOUT_MS;
    while (!s_answers (broker, "{\"op\":\"producer.get\",\"producer\":\"p\"}", "\"status\":\"left\""))
        assert_true (zclock_mono () < deadline_ms);
}

static stele_client_t *
s_client_with_running_task (const broker_t *broker)
{
    stele_client_t *client = s_client_new (broker, "p");
    int64_t number = s_publish_state (client, "t", "running");
    assert_int_equal (stele_client_wait (client, number, TIMEOUT_MS), 0);
    return client;
}

static void
s_next_run (const broker_t *broker)
{
    stele_client_t *next = s_client_new (broker, "p");
    assert_int_equal (stele_client_ready (next, TIMEOUT_MS), 0);
    stele_client_destroy (&next);
}

static void
test_client_destroyed_without_close_ends_as_a_crash (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    for (int turn = 0; turn < 10; turn++) {
        stele_client_t *client = s_client_with_running_task (broker);
        stele_client_destroy (&client);
        s_next_run (broker);
        //  At once: the welcome follows the commit of the interruption
        assert_true (s_answers (broker, "{\"op\":\"task.get\",\"task_id\":\"t\"}", "\"interrupted\":true"));
    }
    s_broker_destroy (broker);
}

static void
test_client_close_says_goodbye (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_with_running_task (broker);
    assert_int_equal (stele_client_close (client, false, TIMEOUT_MS), 0);
    s_wait_left (broker);
    stele_event_t *event = stele_event_new ("task.updated");
    assert_int_equal (stele_client_publish (client, &event, TIMEOUT_MS), STELE_EUNAVAILABLE);
    assert_null (event);
    assert_string_equal (stele_client_error (client), "the client is closed: create another one to publish");
    assert_int_equal (stele_client_close (client, false, TIMEOUT_MS), 0);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

static void
test_client_close_may_keep_the_tasks (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_with_running_task (broker);
    assert_int_equal (stele_client_close (client, true, TIMEOUT_MS), 0);
    stele_client_destroy (&client);
    s_wait_left (broker);
    s_next_run (broker);
    assert_true (s_answers (broker, "{\"op\":\"task.get\",\"task_id\":\"t\"}", "\"state\":\"running\""));
    s_broker_destroy (broker);
}

static void
test_client_without_events_closes_at_once (void **state)
{
    (void) state;
    stele_client_t *client = stele_client_new ("p");
    assert_int_equal (stele_client_close (client, false, -1), 0);
    stele_client_destroy (&client);
    client = stele_client_new (NULL);
    assert_int_equal (stele_client_close (client, false, -1), 0);
    stele_client_destroy (&client);
}

static void
test_client_events_have_the_time_of_their_publication (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    zactor_destroy (&broker->actor);
    stele_client_t *client = s_client_new (broker, "p");
    int64_t before = stele_clock_us ();
    assert_true (s_publish_state (client, "t", "running") > 0);
    int64_t after = stele_clock_us ();
    stele_event_t *event = stele_event_new ("task.state_changed");
    stele_event_set_string (event, "task_id", "t");
    stele_event_set_string (event, "state", "passed");
    stele_event_set_integer (event, "time", 1767225600000000);
    assert_true (stele_client_publish (client, &event, TIMEOUT_MS) > 0);
    s_broker_start (broker);
    assert_int_equal (stele_client_flush (client, TIMEOUT_MS), 0);

    stele_client_t *reader = s_client_new (broker, NULL);
    assert_int_equal (stele_client_follow (reader, "", 0), 0);
    for (int number = 0; number < 2; number++) {
        assert_int_equal (stele_client_next (reader, TIMEOUT_MS, &event), 0);
        int64_t time = stele_event_integer (event, "time", 0);
        assert_true (number == 0? time >= before && time <= after: time == 1767225600000000);
        stele_event_destroy (&event);
    }
    stele_client_destroy (&reader);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

//  -- refusals -------------------------------------------------------------------------

static void
s_count_receipt (const stele_receipt_t *receipt, void *arg)
{
    *(int *) arg += receipt->fate == STELE_REFUSED;
}

static void
test_client_flush_returns_each_refusal_once (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_new (broker, "p");
    assert_int_equal (s_publish_state (client, "t", "passed"), 1);
    assert_int_equal (s_publish_state (client, "t", "running"), 2);
    assert_int_equal (s_publish_state (client, "t", "dancing"), 3);
    assert_int_equal (stele_client_flush (client, TIMEOUT_MS), STELE_EILLEGAL);
    assert_non_null (strstr (stele_client_error (client), "event 2 was refused: task is passed, which is terminal"));
    assert_non_null (strstr (stele_client_error (client), "(and 1 more"));
    assert_int_equal (stele_client_flush (client, TIMEOUT_MS), 0);

    stele_receipt_t receipt;
    assert_int_equal (stele_client_refused (client), 2);
    assert_true (stele_client_refusal (client, 1, &receipt));
    assert_int_equal (receipt.number, 3);
    assert_int_equal (receipt.code, STELE_EINVALID_FIELD);
    assert_non_null (strstr (receipt.message, "dancing"));
    assert_false (stele_client_refusal (client, 2, &receipt));
    assert_false (stele_client_refusal (client, -1, &receipt));

    assert_int_equal (s_publish_state (client, "t", "running"), 4);
    assert_int_equal (stele_client_wait (client, 4, TIMEOUT_MS), STELE_EILLEGAL);
    assert_non_null (strstr (stele_client_error (client), "task is passed"));
    assert_int_equal (stele_client_flush (client, TIMEOUT_MS), 0);      // The caller has heard of it

    assert_int_equal (s_publish_state (client, "t", "running"), 5);
    assert_int_equal (stele_client_close (client, false, TIMEOUT_MS), STELE_EILLEGAL);
    s_wait_left (broker);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

static void
test_client_refusals_that_the_function_got_are_not_returned (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_new (broker, "p");
    int refused = 0;
    stele_client_on_receipt (client, s_count_receipt, &refused);
    s_publish_state (client, "t", "passed");
    s_publish_state (client, "t", "running");
    assert_int_equal (stele_client_flush (client, TIMEOUT_MS), 0);
    assert_int_equal (refused, 1);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

static void
test_client_remembers_the_latest_refusals (void **state)
{
    (void) state;
    stele_refusals_t *refusals = stele_refusals_new ();
    for (int64_t number = 1; number <= 70000; number++)
        stele_refusals_add (refusals, number, STELE_EILLEGAL, number % 2? "why": "", false);
    assert_int_equal (stele_refusals_count (refusals), 70000);
    assert_null (stele_refusals_at (refusals, 0));
    assert_null (stele_refusals_find (refusals, 70000 - 65536));
    assert_int_equal (stele_refusals_find (refusals, 70000 - 65535)->number, 70000 - 65535);
    assert_string_equal (stele_refusals_at (refusals, 69999)->message, stele_error_text (STELE_EILLEGAL));
    const stele_refused_t *first;
    assert_int_equal (stele_refusals_report (refusals, &first), 65536);
    assert_int_equal (first->number, 70000 - 65535);
    assert_int_equal (stele_refusals_report (refusals, &first), 0);
    stele_refusals_destroy (&refusals);
}

//  -- other loops, other processes, misuse ------------------------------------------------

static int
s_on_readable (zloop_t *loop, zsock_t *socket, void *arg)
{
    (void) loop;
    (void) socket;
    return stele_client_poll ((stele_client_t *) arg) == 0? -1: 0;
}

static void
test_client_socket_drives_a_zloop (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_new (broker, "p");
    zsock_t *socket = stele_client_socket (client);
    assert_non_null (socket);
    for (int number = 1; number <= 100; number++)
        assert_int_equal (s_publish_state (client, "t", "running"), number);
    zloop_t *loop = zloop_new ();
    zloop_reader (loop, socket, s_on_readable, client);
    assert_int_equal (zloop_start (loop), -1);
    assert_int_equal (stele_client_poll (client), 0);
    zloop_destroy (&loop);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

static void
test_client_in_a_child_process_is_refused (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_with_running_task (broker);
    char *answer = NULL;
    assert_int_equal (stele_client_request_json (client, "{\"op\":\"ping\"}", TIMEOUT_MS, &answer), 0);
    pid_t child = fork ();
    if (child == 0) {
        int failed = 0;
        failed += s_publish_state (client, "t", "passed") != STELE_EUNAVAILABLE;
        failed += stele_client_flush (client, TIMEOUT_MS) != STELE_EUNAVAILABLE;
        failed += stele_client_poll (client) != STELE_EUNAVAILABLE;
        failed += stele_client_ready (client, TIMEOUT_MS) != STELE_EUNAVAILABLE;
        failed += stele_client_close (client, false, TIMEOUT_MS) != STELE_EUNAVAILABLE;
        failed += stele_client_request_json (client, "{\"op\":\"ping\"}", TIMEOUT_MS, &answer) != STELE_EUNAVAILABLE;
        failed += stele_client_follow (client, "", 0) != STELE_EUNAVAILABLE;
        failed += !strstr (stele_client_error (client), "create another one in the child, with a producer name of its own");
        stele_client_destroy (&client);
        _exit (failed);
    }
    int status = -1;
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_int_equal (status, 0);
    free (answer);
    //  The parent's is as it was
    assert_int_equal (stele_client_wait (client, s_publish_state (client, "t", "passed"), TIMEOUT_MS), 0);
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

static void
test_client_that_cannot_publish_returns_an_error (void **state)
{
    (void) state;
    char long_name [300];
    memset (long_name, 'x', sizeof long_name);
    long_name [256] = '\0';
    const struct { const char *producer, *text; } cases [] = {
        { NULL, "this client has no producer" },
        { "", "the name of the producer has 0 bytes" },
        { long_name, "the name of the producer has 256 bytes: 1 to 255 are allowed" }
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases [0]; i++) {
        stele_client_t *client = stele_client_new (cases [i].producer);
        stele_event_t *event = stele_event_new ("task.updated");
        assert_int_equal (stele_client_publish (client, &event, 0), STELE_EINVALID_FIELD);
        assert_null (event);
        assert_non_null (strstr (stele_client_error (client), cases [i].text));
        assert_int_equal (stele_client_wait (client, 1, 0), STELE_EINVALID_FIELD);
        assert_int_equal (stele_client_ready (client, 0), STELE_EINVALID_FIELD);
        assert_null (stele_client_socket (client));
        stele_client_set_spool (client, "/no/spool");
        assert_int_equal (stele_client_flush (client, 0), STELE_EINVALID_FIELD);
        assert_int_equal (stele_client_next (client, 0, &event), STELE_EINVALID_FIELD);
        stele_client_destroy (&client);
    }
    stele_client_t *client = stele_client_new ("p");
    assert_int_equal (stele_client_wait (client, 1, 0), STELE_EINVALID_FIELD);
    assert_non_null (strstr (stele_client_error (client), "there is no event 1 to wait for"));
    stele_client_destroy (&client);
}

static void
test_client_reports_a_socket_without_permission (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    pid_t child = fork ();
    if (child == 0) {
        //  Root may do everything; others may not enter the folder that mkdtemp made
        if (geteuid () == 0? setuid (65534): chmod (broker->folder, 0))
            _exit (100);
        int failed = 0;
        char *answer = NULL;
        stele_client_t *client = s_client_new (broker, "p");
        failed += stele_client_request_json (client, "{\"op\":\"ping\"}", TIMEOUT_MS, &answer) != STELE_EUNAUTHORIZED;
        failed += !strstr (stele_client_error (client), "permission denied for the socket /tmp/test_client.");
        failed += stele_client_follow (client, "", 0) != STELE_EUNAUTHORIZED;
        failed += stele_client_ready (client, 10) != STELE_EUNAUTHORIZED;
        char *trouble = stele_client_trouble (client, TIMEOUT_MS);
        failed += !trouble || !strstr (trouble, "permission denied");
        free (trouble);
        stele_client_destroy (&client);
        _exit (failed);
    }
    int status = -1;
    assert_int_equal (waitpid (child, &status, 0), child);
    chmod (broker->folder, 0700);
    assert_int_equal (status, 0);
    s_broker_destroy (broker);
}

static void
test_client_trouble_is_what_the_broker_reports (void **state)
{
    (void) state;
    broker_t *broker = s_broker_new ("ipc");
    stele_client_t *client = s_client_new (broker, "p");
    assert_int_equal (stele_client_ready (client, TIMEOUT_MS), 0);
    //  Another writer, so that the broker holds acks back as it does while its disk is full
    sqlite3 *other;
    assert_int_equal (sqlite3_open (broker->ledger, &other), SQLITE_OK);
    assert_int_equal (sqlite3_exec (other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    int64_t number = s_publish_state (client, "t", "running");
    int64_t deadline_ms = zclock_mono () + TIMEOUT_MS;
    char *trouble;
    while ((trouble = stele_client_trouble (client, TIMEOUT_MS)) && !strstr (trouble, "holds acks back: ")) {
        assert_true (zclock_mono () < deadline_ms);
        assert_non_null (strstr (trouble, "is running and reports no trouble"));
        free (trouble);
    }
    assert_non_null (trouble);
    free (trouble);
    assert_int_equal (stele_client_wait (client, number, 1), STELE_ETIMEOUT);
    sqlite3_exec (other, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close (other);
    assert_int_equal (stele_client_wait (client, number, TIMEOUT_MS), 0);
    stele_client_destroy (&client);
    zactor_destroy (&broker->actor);
    client = s_client_new (broker, NULL);
    assert_null (stele_client_trouble (client, 10));
    stele_client_destroy (&client);
    s_broker_destroy (broker);
}

static void
test_file_never_gets_a_standard_descriptor (void **state)
{
    (void) state;
    pid_t child = fork ();
    if (child == 0) {
        for (int descriptor = 0; descriptor < 3; descriptor++)
            close (descriptor);
        int one = stele_file_open ("/dev/null", O_RDWR, 0), other = stele_file_open ("/dev/null", O_RDWR, 0);
        int failed = one < 3 || other < 3 || (fcntl (one, F_GETFD) & FD_CLOEXEC) == 0;
        _exit (failed);
    }
    int status = -1;
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_int_equal (status, 0);
}

static void
test_library_has_a_version (void **state)
{
    (void) state;
    int major = -1, minor = -1, patch = -1;
    stele_version (&major, &minor, &patch);
    char text [40];
    snprintf (text, sizeof text, "%d.%d.%d", major, minor, patch);
    assert_string_equal (text, STELE_VERSION);
    stele_version (NULL, NULL, NULL);
}

static int
s_setup (void **state)
{
    (void) state;
    zsys_set_logstream (NULL);
    zsys_handler_set (NULL);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
#ifdef STELE_WITH_REDACTION
        cmocka_unit_test (test_client_redact_masks_before_the_spool_and_the_broker),
#endif
        cmocka_unit_test (test_client_destroyed_without_close_ends_as_a_crash),
        cmocka_unit_test (test_client_close_says_goodbye),
        cmocka_unit_test (test_client_close_may_keep_the_tasks),
        cmocka_unit_test (test_client_without_events_closes_at_once),
        cmocka_unit_test (test_client_events_have_the_time_of_their_publication),
        cmocka_unit_test (test_client_flush_returns_each_refusal_once),
        cmocka_unit_test (test_client_refusals_that_the_function_got_are_not_returned),
        cmocka_unit_test (test_client_remembers_the_latest_refusals),
        cmocka_unit_test (test_client_socket_drives_a_zloop),
        cmocka_unit_test (test_client_in_a_child_process_is_refused),
        cmocka_unit_test (test_client_that_cannot_publish_returns_an_error),
        cmocka_unit_test (test_client_reports_a_socket_without_permission),
        cmocka_unit_test (test_client_trouble_is_what_the_broker_reports),
        cmocka_unit_test (test_file_never_gets_a_standard_descriptor),
        cmocka_unit_test (test_library_has_a_version)
    };
    return cmocka_run_group_tests (tests, s_setup, NULL);
}
