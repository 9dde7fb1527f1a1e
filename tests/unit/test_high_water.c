/*  test_high_water - the high-water mark, and a ledger that is shorter than it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "sqlite/wal/high_water.h"

typedef struct {
    char folder [64];
    char path [96];                 // Of a ledger that is not there
    stele_high_water_t *high_water;
} desk_t;

static const stele_mark_t s_mark = { .ledger_id = "one", .position = 7, .rejected = 2 };

static int
s_setup (void **state)
{
    desk_t *self = calloc (1, sizeof *self);
    assert_non_null (self);
    strcpy (self->folder, "/tmp/stele-test-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->path, sizeof self->path, "%s/ledger", self->folder);
    self->high_water = stele_high_water_new (self->path);
    *state = self;
    return 0;
}

static int
s_teardown (void **state)
{
    desk_t *self = *state;
    unlink (stele_high_water_path (self->high_water));
    stele_high_water_destroy (&self->high_water);
    assert_int_equal (rmdir (self->folder), 0);
    free (self);
    return 0;
}

//  As another process reads it
static int
s_read (desk_t *self, stele_mark_t *mark)
{
    stele_high_water_t *other = stele_high_water_new (self->path);
    stele_refusal_t refusal;
    int rc = stele_high_water_read (other, mark, &refusal);
    stele_high_water_destroy (&other);
    return rc;
}

static void
s_expect (desk_t *self, int64_t position, int64_t rejected)
{
    stele_mark_t mark;
    assert_int_equal (s_read (self, &mark), 1);
    assert_string_equal (mark.ledger_id, "one");
    assert_int_equal (mark.position, position);
    assert_int_equal (mark.rejected, rejected);
}

static void
s_flip (desk_t *self, int64_t offset)
{
    int handle = open (stele_high_water_path (self->high_water), O_RDWR);
    char byte;
    assert_int_equal (pread (handle, &byte, 1, offset), 1);
    byte ^= 1;
    assert_int_equal (pwrite (handle, &byte, 1, offset), 1);
    close (handle);
}

static void
test_high_water_absent_is_no_error (void **state)
{
    desk_t *self = *state;
    stele_mark_t mark;
    assert_int_equal (s_read (self, &mark), 0);
}

static void
test_high_water_set_is_read_back (void **state)
{
    desk_t *self = *state;
    assert_int_equal (stele_high_water_create (self->high_water, &s_mark, NULL), 0);
    s_expect (self, 7, 2);
    for (int64_t position = 8; position < 50; position++) {
        assert_int_equal (stele_high_water_set (self->high_water, position, 2), 0);
        s_expect (self, position, 2);
    }
    assert_int_equal (stele_high_water_set (self->high_water, 49, 3), 0);
    s_expect (self, 49, 3);
    assert_int_equal (stele_high_water_sync (self->high_water, true), 0);
}

static void
test_high_water_says_that_the_ledger_is_suspended (void **state)
{
    desk_t *self = *state;
    stele_mark_t mark;
    stele_high_water_create (self->high_water, &s_mark, NULL);
    assert_int_equal (stele_high_water_suspend (self->high_water, 1764000000000000), 0);
    assert_int_equal (stele_high_water_set (self->high_water, 8, 2), 0);
    assert_int_equal (s_read (self, &mark), 1);
    assert_int_equal (mark.suspended, 1764000000000000);
    s_expect (self, 8, 2);
    assert_int_equal (stele_high_water_suspend (self->high_water, 0), 0);
    assert_int_equal (s_read (self, &mark), 1);
    assert_int_equal (mark.suspended, 0);
}

static void
test_high_water_goes_on_after_a_restart (void **state)
{
    desk_t *self = *state;
    stele_mark_t mark;
    stele_high_water_create (self->high_water, &s_mark, NULL);
    stele_high_water_set (self->high_water, 8, 2);
    for (int64_t position = 9; position < 20; position++) {
        stele_high_water_destroy (&self->high_water);
        self->high_water = stele_high_water_new (self->path);
        assert_int_equal (stele_high_water_read (self->high_water, &mark, NULL), 1);
        assert_int_equal (mark.position, position - 1);
        stele_high_water_set (self->high_water, position, 2);
    }
    s_expect (self, 19, 2);
}

static void
test_high_water_torn_write_leaves_the_mark_before (void **state)
{
    desk_t *self = *state;
    stele_high_water_create (self->high_water, &s_mark, NULL);
    stele_high_water_set (self->high_water, 8, 2);      // First block
    stele_high_water_set (self->high_water, 9, 2);      // Second
    s_flip (self, 4096 + 20);
    s_expect (self, 8, 2);
    s_flip (self, 4096 + 20);
    s_flip (self, 20);
    s_expect (self, 9, 2);
}

static void
test_high_water_damaged_is_said (void **state)
{
    desk_t *self = *state;
    stele_mark_t mark;
    stele_high_water_create (self->high_water, &s_mark, NULL);
    s_flip (self, 20);
    s_flip (self, 4096 + 20);
    assert_int_equal (s_read (self, &mark), STELE_ELEDGER);
    assert_int_equal (truncate (stele_high_water_path (self->high_water), 0), 0);
    assert_int_equal (s_read (self, &mark), STELE_ELEDGER);
    stele_high_water_create (self->high_water, &s_mark, NULL);
    s_expect (self, 7, 2);
}

static void
test_high_water_any_flipped_bit_is_noticed (void **state)
{
    desk_t *self = *state;
    stele_high_water_create (self->high_water, &s_mark, NULL);
    s_flip (self, 4096);
    for (int64_t offset = 0; offset < 60; offset++) {
        stele_mark_t mark;
        s_flip (self, offset);
        assert_int_equal (s_read (self, &mark), STELE_ELEDGER);
        s_flip (self, offset);
    }
    s_expect (self, 7, 2);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
    const struct CMUnitTest tests [] = {
        TEST (test_high_water_absent_is_no_error),
        TEST (test_high_water_set_is_read_back),
        TEST (test_high_water_says_that_the_ledger_is_suspended),
        TEST (test_high_water_goes_on_after_a_restart),
        TEST (test_high_water_torn_write_leaves_the_mark_before),
        TEST (test_high_water_damaged_is_said),
        TEST (test_high_water_any_flipped_bit_is_noticed)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
