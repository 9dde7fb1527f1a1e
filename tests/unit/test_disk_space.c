/*  test_disk_space - when the disk of the ledger will be full

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "broker/ingest/disk_space.h"

#define S 1000000LL
#define SIZE 1000000000LL

static void
test_disk_space_without_samples_knows_nothing (void **state)
{
    (void) state;
    stele_disk_space_t disk = { .count = 0 };
    assert_int_equal (stele_disk_space_growth (&disk), 0);
    assert_int_equal (stele_disk_space_full_in_s (&disk), -1);
    stele_disk_space_note (&disk, S, 1000, SIZE);
    assert_int_equal (stele_disk_space_full_in_s (&disk), -1);
    stele_disk_space_note (&disk, 60 * S, 500, SIZE);           // 59 s: too short for a rate
    assert_int_equal (stele_disk_space_full_in_s (&disk), -1);
}

static void
test_disk_space_that_shrinks_is_full_at_a_time (void **state)
{
    (void) state;
    stele_disk_space_t disk = { .count = 0 };
    for (int i = 0; i <= 6; i++)
        stele_disk_space_note (&disk, S + i * 10 * S, 100000 - i * 100, SIZE);
    assert_int_equal (stele_disk_space_growth (&disk), 10);
    assert_int_equal (stele_disk_space_full_in_s (&disk), 9940);
}

static void
test_disk_space_rate_is_that_of_the_last_samples (void **state)
{
    (void) state;
    stele_disk_space_t disk = { .count = 0 };
    int64_t now_us = S, room = 1000000;
    for (int i = 0; i < 100; i++, now_us += 10 * S)
        stele_disk_space_note (&disk, now_us, room -= 1000, SIZE);
    assert_int_equal (stele_disk_space_growth (&disk), 100);
    for (int i = 0; i < STELE_DISK_SAMPLES; i++, now_us += 10 * S)
        stele_disk_space_note (&disk, now_us, room, SIZE);
    assert_int_equal (stele_disk_space_growth (&disk), 0);
    assert_int_equal (stele_disk_space_full_in_s (&disk), -1);
}

static void
test_disk_space_starts_again_when_room_was_made (void **state)
{
    (void) state;
    stele_disk_space_t disk = { .count = 0 };
    for (int i = 0; i <= 12; i++)
        stele_disk_space_note (&disk, S + i * 10 * S, 100000 - i * 100, SIZE);
    stele_disk_space_note (&disk, 140 * S, 500000000, SIZE);
    assert_int_equal (stele_disk_space_full_in_s (&disk), -1);
}

static void
test_disk_space_samples_the_disk_when_it_is_due (void **state)
{
    (void) state;
    stele_disk_space_t disk = { .count = 0 };
    stele_disk_space_sample (&disk, S, "/tmp/ledger.db");
    stele_disk_space_sample (&disk, 2 * S, "/tmp/ledger.db");
    assert_int_equal (disk.count, 1);
    assert_true (disk.size_bytes > 0);
    stele_disk_space_sample (&disk, 11 * S, "ledger.db");       // In the working folder
    assert_int_equal (disk.due_us, 21 * S);
    stele_disk_space_sample (&disk, 100 * S, "/no/such/folder/ledger.db");
    assert_true (disk.count >= 1);
}

static void
test_disk_space_is_read_when_it_is_asked_for (void **state)
{
    (void) state;
    char path [] = "/tmp/stele-disk-XXXXXX";
    int file = mkstemp (path);
    assert_true (file >= 0);
    stele_disk_space_t disk = { .count = 0 };
    stele_disk_space_sample (&disk, S, path);
    assert_int_equal (disk.count, 1);
    disk.free_bytes [0] = -1;           // As it was seconds ago
    stele_disk_space_sample (&disk, 2 * S, path);
    assert_int_equal (disk.free_bytes [0], -1);
    stele_disk_space_refresh (&disk, 2 * S, path);
    assert_int_equal (disk.count, 1);
    assert_true (disk.free_bytes [0] >= 0);
    assert_int_equal (disk.due_us, S + STELE_DISK_SAMPLE_US);
    close (file);
    unlink (path);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_disk_space_without_samples_knows_nothing),
        cmocka_unit_test (test_disk_space_that_shrinks_is_full_at_a_time),
        cmocka_unit_test (test_disk_space_rate_is_that_of_the_last_samples),
        cmocka_unit_test (test_disk_space_starts_again_when_room_was_made),
        cmocka_unit_test (test_disk_space_samples_the_disk_when_it_is_due),
        cmocka_unit_test (test_disk_space_is_read_when_it_is_asked_for)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
