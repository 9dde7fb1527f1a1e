/*  test_redis_url - parse the URL of Redis, and refuse wrong ones with a reason

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "cache/redis/redis_url.h"

static void
s_assert_host (const char *text, const char *host, int port, int db)
{
    stele_redis_url_t url;
    stele_refusal_t refusal = { 0 };
    assert_int_equal (stele_redis_url_parse (&url, text, &refusal), 0);
    assert_false (url.local);
    assert_string_equal (url.place, host);
    assert_int_equal (url.port, port);
    assert_int_equal (url.db, db);
}

static void
test_redis_url_host_forms_are_read (void **state)
{
    (void) state;
    s_assert_host ("redis://localhost", "localhost", 6379, 0);
    s_assert_host ("redis://localhost/", "localhost", 6379, 0);
    s_assert_host ("redis://localhost/3", "localhost", 6379, 3);
    s_assert_host ("redis://127.0.0.1:7000/15", "127.0.0.1", 7000, 15);
    s_assert_host ("redis://[::1]:7000/1", "::1", 7000, 1);
    s_assert_host ("redis://[fe80::1]", "fe80::1", 6379, 0);
}

static void
test_redis_url_unix_forms_are_read (void **state)
{
    (void) state;
    stele_redis_url_t url;
    assert_int_equal (stele_redis_url_parse (&url, "unix:///run/redis.sock", NULL), 0);
    assert_true (url.local);
    assert_string_equal (url.place, "/run/redis.sock");
    assert_int_equal (url.db, 0);
    assert_int_equal (stele_redis_url_parse (&url, "unix:///run/redis.sock?db=4", NULL), 0);
    assert_string_equal (url.place, "/run/redis.sock");
    assert_int_equal (url.db, 4);
    assert_int_equal (stele_redis_url_parse (&url, "unix://:pw@/run/redis.sock?db=4", NULL), 0);
    assert_string_equal (url.place, "/run/redis.sock");
    assert_string_equal (url.password, "pw");
}

static void
test_redis_url_login_is_read_and_not_printed (void **state)
{
    (void) state;
    stele_redis_url_t url;
    char text [STELE_REDIS_URL_MAX];
    assert_int_equal (stele_redis_url_parse (&url, "redis://ann:p%40ss%3Aw@host:1/2", NULL), 0);
    assert_string_equal (url.user, "ann");
    assert_string_equal (url.password, "p@ss:w");
    assert_string_equal (url.place, "host");
    stele_redis_url_print (&url, text, sizeof text);
    assert_string_equal (text, "redis://host:1/2");

    assert_int_equal (stele_redis_url_parse (&url, "redis://:secret@[::1]", NULL), 0);
    assert_string_equal (url.user, "");
    assert_string_equal (url.password, "secret");
    stele_redis_url_print (&url, text, sizeof text);
    assert_string_equal (text, "redis://[::1]:6379/0");

    assert_int_equal (stele_redis_url_parse (&url, "unix:///a?db=2", NULL), 0);
    stele_redis_url_print (&url, text, sizeof text);
    assert_string_equal (text, "unix:///a?db=2");
}

static void
test_redis_url_wrong_is_refused_with_a_reason (void **state)
{
    (void) state;
    static const struct { const char *url; const char *reason; } wrong [] = {
        { "", "not the URL" }, { "localhost:6379", "not the URL" }, { "http://a", "not the URL" },
        { "rediss://a", "TLS" }, { "redis://", "host" }, { "redis://:6379", "host" },
        { "redis://a:", "port" }, { "redis://a:0", "port" }, { "redis://a:65536", "port" },
        { "redis://a:12x", "port" }, { "redis://a/x", "db" }, { "redis://a/1x", "db" },
        { "redis://a/-1", "db" }, { "redis://a/99999999999", "db" }, { "redis://a?db=1", "db" },
        { "redis://[::1", "]" }, { "redis://[::1]x", "port" }, { "redis://user@a", "password" },
        { "redis://user:@a", "password" }, { "redis://:%4@a", "encoded" },
        { "redis://:%zz@a", "encoded" }, { "redis://:%00@a", "encoded" },
        { "unix://", "path" }, { "unix://relative", "path" }, { "unix:///", "path" },
        { "unix:///a?db=", "db" }, { "unix:///a?db=x", "db" }, { "unix:///a?x=1", "parameter" }
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong [0]; i++) {
        stele_redis_url_t url;
        stele_refusal_t refusal = { 0 };
        if (stele_redis_url_parse (&url, wrong [i].url, &refusal) != STELE_EINVALID_FIELD
        ||  !strstr (refusal.message, wrong [i].reason))
            fail_msg ("'%s': %s", wrong [i].url, refusal.message);
        assert_non_null (strstr (refusal.message, "redis://"));
    }
}

static void
test_redis_url_too_long_is_refused (void **state)
{
    (void) state;
    char text [600];
    stele_redis_url_t url;
    memset (text, 'a', sizeof text);
    text [sizeof text - 1] = 0;
    memcpy (text, "redis://", 8);
    assert_int_equal (stele_redis_url_parse (&url, text, NULL), STELE_EINVALID_FIELD);
    memcpy (text, "unix:///", 8);
    assert_int_equal (stele_redis_url_parse (&url, text, NULL), STELE_EINVALID_FIELD);
    memcpy (text, "redis://:", 9);
    memcpy (text + sizeof text - 4, "@ab", 3);
    assert_int_equal (stele_redis_url_parse (&url, text, NULL), STELE_EINVALID_FIELD);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_redis_url_host_forms_are_read),
        cmocka_unit_test (test_redis_url_unix_forms_are_read),
        cmocka_unit_test (test_redis_url_login_is_read_and_not_printed),
        cmocka_unit_test (test_redis_url_wrong_is_refused_with_a_reason),
        cmocka_unit_test (test_redis_url_too_long_is_refused)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
