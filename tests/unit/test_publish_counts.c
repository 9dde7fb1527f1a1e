/*  test_publish_counts - outcome of the published lines

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>
#include "cli/transfer/publish_counts.h"

static int64_t
s_ack (cli_publish_counts_t *self, int64_t number, int64_t position, bool duplicate)
{
    stele_receipt_t receipt = { STELE_ACKED, number, position, duplicate, 0, NULL };
    return cli_publish_counts_receipt (self, &receipt);
}

static int64_t
s_refuse (cli_publish_counts_t *self, int64_t number)
{
    stele_receipt_t receipt = { STELE_REFUSED, number, 0, false, STELE_EILLEGAL, "no" };
    return cli_publish_counts_receipt (self, &receipt);
}

static void
s_expect (const cli_publish_counts_t *self, int64_t accepted, int64_t duplicates, int64_t refused, int64_t open)
{
    cli_publish_counts_counts_t counts = cli_publish_counts_counts (self);
    assert_int_equal (counts.accepted, accepted);
    assert_int_equal (counts.duplicates, duplicates);
    assert_int_equal (counts.refused, refused);
    assert_int_equal (counts.open, open);
}

static void
test_tally_acks_count_what_they_cover (void **state)
{
    (void) state;
    cli_publish_counts_t *self = cli_publish_counts_new ();
    for (int64_t number = 1; number <= 10; number++)
        cli_publish_counts_published (self, number, number);
    s_expect (self, 0, 0, 0, 10);
    s_ack (self, 3, 0, true);
    s_expect (self, 0, 3, 0, 7);
    s_ack (self, 8, 105, false);
    s_expect (self, 5, 3, 0, 2);
    s_ack (self, 8, 105, false);        // Again
    s_ack (self, 10, 107, false);
    s_expect (self, 7, 3, 0, 0);
    assert_int_equal (cli_publish_counts_counts (self).position, 107);
    cli_publish_counts_destroy (&self);
    assert_null (self);
}

static void
test_tally_refused_are_not_accepted (void **state)
{
    (void) state;
    cli_publish_counts_t *self = cli_publish_counts_new ();
    for (int64_t number = 1; number <= 6; number++)
        cli_publish_counts_published (self, number, number);
    assert_int_equal (s_refuse (self, 2), 2);
    assert_int_equal (s_refuse (self, 5), 5);
    s_ack (self, 3, 2, false);
    s_expect (self, 2, 0, 2, 2);
    s_ack (self, 6, 4, false);
    s_expect (self, 4, 0, 2, 0);
    cli_publish_counts_destroy (&self);
}

static void
test_tally_refusal_after_its_ack_is_counted_once (void **state)
{
    (void) state;
    cli_publish_counts_t *self = cli_publish_counts_new ();
    for (int64_t number = 1; number <= 3; number++)
        cli_publish_counts_published (self, number, number);
    s_ack (self, 3, 2, false);
    s_refuse (self, 2);
    s_expect (self, 2, 0, 1, 0);
    cli_publish_counts_destroy (&self);
}

static void
test_tally_lines_between_are_not_counted (void **state)
{
    (void) state;
    cli_publish_counts_t *self = cli_publish_counts_new ();
    // Lines 3 and 6 are empty
    static const int64_t lines [] = { 1, 2, 4, 5, 7, 8 };
    for (int64_t number = 1; number <= 6; number++)
        cli_publish_counts_published (self, number, lines [number - 1]);
    s_ack (self, 2, 2, false);
    assert_int_equal (s_refuse (self, 3), 4);
    assert_int_equal (s_refuse (self, 4), 5);
    assert_int_equal (s_refuse (self, 6), 8);
    s_ack (self, 6, 3, false);
    s_expect (self, 3, 0, 3, 0);
    cli_publish_counts_published (self, 7, 9);
    assert_int_equal (s_refuse (self, 7), 9);
    cli_publish_counts_destroy (&self);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_tally_acks_count_what_they_cover),
        cmocka_unit_test (test_tally_refused_are_not_accepted),
        cmocka_unit_test (test_tally_refusal_after_its_ack_is_counted_once),
        cmocka_unit_test (test_tally_lines_between_are_not_counted)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
