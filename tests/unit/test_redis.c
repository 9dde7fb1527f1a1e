/*  test_redis - one connection to Redis: pipelines, transactions, and its state after a failure

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "cache/redis/redis.h"
#include "redis_server.h"

typedef struct {
    redis_server_t *server;
    stele_redis_t *redis;
} s_test_t;

static stele_redis_t *
s_new (const char *text, int timeout_ms)
{
    stele_redis_url_t url;
    assert_int_equal (stele_redis_url_parse (&url, text, NULL), 0);
    return stele_redis_new (&url, timeout_ms);
}

static int
s_setup (void **state)
{
    s_test_t *test = calloc (1, sizeof *test);
    test->server = redis_server_new ();
    test->redis = s_new (test->server->url, 1000);
    assert_int_equal (stele_redis_connect (test->redis), 0);
    *state = test;
    return 0;
}

static int
s_teardown (void **state)
{
    s_test_t *test = *state;
    stele_redis_destroy (&test->redis);
    redis_server_destroy (&test->server);
    free (test);
    return 0;
}

static void
test_redis_pipeline_is_answered_in_order (void **state)
{
    s_test_t *test = *state;
    for (int i = 0; i < 1000; i++) {
        stele_redis_word (test->redis, "ECHO");
        stele_redis_integer (test->redis, i);
        stele_redis_end (test->redis);
    }
    for (int i = 0; i < 1000; i++) {
        redisReply *reply = stele_redis_reply (test->redis);
        assert_int_equal (stele_reply_integer (reply, -1), i);
        freeReplyObject (reply);
    }
}

static void
test_redis_bytes_pass_unchanged (void **state)
{
    s_test_t *test = *state;
    const char bytes [] = "a\0b\r\n\xff";
    stele_redis_word (test->redis, "SET");
    stele_redis_bytes (test->redis, bytes, sizeof bytes);
    stele_redis_bytes (test->redis, bytes, 0);
    stele_redis_end (test->redis);
    stele_redis_word (test->redis, "GET");
    stele_redis_bytes (test->redis, bytes, sizeof bytes);
    stele_redis_end (test->redis);
    freeReplyObject (stele_redis_reply (test->redis));
    redisReply *reply = stele_redis_reply (test->redis);
    assert_int_equal (reply->type, REDIS_REPLY_STRING);
    assert_int_equal (reply->len, 0);
    freeReplyObject (reply);
}

static void
test_redis_transaction_tells_its_outcomes_apart (void **state)
{
    s_test_t *test = *state;
    stele_redis_t *redis = test->redis;
    stele_redis_multi (redis);
    stele_redis_command (redis, "SET", "a", "1");
    stele_redis_command (redis, "SET", "b", "2");
    assert_int_equal (stele_redis_exec (redis), STELE_EXEC_DONE);

    stele_redis_command (redis, "WATCH", "a", NULL);
    stele_redis_drain (redis);
    freeReplyObject (redis_server_ask (test->server, "SET a 3"));
    stele_redis_multi (redis);
    stele_redis_command (redis, "SET", "b", "4");
    assert_int_equal (stele_redis_exec (redis), STELE_EXEC_CHANGED);

    stele_redis_multi (redis);
    stele_redis_command (redis, "NOSUCHCOMMAND", NULL, NULL);
    stele_redis_command (redis, "SET", "b", "5");
    assert_int_equal (stele_redis_exec (redis), STELE_EXEC_REFUSED);
    assert_non_null (strstr (stele_redis_error (redis), "unknown command"));
    assert_int_equal (redis_server_number (test->server, "GET b"), 2);

    stele_redis_multi (redis);
    stele_redis_command (redis, "LPUSH", "a", "x");
    stele_redis_command (redis, "SET", "b", "6");
    assert_int_equal (stele_redis_exec (redis), STELE_EXEC_BROKEN);
    assert_non_null (strstr (stele_redis_error (redis), "WRONGTYPE"));
    assert_int_equal (redis_server_number (test->server, "GET b"), 6);

    stele_redis_multi (redis);
    stele_redis_command (redis, "SET", "b", "7");
    redis_server_kill (test->server);
    assert_int_equal (stele_redis_exec (redis), STELE_EXEC_LOST);
    assert_false (stele_redis_connected (redis));
}

static void
test_redis_server_gone_ends_the_connection_not_the_program (void **state)
{
    s_test_t *test = *state;
    redis_server_kill (test->server);
    for (int i = 0; i < 3; i++) {
        stele_redis_command (test->redis, "PING", NULL, NULL);
        assert_null (stele_redis_reply (test->redis));
        assert_false (stele_redis_connected (test->redis));
        assert_false (stele_redis_timed_out (test->redis));
    }
    assert_int_equal (stele_redis_connect (test->redis), STELE_EUNAVAILABLE);
    redis_server_start (test->server);
    assert_int_equal (stele_redis_connect (test->redis), 0);
}

static void
test_redis_time_out_throws_the_connection_away (void **state)
{
    s_test_t *test = *state;
    stele_redis_t *redis = s_new (test->server->url, 50);
    assert_int_equal (stele_redis_connect (redis), 0);
    redis_server_freeze (test->server);
    stele_redis_command (redis, "PING", NULL, NULL);
    assert_null (stele_redis_reply (redis));
    assert_true (stele_redis_timed_out (redis));
    assert_false (stele_redis_connected (redis));
    assert_string_equal (stele_redis_error (redis), "no answer within 50 ms");
    redis_server_thaw (test->server);
    stele_redis_destroy (&redis);
}

static void
test_redis_login_and_db_are_used (void **state)
{
    s_test_t *test = *state;
    redis_server_kill (test->server);
    redis_server_start_with (test->server, (const char *[]) { "--requirepass", "p w", NULL });
    assert_int_equal (stele_redis_connect (test->redis), STELE_EUNAVAILABLE);
    assert_non_null (strstr (stele_redis_error (test->redis), "NOAUTH"));

    char url [160];
    snprintf (url, sizeof url, "unix://:wrong@%s", test->server->socket);
    stele_redis_t *redis = s_new (url, 1000);
    assert_int_equal (stele_redis_connect (redis), STELE_EUNAVAILABLE);
    assert_non_null (strstr (stele_redis_error (redis), "WRONGPASS"));
    stele_redis_destroy (&redis);

    snprintf (url, sizeof url, "unix://default:p%%20w@%s?db=5", test->server->socket);
    redis = s_new (url, 1000);
    assert_int_equal (stele_redis_connect (redis), 0);
    stele_redis_command (redis, "SET", "a", "1");
    stele_redis_drain (redis);
    stele_redis_destroy (&redis);
    freeReplyObject (redis_server_ask (test->server, "AUTH %s", "p w"));
    freeReplyObject (redis_server_ask (test->server, "SELECT 5"));
    assert_int_equal (redis_server_number (test->server, "GET a"), 1);
}

static void
test_redis_integers_are_parsed_whole (void **state)
{
    (void) state;
    int64_t value = 7;
    assert_true (stele_redis_parse_integer ("-9223372036854775808", 20, &value));
    assert_true (value == INT64_MIN);
    assert_true (stele_redis_parse_integer ("120", 2, &value));
    assert_int_equal (value, 12);
    const char *const wrong [] = { "", "-", "+1", " 1", "1 ", "1x", "0x1", "1.0",
        "9223372036854775808", "99999999999999999999999999" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong [0]; i++)
        assert_false (stele_redis_parse_integer (wrong [i], strlen (wrong [i]), &value));
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_redis_pipeline_is_answered_in_order),
        TEST (test_redis_bytes_pass_unchanged),
        TEST (test_redis_transaction_tells_its_outcomes_apart),
        TEST (test_redis_server_gone_ends_the_connection_not_the_program),
        TEST (test_redis_time_out_throws_the_connection_away),
        TEST (test_redis_login_and_db_are_used),
        cmocka_unit_test (test_redis_integers_are_parsed_whole)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
