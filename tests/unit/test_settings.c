/*  test_settings - the table of settings, and the file that sets them

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
#include <unistd.h>
#include "broker/common/settings.h"
#include "stele_library.h"

static void
test_settings_new_has_every_default (void **state)
{
    (void) state;
    stele_settings_t *self = stele_settings_new ();
    assert_string_equal (self->ledger, "stele.db");
    assert_string_equal (self->redis_prefix, "{stele}");
    assert_string_equal (self->events, STELE_DEFAULT_EVENTS);
    assert_string_equal (self->requests, STELE_DEFAULT_REQUESTS);
    assert_string_equal (self->feed, STELE_DEFAULT_FEED);
    assert_string_equal (self->pipeline_in, "");
    assert_string_equal (self->interrupted, "owner");
    assert_false (self->legacy_keys);
    assert_int_equal (self->window, 65536);
    assert_int_equal (self->message_bytes, 16777216);
    assert_int_equal (strlen (self->instance), 32);
    stele_settings_t *other = stele_settings_new ();
    assert_string_not_equal (self->instance, other->instance);
    stele_settings_destroy (&other);
    stele_settings_destroy (&self);
    assert_null (self);
    stele_settings_destroy (&self);
}

static void
test_settings_set_takes_every_type (void **state)
{
    (void) state;
    stele_settings_t *self = stele_settings_new ();
    stele_refusal_t refusal;
    assert_int_equal (stele_settings_set (self, "ledger", "other.db", &refusal), 0);
    assert_string_equal (self->ledger, "other.db");
    static const char *const yes [] = { "yes", "TRUE", "on", "1" };
    static const char *const no [] = { "no", "False", "off", "0" };
    for (int i = 0; i < 4; i++) {
        assert_int_equal (stele_settings_set (self, "legacy-keys", yes [i], &refusal), 0);
        assert_true (self->legacy_keys);
        assert_int_equal (stele_settings_set (self, "legacy-keys", no [i], &refusal), 0);
        assert_false (self->legacy_keys);
    }
    assert_int_equal (stele_settings_set (self, "workers", "7", &refusal), 0);
    assert_int_equal (self->workers, 7);
    assert_int_equal (stele_settings_set (self, "interrupted", "none", &refusal), 0);
    assert_int_equal (stele_settings_set (self, "integrity", "full", &refusal), 0);
    assert_int_equal (stele_settings_set (self, "pipeline-in", "ipc:///tmp/in", &refusal), 0);
    assert_int_equal (stele_settings_set (self, "pipeline-in", "", &refusal), 0);
    assert_string_equal (self->pipeline_in, "");
    assert_int_equal (stele_settings_set (self, "accept-loss", "yes", &refusal), 0);
    stele_settings_destroy (&self);
}

static void
test_settings_set_refusal_names_setting_and_value (void **state)
{
    (void) state;
    static const struct { const char *name; const char *value; } wrong [] = {
        { "no-such", "1" }, { "", "1" }, { "workers", "0" }, { "workers", "-1" }, { "workers", "two" },
        { "workers", "" }, { "workers", "7x" }, { "workers", "99999999999999999999" },
        { "legacy-keys", "maybe" }, { "interrupted", "some" }, { "integrity", "" }, { "integrity", "qui" },
        { "mode", "dual|sqlite" }, { "mode", "redi" }, { "feed", "" }, { "message-bytes", "255" }
    };
    stele_settings_t *self = stele_settings_new ();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong [0]; i++) {
        stele_refusal_t refusal = { 0 };
        assert_int_equal (stele_settings_set (self, wrong [i].name, wrong [i].value, &refusal),
            STELE_EINVALID_FIELD);
        assert_string_equal (refusal.field, wrong [i].name);
        assert_non_null (strstr (refusal.message, wrong [i].name));
    }
    assert_int_equal (self->workers, 2);
    assert_string_equal (self->interrupted, "owner");
    stele_refusal_t refusal = { 0 };
    stele_settings_set (self, "message-bytes", "0", &refusal);
    assert_string_equal (refusal.message, "message-bytes takes an integer from 256 to 1073741824, not '0'");
    stele_settings_set (self, "workers", "0", &refusal);
    assert_string_equal (refusal.message, "workers takes an integer of at least 1, not '0'");
    stele_settings_set (self, "mode", "redi", &refusal);
    assert_string_equal (refusal.message, "mode takes dual, sqlite or redis, not 'redi'");
    stele_settings_destroy (&self);
}

static void
s_load (const char *text, int expected, const char *reason)
{
    char folder [] = "/tmp/test_settings.XXXXXX";
    assert_non_null (mkdtemp (folder));
    char path [sizeof folder + 16];
    snprintf (path, sizeof path, "%s/steled.conf", folder);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
    stele_settings_t *self = stele_settings_new ();
    stele_refusal_t refusal = { 0 };
    int rc = stele_settings_load (self, path, &refusal);
    unlink (path);
    rmdir (folder);
    assert_int_equal (rc, expected);
    if (rc) {
        assert_non_null (strstr (refusal.message, path));
        assert_non_null (strstr (refusal.message, reason));
    }
    else {
        assert_int_equal (self->workers, 3);
        assert_string_equal (self->redis, "none");
    }
    stele_settings_destroy (&self);
}

static void
test_settings_load_reads_a_file (void **state)
{
    (void) state;
    s_load ("#   a comment\nworkers = 3\nredis = \"none\"\n", 0, NULL);
}

static void
test_settings_load_refusal_names_the_file (void **state)
{
    (void) state;
    s_load ("workers = many\n", STELE_EINVALID_FIELD, "workers");
    s_load ("worker = 3\n", STELE_EINVALID_FIELD, "worker");
    s_load ("accept-loss = yes\n", STELE_EINVALID_FIELD, "--accept-loss");
    s_load ("#   a comment\n\nwindow = 1\nworkers = many\n", STELE_EINVALID_FIELD, "line 4: workers");
    s_load ("workers = 3\nworkers-x = 1\nworkers = 0\n", STELE_EINVALID_FIELD, "line 2: ");
    s_load ("workers = 3\nworkers = 0\n", STELE_EINVALID_FIELD, "line 2: workers");
    s_load ("redis = none\n    workers = 3\n", STELE_EINVALID_FIELD, "line 1: the line after 'redis' is indented");
    stele_settings_t *self = stele_settings_new ();
    stele_refusal_t refusal;
    assert_int_equal (stele_settings_load (self, "/nonexistent/steled.conf", &refusal), STELE_EINVALID_FIELD);
    assert_non_null (strstr (refusal.message, "/nonexistent/steled.conf"));
    stele_settings_destroy (&self);
}

static void
test_settings_reload_takes_what_is_live (void **state)
{
    (void) state;
    char others [200];
    stele_settings_t *self = stele_settings_new ();
    stele_settings_t *fresh = stele_settings_new ();
    assert_false (stele_settings_reload (self, fresh, others, sizeof others));
    assert_string_equal (others, "");
    assert_int_equal (stele_settings_set (fresh, "log-level", "debug", NULL), 0);
    assert_int_equal (stele_settings_set (fresh, "workers", "7", NULL), 0);
    assert_int_equal (stele_settings_set (fresh, "feed", "ipc://feed", NULL), 0);
    assert_true (stele_settings_reload (self, fresh, others, sizeof others));
    assert_string_equal (self->log_level, "debug");
    assert_int_equal (self->workers, 2);
    assert_string_equal (others, "feed, workers");
    stele_settings_destroy (&fresh);
    stele_settings_destroy (&self);
}

static void
s_check (const char *name, const char *value, const char *reason)
{
    char folder [] = "/tmp/test_settings.XXXXXX";
    char ledger [sizeof folder + 16];
    assert_non_null (mkdtemp (folder));
    stele_settings_t *self = stele_settings_new ();
    stele_refusal_t refusal = { 0 };
    snprintf (ledger, sizeof ledger, "%s/stele.db", folder);
    assert_int_equal (stele_settings_set (self, "ledger", ledger, NULL), 0);
    assert_int_equal (stele_settings_set (self, name, value, NULL), 0);
    int code = stele_settings_check (self, &refusal);
    assert_int_equal (code, reason? STELE_EINVALID_FIELD: 0);
    if (reason && !strstr (refusal.message, reason))
        fail_msg ("%s = %s: %s", name, value, refusal.message);
    stele_settings_destroy (&self);
    assert_int_equal (rmdir (folder), 0);           // It is still empty
}

static void
test_settings_check_creates_nothing_and_names_the_reason (void **state)
{
    (void) state;
    s_check ("workers", "3", NULL);
    s_check ("redis", "none", NULL);
    s_check ("redis", "http://localhost", "redis://");
    s_check ("redis", "redis://app:secret@localhost/1", NULL);
    s_check ("events", "tcp://127.0.0.1:99999", "events");
    s_check ("feed", "tcp://127.0.0.1:5570", "events and feed have the same endpoint");
    s_check ("pipeline-in", "ipc:///dev/null", "not a socket");
    s_check ("pipeline-out", "ipc:///nonexistent/out", "directory");
    s_check ("requests", "tcp://no-such-host.invalid:5571", "no-such-host.invalid");
    s_check ("ledger", "/nonexistent/stele.db", "/nonexistent/");
    s_check ("ledger", "/tmp", "is a directory");
}

static void
test_settings_inproc_tells_brokers_apart (void **state)
{
    (void) state;
    stele_settings_t *self = stele_settings_new ();
    char buffer [80];
    char expected [80];
    snprintf (expected, sizeof expected, "inproc://stele-%s-writer", self->instance);
    assert_string_equal (stele_settings_inproc (self, "writer", buffer), expected);
    stele_settings_destroy (&self);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_settings_new_has_every_default),
        cmocka_unit_test (test_settings_set_takes_every_type),
        cmocka_unit_test (test_settings_set_refusal_names_setting_and_value),
        cmocka_unit_test (test_settings_load_reads_a_file),
        cmocka_unit_test (test_settings_load_refusal_names_the_file),
        cmocka_unit_test (test_settings_reload_takes_what_is_live),
        cmocka_unit_test (test_settings_check_creates_nothing_and_names_the_reason),
        cmocka_unit_test (test_settings_inproc_tells_brokers_apart)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
