/*  test_spool - events in a file until they are acked

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
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "client/spool/spool.h"
#include "client/spool/spool_format.h"

#define EVENT_BYTES (STELE_SPOOL_HEAD + 8)      // Size of a record that s_append writes

typedef struct {
    char folder [64];
    char path [96];
    stele_spool_t *spool;
    stele_refusal_t refusal;
} fixture_t;

static void
s_open (fixture_t *self)
{
    self->refusal.code = 0;
    self->spool = stele_spool_open (self->path, "p", STELE_SPOOL_BYTES_MAX, &self->refusal);
}

static int
s_setup (void **state)
{
    fixture_t *self = calloc (1, sizeof *self);
    assert_non_null (self);
    strcpy (self->folder, "/tmp/stele-test-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->path, sizeof self->path, "%s/spool", self->folder);
    s_open (self);
    assert_non_null (self->spool);
    *state = self;
    return 0;
}

static int
s_teardown (void **state)
{
    fixture_t *self = *state;
    stele_spool_close (&self->spool);
    static const char *const endings [] = { "", ".lock", ".copy" };
    for (size_t i = 0; i < sizeof endings / sizeof endings [0]; i++) {
        char name [128];
        snprintf (name, sizeof name, "%s%s", self->path, endings [i]);
        unlink (name);
    }
    assert_int_equal (rmdir (self->folder), 0);
    free (self);
    return 0;
}

//  End like a process that crashes: without the cleanup of a close
static void
s_crash (fixture_t *self)
{
    char copy [128], command [300];
    snprintf (copy, sizeof copy, "%s.copy", self->path);
    snprintf (command, sizeof command, "cp '%s' '%s'", self->path, copy);
    assert_int_equal (system (command), 0);
    stele_spool_close (&self->spool);
    assert_int_equal (rename (copy, self->path), 0);
}

static void
s_reopen (fixture_t *self)
{
    s_crash (self);
    s_open (self);
    assert_string_equal (self->refusal.code? self->refusal.message: "", "");
    assert_non_null (self->spool);
}

//  Append events of eight digits, first to last, together
static int
s_append (fixture_t *self, int first, int last)
{
    char bytes [2000] [16];
    stele_spool_event_t events [2000];
    int count = last - first + 1;
    for (int i = 0; i < count; i++) {
        snprintf (bytes [i], sizeof bytes [i], "%08d", first + i);
        events [i] = (stele_spool_event_t) { bytes [i], 8 };
    }
    return stele_spool_append (self->spool, events, (size_t) count, &self->refusal);
}

//  Expect these events next, and move past them
static void
s_expect (fixture_t *self, int first, int last)
{
    for (int value = first; value <= last; value++) {
        const void *data;
        size_t size;
        assert_true (stele_spool_next (self->spool, &data, &size, &self->refusal));
        char text [16];
        snprintf (text, sizeof text, "%08d", value);
        assert_int_equal (size, 8);
        assert_memory_equal (data, text, 8);
        stele_spool_pass (self->spool);
    }
}

static void
s_expect_none (fixture_t *self)
{
    const void *data;
    size_t size;
    assert_false (stele_spool_next (self->spool, &data, &size, &self->refusal));
    assert_int_equal (self->refusal.code, 0);
}

static int64_t
s_size (const fixture_t *self)
{
    struct stat file;
    assert_int_equal (stat (self->path, &file), 0);
    return file.st_size;
}

static void
s_flip (const fixture_t *self, int64_t offset)
{
    int handle = open (self->path, O_RDWR);
    char byte;
    assert_int_equal (pread (handle, &byte, 1, offset), 1);
    byte ^= 4;
    assert_int_equal (pwrite (handle, &byte, 1, offset), 1);
    close (handle);
}

static void
test_spool_events_survive_a_crash_in_order (void **state)
{
    fixture_t *self = *state;
    assert_int_equal (s_append (self, 1, 3), 0);
    assert_int_equal (s_append (self, 4, 4), 0);
    assert_int_equal (stele_spool_end (self->spool), 4);
    s_expect (self, 1, 2);
    s_reopen (self);
    assert_int_equal (stele_spool_end (self->spool), 4);
    s_expect (self, 1, 4);
    s_expect_none (self);
}

static void
test_spool_settled_events_are_gone (void **state)
{
    fixture_t *self = *state;
    s_append (self, 1, 5);
    s_expect (self, 1, 4);
    assert_int_equal (stele_spool_settle (self->spool, 3), 0);
    assert_int_equal (stele_spool_settle (self->spool, 2), 0);
    s_reopen (self);
    assert_int_equal (stele_spool_end (self->spool), 2);
    s_expect (self, 4, 5);
    s_append (self, 6, 6);
    s_expect (self, 6, 6);
    s_expect_none (self);
}

static void
test_spool_all_settled_and_closed_is_small (void **state)
{
    fixture_t *self = *state;
    s_append (self, 1, 1000);
    s_expect (self, 1, 1000);
    stele_spool_settle (self->spool, 1000);
    stele_spool_close (&self->spool);
    assert_int_equal (s_size (self), STELE_SPOOL_RECORDS);
    s_open (self);
    assert_int_equal (stele_spool_end (self->spool), 0);
    s_append (self, 1001, 1001);
    s_expect (self, 1001, 1001);
}

static void
test_spool_settled_bytes_are_reclaimed (void **state)
{
    fixture_t *self = *state;
    int64_t number = 0;
    for (int round = 0; round < 100; round++) {
        s_append (self, round * 1000 + 1, round * 1000 + 1000);
        s_expect (self, round * 1000 + 1, round * 1000 + 1000);
        number += 1000;
        assert_int_equal (stele_spool_settle (self->spool, number - 10), 0);
        assert_true (s_size (self) < 1048576 + 3000 * EVENT_BYTES);
    }
    s_reopen (self);
    s_expect (self, 99991, 100000);
    s_expect_none (self);
}

static void
test_spool_torn_end_is_cut_off (void **state)
{
    fixture_t *self = *state;
    s_append (self, 1, 3);
    s_append (self, 4, 6);
    stele_spool_close (&self->spool);
    int64_t whole = s_size (self);
    for (int64_t size = whole - 3 * EVENT_BYTES; size < whole; size += 7) {
        assert_int_equal (truncate (self->path, size), 0);
        s_open (self);
        assert_non_null (self->spool);
        int64_t events = (size - STELE_SPOOL_RECORDS) / EVENT_BYTES;
        assert_int_equal (stele_spool_end (self->spool), events);
        s_append (self, (int) events + 1, 6);
        s_expect (self, 1, 6);
        stele_spool_close (&self->spool);
        assert_int_equal (s_size (self), whole);
    }
    s_open (self);
}

static void
test_spool_group_torn_in_the_middle_is_cut_off (void **state)
{
    fixture_t *self = *state;
    s_append (self, 1, 3);
    s_append (self, 4, 9);
    stele_spool_close (&self->spool);
    //  Pages of a write that was not synced may reach the disk in any order
    s_flip (self, STELE_SPOOL_RECORDS + 5 * EVENT_BYTES + 3);
    s_open (self);
    assert_non_null (self->spool);
    s_expect (self, 1, 5);
    s_expect_none (self);
}

static void
test_spool_damage_before_synced_events_is_refused (void **state)
{
    fixture_t *self = *state;
    s_append (self, 1, 3);
    s_append (self, 4, 4);
    stele_spool_close (&self->spool);
    s_flip (self, STELE_SPOOL_RECORDS + EVENT_BYTES + STELE_SPOOL_HEAD + 1);
    int64_t size = s_size (self);
    s_open (self);
    assert_null (self->spool);
    assert_int_equal (self->refusal.code, STELE_EIO);
    assert_non_null (strstr (self->refusal.message, "damaged at byte"));
    assert_int_equal (s_size (self), size);
}

static void
test_spool_full_is_refused_and_appends_nothing (void **state)
{
    fixture_t *self = *state;
    stele_spool_close (&self->spool);
    self->spool = stele_spool_open (self->path, "p", 3 * EVENT_BYTES, &self->refusal);
    assert_int_equal (s_append (self, 1, 2), 0);
    assert_int_equal (s_append (self, 3, 4), STELE_EFULL);
    assert_non_null (strstr (self->refusal.message, "full"));
    assert_int_equal (s_append (self, 3, 3), 0);
    s_expect (self, 1, 3);
    s_expect_none (self);
    stele_spool_settle (self->spool, 2);
    assert_int_equal (s_append (self, 4, 5), 0);
    s_expect (self, 4, 5);
}

static void
test_spool_second_process_is_refused (void **state)
{
    fixture_t *self = *state;
    stele_refusal_t refusal;
    assert_null (stele_spool_open (self->path, "p", STELE_SPOOL_BYTES_MAX, &refusal));
    assert_int_equal (refusal.code, STELE_EBUSY);
}

static void
test_spool_other_producer_is_refused (void **state)
{
    fixture_t *self = *state;
    char owner [256];
    assert_true (stele_spool_owner (self->path, owner));
    assert_string_equal (owner, "p");
    stele_spool_close (&self->spool);
    assert_null (stele_spool_open (self->path, "q", STELE_SPOOL_BYTES_MAX, &self->refusal));
    assert_int_equal (self->refusal.code, STELE_EINVALID_FIELD);
    int handle = open (self->path, O_WRONLY | O_TRUNC);
    assert_int_equal (write (handle, "hello", 5), 5);
    close (handle);
    s_open (self);
    assert_null (self->spool);
    assert_int_equal (self->refusal.code, STELE_EINVALID_FIELD);
    assert_false (stele_spool_owner (self->path, owner));
}

static void
test_spool_numbering_is_kept (void **state)
{
    fixture_t *self = *state;
    int64_t offset;
    const char *ledger;
    assert_false (stele_spool_offset (self->spool, &offset, &ledger));
    s_append (self, 1, 5);
    assert_int_equal (stele_spool_keep_offset (100, "one", self->spool), 0);
    stele_spool_note_offset (self->spool, 100, "one");
    s_expect (self, 1, 5);
    stele_spool_settle (self->spool, 2);
    s_reopen (self);
    //  The first waiting event is number 1 now, and still has sequence 103
    assert_true (stele_spool_offset (self->spool, &offset, &ledger));
    assert_int_equal (offset, 102);
    assert_string_equal (ledger, "one");
    s_expect (self, 3, 5);
    stele_spool_settle (self->spool, 3);
    stele_spool_close (&self->spool);       // Rewrites the file
    s_open (self);
    assert_true (stele_spool_offset (self->spool, &offset, &ledger));
    assert_int_equal (offset, 105);
    s_append (self, 6, 6);
    assert_int_equal (stele_spool_end (self->spool), 1);
}

static void
test_spool_acked_without_its_events_reuses_no_number (void **state)
{
    fixture_t *self = *state;
    int64_t offset;
    const char *ledger;
    s_append (self, 1, 5);
    stele_spool_keep_offset (0, "one", self->spool);
    stele_spool_note_offset (self->spool, 0, "one");
    s_expect (self, 1, 5);
    stele_spool_settle (self->spool, 4);
    s_crash (self);
    assert_int_equal (truncate (self->path, STELE_SPOOL_RECORDS + EVENT_BYTES), 0);
    s_open (self);
    assert_non_null (self->spool);
    s_expect_none (self);
    assert_true (stele_spool_offset (self->spool, &offset, &ledger));
    assert_int_equal (offset, 4);
    s_append (self, 6, 6);
    s_reopen (self);
    s_expect (self, 6, 6);
}

static void
test_spool_lost_acked_block_sends_again (void **state)
{
    fixture_t *self = *state;
    s_append (self, 1, 3);
    s_expect (self, 1, 3);
    stele_spool_settle (self->spool, 2);
    s_crash (self);
    s_flip (self, STELE_SPOOL_ACKED + 9);
    s_open (self);
    s_expect (self, 1, 3);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
    const struct CMUnitTest tests [] = {
        TEST (test_spool_events_survive_a_crash_in_order),
        TEST (test_spool_settled_events_are_gone),
        TEST (test_spool_all_settled_and_closed_is_small),
        TEST (test_spool_settled_bytes_are_reclaimed),
        TEST (test_spool_torn_end_is_cut_off),
        TEST (test_spool_group_torn_in_the_middle_is_cut_off),
        TEST (test_spool_damage_before_synced_events_is_refused),
        TEST (test_spool_full_is_refused_and_appends_nothing),
        TEST (test_spool_second_process_is_refused),
        TEST (test_spool_other_producer_is_refused),
        TEST (test_spool_numbering_is_kept),
        TEST (test_spool_acked_without_its_events_reuses_no_number),
        TEST (test_spool_lost_acked_block_sends_again)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
