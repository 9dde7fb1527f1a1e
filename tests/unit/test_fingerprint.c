/*  test_fingerprint - what errors of one kind have in common

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "model/fingerprint.h"

#define DOTS "\xe2\x80\xa6"

static void
s_assert_print (const char *text, const char *expected)
{
    char result [STELE_FINGERPRINT_MAX + 1];
    result [stele_fingerprint (text, strlen (text), result)] = 0;
    assert_string_equal (result, expected);
}

static void
test_fingerprint_leaves_out_what_differs (void **state)
{
    (void) state;
    static const char *const cases [] [2] = {
        { "evaluation: Submitted", "evaluation: Submitted" },
        { "exit status 7", "exit status #" },
        { "took 1.5 s of 1,000 at 12:30:00", "took # s of # at #" },
        { "issue #12 in v2", "issue # in v#" },
        { "task 0b5cae2a-6e21-44f0-a2d3-a6e6dd4c7c1b is gone", "task # is gone" },
        { "commit 9a0b5cae2a at 0x7ffe12", "commit # at #" },
        { "added decade facade", "added decade facade" },
        { "no file /tmp/a b/c.txt: ENOENT", "no file <path> b/c.txt: ENOENT" },
        { "cannot open ./x.py, ../y and ~/z", "cannot open <path>, <path> and <path>" },
        { "GET https://host:80/a/b?c=1 failed.", "GET <path> failed." },
        { "file=/var/log/x and/or C:\\Users\\x", "file=<path> and/or <path>" },
        { "name 'alice' and \"bob smith\" and `x`", "name '" DOTS "' and \"" DOTS "\" and `" DOTS "`" },
        { "can't read what isn't there", "can't read what isn't there" },
        { "  a\t\n b  ", "a b" },
        { "", "" }, { " \n ", "" },
        { "Traceback (most recent call last):\n  File \"/a/b.py\", line 3\n    x\nValueError: no 12\n", "ValueError: no #" },
        { "F\xc3\xa4hler 3", "F\xc3\xa4hler #" }
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases [0]; i++)
        s_assert_print (cases [i] [0], cases [i] [1]);
}

static void
test_fingerprint_is_bounded_and_cut_between_characters (void **state)
{
    (void) state;
    //  Characters of two bytes, so that a cut at the bound would be inside of one after an odd number of bytes
    for (size_t before = 0; before < 4; before++) {
        char text [STELE_FINGERPRINT_TEXT_MAX * 2], result [STELE_FINGERPRINT_MAX];
        memset (text, 'x', before);
        for (size_t i = before; i + 1 < sizeof text; i += 2)
            memcpy (text + i, "\xc3\xa4", 2);
        size_t size = stele_fingerprint (text, sizeof text, result);
        assert_in_range (size, STELE_FINGERPRINT_MAX - 1, STELE_FINGERPRINT_MAX);
        assert_int_equal ((size - before) % 2, 0);
        assert_memory_equal (result, text, size);
    }
}

//  In a block of exactly that size, so that a sanitizer sees any read beyond it
static void
test_fingerprint_reads_nothing_beyond_the_text (void **state)
{
    (void) state;
    static const char alphabet [] = "a0f-'\"`/\\.:~ \n\xc3\xa4#(=";
    srand (7);
    for (int round = 0; round < 20000; round++) {
        size_t size = (size_t) rand () % 40;
        char *text = malloc (size + 1), *exact = malloc (size? size: 1), result [STELE_FINGERPRINT_MAX];
        assert_true (text && exact);
        for (size_t i = 0; i < size; i++)
            text [i] = alphabet [(size_t) rand () % sizeof alphabet];
        memcpy (exact, text, size);
        size_t length = stele_fingerprint (exact, size, result);
        assert_true (length <= STELE_FINGERPRINT_MAX);
        char again [STELE_FINGERPRINT_MAX];
        assert_int_equal (stele_fingerprint (text, size, again), length);
        assert_memory_equal (again, result, length);
        free (exact);
        free (text);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_fingerprint_leaves_out_what_differs),
        cmocka_unit_test (test_fingerprint_is_bounded_and_cut_between_characters),
        cmocka_unit_test (test_fingerprint_reads_nothing_beyond_the_text)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
