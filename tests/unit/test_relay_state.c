/*  test_relay_state - the state of stele-relay, which several targets have open in one process

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
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "relay/state.h"

#define RESERVED 0x40000001         // The byte that SQLite locks before a transaction writes (RESERVED_BYTE in its os.h)

//  Does this process have that byte locked? Only another process can see it.
static bool
s_is_locked (const char *path)
{
    pid_t child = fork ();
    if (child == 0) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = RESERVED, .l_len = 1 };
        int fd = open (path, O_RDWR | O_CLOEXEC);
        _exit (fd < 0 || fcntl (fd, F_GETLK, &lock) != 0? 2: lock.l_type != F_UNLCK);
    }
    int status;
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_true (WIFEXITED (status) && WEXITSTATUS (status) < 2);
    return WEXITSTATUS (status) == 1;
}

static void
test_relay_state_commit_keeps_its_lock_while_another_target_opens_the_file (void **state)
{
    (void) state;
    char folder [] = "/tmp/stele-test-XXXXXX", path [64];
    struct stat file;
    stele_refusal_t refusal;
    relay_cursor_t cursor = { .position = -1 };
    assert_non_null (mkdtemp (folder));
    snprintf (path, sizeof path, "%s/relay.db", folder);
    relay_state_t *first = relay_state_open (path, true, &refusal);
    assert_non_null (first);
    assert_int_equal (stat (path, &file), 0);
    assert_int_equal (file.st_mode & 07137, 0);
    assert_int_equal (relay_state_cursor (first, "one", true, &cursor), 0);
    assert_false (s_is_locked (path));
    assert_int_equal (relay_state_begin (first, "one", &cursor, true), 0);
    assert_true (s_is_locked (path));
    relay_state_t *second = relay_state_open (path, true, &refusal);
    assert_non_null (second);
    assert_true (s_is_locked (path));
    assert_int_equal (relay_state_end (first), 0);
    assert_false (s_is_locked (path));
    relay_state_close (&second);
    relay_state_close (&first);
    assert_int_equal (unlink (path), 0);
    assert_int_equal (rmdir (folder), 0);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_relay_state_commit_keeps_its_lock_while_another_target_opens_the_file)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
