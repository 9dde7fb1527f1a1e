/*  test_packed_file - files that are compressed and expanded again

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "repository/packed_file.h"

#define MIB (1024 * 1024)

static void
test_packed_file_of_any_size_expands_to_the_same_size (void **state)
{
    (void) state;
    static const long sizes [] = { 1, 4096, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB };
    char folder [] = "/tmp/stele-packed-XXXXXX";
    assert_non_null (mkdtemp (folder));
    assert_int_equal (chdir (folder), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes [0]; i++) {
        stele_refusal_t refusal = { 0 };
        FILE *file = fopen ("source", "w");
        assert_non_null (file);
        for (long at = 0; at < sizes [i]; at++)
            putc ((int) (at * at % 251), file);
        fclose (file);
        assert_true (stele_packed_file_compress ("source", "packed", NULL, NULL, &refusal) > 0);
        assert_int_equal (stele_packed_file_expand ("packed", "expanded", NULL, NULL, &refusal), sizes [i]);
        assert_int_equal (truncate ("packed", 8), 0);
        assert_int_equal (stele_packed_file_expand ("packed", "torn", NULL, NULL, &refusal), STELE_ELEDGER);
        assert_int_not_equal (access ("torn", F_OK), 0);
        unlink ("source");
        unlink ("packed");
        unlink ("expanded");
    }
    assert_int_equal (rmdir (folder), 0);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_packed_file_of_any_size_expands_to_the_same_size)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
