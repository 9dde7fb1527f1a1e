/*  test_broker - the broker as an actor: its commands, and its log in a program that embeds it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <czmq.h>
#include "stele_broker.h"

static char s_folder [] = "/tmp/test_broker.XXXXXX";

static void
s_set (zactor_t *broker, const char *name, const char *value)
{
    zstr_sendx (broker, "SET", name, value, NULL);
}

//  The next message of the actor has this word, and a text that contains the other one
static void
s_expect (zactor_t *broker, const char *word, const char *contains)
{
    char *status = NULL, *text = NULL;
    zstr_recvx (broker, &status, &text, NULL);
    assert_non_null (status);
    assert_string_equal (status, word);
    if (contains && (!text || !strstr (text, contains)))
        fail_msg ("'%s' lacks '%s'", text, contains);
    zstr_free (&status);
    zstr_free (&text);
}

static zactor_t *
s_new (const char *endpoint)
{
    char path [80];
    zactor_t *broker = zactor_new (stele_broker, NULL);
    assert_non_null (broker);
    snprintf (path, sizeof path, "%s/stele.db", s_folder);
    s_set (broker, "ledger", path);
    s_set (broker, "redis", "none");
    s_set (broker, "events", endpoint);
    s_set (broker, "requests", "inproc://test-broker-requests");
    s_set (broker, "feed", "inproc://test-broker-feed");
    return broker;
}

static bool
s_is_empty (void)
{
    zdir_t *folder = zdir_new (s_folder, "-");
    bool empty = zdir_count (folder) == 0;
    zdir_destroy (&folder);
    return empty;
}

static void
test_broker_wrong_endpoint_creates_nothing (void **state)
{
    (void) state;
    static const char *const wrong [] = {
        "tcp://127.0.0.1:99999", ">inproc://x", "@inproc://x", "inproc://test-broker-feed", "ipc:///dev/null"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong [0]; i++) {
        zactor_t *broker = s_new (wrong [i]);
        zstr_sendx (broker, "START", NULL);
        s_expect (broker, "FAILED", "events");
        zactor_destroy (&broker);
        assert_true (s_is_empty ());
    }
}

static void
test_broker_commands_after_start (void **state)
{
    (void) state;
    char log [80];
    snprintf (log, sizeof log, "%s/log", s_folder);
    FILE *stream = fopen (log, "w+");
    assert_non_null (stream);
    setbuf (stream, NULL);
    zsys_init ();
    zsys_set_logstream (stream);
    zactor_t *broker = s_new ("inproc://test-broker-events");
    s_set (broker, "log", "zsys");
    zstr_sendx (broker, "PING", NULL);              // No answer before START
    zstr_sendx (broker, "START", NULL);
    s_expect (broker, "READY", "events inproc://test-broker-events");
    zstr_sendx (broker, "PING", NULL);
    s_expect (broker, "PONG", NULL);
    s_set (broker, "workers", "7");
    s_expect (broker, "FAILED", "settings come before START");
    zstr_sendx (broker, "RELOAD", NULL);
    zstr_sendx (broker, "PING", NULL);
    s_expect (broker, "PONG", NULL);
    zactor_destroy (&broker);
    zsys_set_logstream (stderr);
    char text [4000] = "";
    rewind (stream);
    size_t size = fread (text, 1, sizeof text - 1, stream);
    text [size] = 0;
    fclose (stream);
    assert_non_null (strstr (text, "mode sqlite"));
    assert_non_null (strstr (text, "reloaded: no setting changed"));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_broker_wrong_endpoint_creates_nothing),
        cmocka_unit_test (test_broker_commands_after_start)
    };
    if (!mkdtemp (s_folder))
        return 1;
    int failed = cmocka_run_group_tests (tests, NULL, NULL);
    zdir_t *folder = zdir_new (s_folder, NULL);
    zdir_remove (folder, true);
    zdir_destroy (&folder);
    return failed;
}
