/*  test_producer_news - lines about producers: of committed batches only, and without floods

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
#include <unistd.h>
#include <cmocka.h>
#include "broker/ingest/producer_news.h"

#define SECOND INT64_C (1000000)

static int s_stderr = -1;           // The real one
static FILE *s_file;

//  The log goes to a file from here
static void
s_catch (void)
{
    s_file = tmpfile ();
    assert_non_null (s_file);
    s_stderr = dup (STDERR_FILENO);
    dup2 (fileno (s_file), STDERR_FILENO);
}

//  Number of its lines that contain the text
static int
s_count (const char *text)
{
    char line [2000];
    int count = 0;
    rewind (s_file);
    while (fgets (line, sizeof line, s_file))
        count += strstr (line, text) != NULL;
    return count;
}

static void
s_release (void)
{
    dup2 (s_stderr, STDERR_FILENO);
    close (s_stderr);
    fclose (s_file);
}

static void
test_producer_news_prints_committed_batches_only (void **state)
{
    (void) state;
    stele_news_t *self = stele_news_new ();
    stele_refusal_t refusal;
    stele_refuse (&refusal, STELE_EMISSING_FIELD, "title", "task.created needs title");
    s_catch ();
    stele_news_add (self, STELE_NEWS_LEASE, "p", 300, "the lease of %s", "p");
    stele_news_refused (self, "p", &refusal);
    int early = s_count ("");
    stele_news_rollback (self);
    stele_news_commit (self, SECOND);
    int rolled_back = s_count ("");
    stele_news_add (self, STELE_NEWS_LEASE, "p", 300, "the lease of %s", "p");
    stele_news_refused (self, "p", &refusal);
    stele_news_commit (self, SECOND);
    int lease = s_count ("warning steled: the lease of p");
    int refused = s_count ("producer p: an event or message was refused (missing_field): task.created needs title");
    int all = s_count ("");
    s_release ();
    assert_int_equal (early, 0);
    assert_int_equal (rolled_back, 0);
    assert_int_equal (lease, 1);
    assert_int_equal (refused, 1);
    assert_int_equal (all, 2);
    stele_news_destroy (&self);
    assert_null (self);
}

static void
test_producer_news_flood_becomes_a_count (void **state)
{
    (void) state;
    stele_news_t *self = stele_news_new ();
    s_catch ();
    for (int batch = 0; batch < 5; batch++) {
        for (int i = 0; i < 1000; i++)
            stele_news_add (self, STELE_NEWS_NEW_RUN, "p", 0, "new");
        stele_news_commit (self, (1 + batch) * SECOND);
    }
    stele_news_tick (self, 9 * SECOND);
    int more_early = s_count (" more ");
    stele_news_tick (self, 12 * SECOND);
    int lines = s_count ("steled: new");
    int more = s_count ("4990 more new instances of producers in the last 10 s");
    stele_news_add (self, STELE_NEWS_NEW_RUN, "p", 0, "new");
    stele_news_commit (self, 13 * SECOND);
    int again = s_count ("steled: new");
    stele_news_tick (self, 30 * SECOND);
    int all = s_count ("");
    s_release ();
    assert_int_equal (more_early, 0);
    assert_int_equal (lines, STELE_NEWS_BURST);
    assert_int_equal (more, 1);
    assert_int_equal (again, STELE_NEWS_BURST + 1);
    assert_int_equal (all, STELE_NEWS_BURST + 2);
    stele_news_destroy (&self);
}

static void
test_producer_news_refused_events_are_counted_per_minute (void **state)
{
    (void) state;
    stele_news_t *self = stele_news_new ();
    stele_refusal_t missing, exists;
    stele_refuse (&missing, STELE_EMISSING_FIELD, "title", "no title");
    stele_refuse (&exists, STELE_EINVALID_FIELD, "state", "bad state");
    s_catch ();
    for (int second = 1; second <= 50; second++) {
        for (int i = 0; i < 100; i++)
            stele_news_refused (self, "p", &missing);
        stele_news_refused (self, "p", &exists);
        stele_news_refused (self, NULL, &exists);
        stele_news_commit (self, second * SECOND);
        stele_news_tick (self, second * SECOND);
    }
    int at_first = s_count ("");
    stele_news_tick (self, 61 * SECOND);
    int after = s_count ("");
    int missing_lines = s_count ("producer p: 4900 events or messages were refused (missing_field), the last one: no title");
    int unknown_lines = s_count ("producer (peers and requests): 49 events or messages were refused (invalid_field)");
    stele_news_tick (self, 200 * SECOND);
    int silent = s_count ("");
    s_release ();
    assert_int_equal (at_first, 3);
    assert_int_equal (after, 6);
    assert_int_equal (missing_lines, 1);
    assert_int_equal (unknown_lines, 1);
    assert_int_equal (silent, 6);
    stele_news_destroy (&self);
}

static void
test_producer_news_more_producers_than_entries (void **state)
{
    (void) state;
    stele_news_t *self = stele_news_new ();
    stele_refusal_t refusal;
    char name [20];
    stele_refuse (&refusal, STELE_EMISSING_FIELD, "title", "no title");
    s_catch ();
    for (int i = 0; i < 1000; i++) {
        snprintf (name, sizeof name, "p%d", i);
        stele_news_refused (self, name, &refusal);
        stele_news_refused (self, name, &refusal);
    }
    stele_news_commit (self, SECOND);
    for (int second = 2; second < 200; second++)
        stele_news_tick (self, second * SECOND);
    int lines = s_count ("");
    s_release ();
    //  Ten at first, and ten and a count per window of ten seconds
    assert_in_range (lines, 11, 30);
    stele_news_destroy (&self);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_producer_news_prints_committed_batches_only),
        cmocka_unit_test (test_producer_news_flood_becomes_a_count),
        cmocka_unit_test (test_producer_news_refused_events_are_counted_per_minute),
        cmocka_unit_test (test_producer_news_more_producers_than_entries)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
