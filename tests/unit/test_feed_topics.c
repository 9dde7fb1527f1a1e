/*  test_feed_topics - tests of what a subscription may receive, and of who is subscribed

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "broker/followers/feed_subscribers.h"
#include "broker/followers/feed_topics.h"

#define SPAN(text) { text, sizeof text - 1 }
static const stele_span_t s_ann [] = { SPAN ("ann") }, s_odd [] = { SPAN ("a/b%") },
    s_two [] = { SPAN ("ann"), SPAN ("ann-2") }, s_topics [] = { SPAN ("task.") };
#define FEED .roles = STELE_ROLE_BIT (FEED)
static const stele_identity_t s_all = { FEED }, s_of_ann = { FEED, .users = s_ann, .user_count = 1 },
    s_of_odd = { FEED, .users = s_odd, .user_count = 1 }, s_of_two = { FEED, .users = s_two, .user_count = 2 },
    s_of_topics = { FEED, .topics = s_topics, .topic_count = 1 },
    s_of_both = { FEED, .users = s_ann, .user_count = 1, .topics = s_topics, .topic_count = 1 },
    s_without = { .roles = STELE_ROLE_BIT (QUERY) };

static void
s_add (const char *topic, size_t size, void *arg)
{
    char *text = arg;
    sprintf (text + strlen (text), "[%.*s]", (int) size, topic);
}

static void
s_assert (const stele_identity_t *identity, const char *topic, const char *expected)
{
    char text [512] = "";
    stele_feed_grant (identity, topic, strlen (topic), s_add, text);
    assert_string_equal (text, expected);
}

static void
test_feed_topics_of_a_key_without_users_are_as_requested (void **state)
{
    (void) state;
    s_assert (&s_all, "", "[heartbeat][task.created][task.updated][task.state_changed][task.output_added]"
        "[task.metric_recorded][session.started][session.state_changed][session.command_executed][preference.set][audit.recorded]");
    s_assert (&s_all, "task.", "[task.]");
    s_assert (&s_all, "heartbeat", "[heartbeat]");
    s_assert (&s_all, "@ann/task.", "[@ann/task.]");
    s_assert (&s_all, "@", "");
    s_assert (&s_without, "", "");
    s_assert (&s_without, "heartbeat", "");
}

static void
test_feed_topics_of_a_bound_key_are_those_of_its_users (void **state)
{
    (void) state;
    s_assert (&s_of_ann, "", "[heartbeat][@ann/]");
    s_assert (&s_of_ann, "task.", "[@ann/task.]");
    s_assert (&s_of_ann, "heart", "[heartbeat][@ann/heart]");
    s_assert (&s_of_ann, "@", "");
    s_assert (&s_of_ann, "@ann/task.", "[@ann/task.]");
    s_assert (&s_of_ann, "@bob/", "");
    s_assert (&s_of_ann, "@ann", "");
    s_assert (&s_of_ann, "@an", "");
    s_assert (&s_of_two, "task.", "[@ann/task.][@ann-2/task.]");
    s_assert (&s_of_two, "@ann-2/", "[@ann-2/]");
    //  No name of a user can look like that of another one with a topic
    s_assert (&s_of_odd, "x", "[@a%2Fb%25/x]");
    s_assert (&s_of_odd, "@a/b%/", "");
}

static void
test_feed_topics_are_narrowed_to_those_of_the_key (void **state)
{
    (void) state;
    s_assert (&s_of_topics, "", "[heartbeat][task.]");
    s_assert (&s_of_topics, "ta", "[task.]");
    s_assert (&s_of_topics, "task.created/1", "[task.created/1]");
    s_assert (&s_of_topics, "session.", "");
    s_assert (&s_of_topics, "@ann/", "");
    s_assert (&s_of_both, "", "[heartbeat][@ann/task.]");
    s_assert (&s_of_both, "@ann/", "[@ann/task.]");
    s_assert (&s_of_both, "@ann/session.", "");
}

//  The longest topics fit
static void
test_feed_topics_of_the_longest_user_fit (void **state)
{
    (void) state;
    char name [STELE_LIMIT_ID], topic [STELE_USER_TOPIC_MAX];
    memset (name, '/', sizeof name);
    assert_int_equal (stele_user_topic ((stele_span_t) { name, sizeof name }, topic, sizeof topic), sizeof topic);
    assert_int_equal (topic [sizeof topic - 1], '/');
    assert_int_equal (stele_user_topic ((stele_span_t) { name, sizeof name }, topic, sizeof topic - 1), 0);
    //  A longer one is granted nothing
    char longer [8 * STELE_LIMIT_ID], text [64] = "";
    memset (longer, 'u', sizeof longer);
    stele_span_t user = { longer, sizeof longer };
    stele_identity_t identity = { FEED, .users = &user, .user_count = 1 };
    stele_feed_grant (&identity, "task.", 5, s_add, text);
    stele_feed_grant (&identity, "@u/", 3, s_add, text);
    assert_string_equal (text, "");
}

//  Repeated, unwarranted and unknown ends change nothing for others
static void
test_feed_subscribers_are_counted_by_connection (void **state)
{
    (void) state;
    stele_feed_subscribers_t *self = stele_feed_subscribers_new ();
    assert_true (stele_feed_subscribers_join (self, "a 1", 7, "x", 1));
    assert_false (stele_feed_subscribers_join (self, "a 1", 7, "x", 1));
    assert_false (stele_feed_subscribers_join (self, "a 2", 8, "x", 1));
    assert_false (stele_feed_subscribers_leave (self, "b 3", "x", 1));
    assert_false (stele_feed_subscribers_leave (self, "a 1", "x", 1));
    assert_false (stele_feed_subscribers_leave (self, "a 1", "x", 1));
    assert_false (stele_feed_subscribers_leave (self, NULL, "y", 1));
    //  A new connection has the file descriptor of one that has ended, before its end is known
    assert_false (stele_feed_subscribers_join (self, "a 4", 8, "x", 1));
    assert_false (stele_feed_subscribers_leave (self, "a 2", "x", 1));
    assert_false (stele_feed_subscribers_leave (self, NULL, "x", 1));
    assert_true (stele_feed_subscribers_join (self, "a 4", 8, "", 0));
    assert_true (stele_feed_subscribers_leave (self, NULL, "x", 1));
    assert_true (stele_feed_subscribers_leave (self, "a 4", "", 0));
    assert_false (stele_feed_subscribers_leave (self, NULL, "x", 1));
    assert_true (stele_feed_subscribers_join (self, "a 5", -1, "x", 1));
    stele_feed_subscribers_destroy (&self);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_feed_topics_of_a_key_without_users_are_as_requested),
        cmocka_unit_test (test_feed_topics_of_a_bound_key_are_those_of_its_users),
        cmocka_unit_test (test_feed_topics_are_narrowed_to_those_of_the_key),
        cmocka_unit_test (test_feed_topics_of_the_longest_user_fit),
        cmocka_unit_test (test_feed_subscribers_are_counted_by_connection)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
