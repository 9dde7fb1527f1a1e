/*  test_content - content is read back as it was stored

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "sqlite/compress/content.h"
#include "stele_error.h"

static int
s_setup (void **state)
{
    *state = stele_content_new (NULL);
    return 0;
}

static int
s_teardown (void **state)
{
    stele_content_t *content = *state;
    stele_content_destroy (&content);
    return 0;
}

//  Pack a value and unpack it. Returns its encoding.
static stele_encoding_t
s_round (stele_content_t *content, int kind, const char *text, size_t size, size_t *stored)
{
    stele_value_t value = { .kind = kind, .size = (uint32_t) size, .text = text };
    const void *data;
    stele_encoding_t encoding = stele_content_pack (content, &value, &data, stored);
    assert_non_null (data);

    stele_record_t *record = stele_record_new ();
    assert_int_equal (stele_content_unpack (content, encoding, kind == STELE_VALUE_TEXT,
        data, *stored, record, STELE_CONTENT), 0);
    assert_int_equal (record->values [STELE_CONTENT].kind, kind);
    assert_int_equal (record->values [STELE_CONTENT].size, size);
    assert_memory_equal (record->values [STELE_CONTENT].text, size? text: "", size);
    stele_record_destroy (&record);
    return encoding;
}

static void
test_content_short_stays_plain (void **state)
{
    size_t stored;
    assert_int_equal (s_round (*state, STELE_VALUE_TEXT, NULL, 0, &stored), STELE_ENCODING_PLAIN);
    assert_int_equal (s_round (*state, STELE_VALUE_BYTES, NULL, 0, &stored), STELE_ENCODING_PLAIN);
    assert_int_equal (s_round (*state, STELE_VALUE_TEXT, "a\0b", 3, &stored), STELE_ENCODING_PLAIN);
    assert_int_equal (stored, 3);
}

static void
test_content_repetitive_is_compressed (void **state)
{
    char text [10000];
    for (size_t i = 0; i < sizeof text; i++)
        text [i] = "compile ok\n" [i % 11];
    size_t stored;
    assert_int_equal (s_round (*state, STELE_VALUE_TEXT, text, 255, &stored), STELE_ENCODING_PLAIN);
    assert_int_equal (s_round (*state, STELE_VALUE_TEXT, text, 256, &stored), STELE_ENCODING_ZSTD_TEXT);
    assert_true (stored < 100);
    assert_int_equal (s_round (*state, STELE_VALUE_BYTES, text, sizeof text, &stored),
        STELE_ENCODING_ZSTD_BYTES);
    assert_true (stored < 200);
}

static void
test_content_noise_stays_plain (void **state)
{
    unsigned char noise [5000];
    uint64_t seed = 88172645463325252u;
    for (size_t i = 0; i < sizeof noise; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        noise [i] = (unsigned char) seed;
    }
    size_t stored;
    assert_int_equal (s_round (*state, STELE_VALUE_BYTES, (char *) noise, sizeof noise, &stored),
        STELE_ENCODING_PLAIN);
    assert_int_equal (stored, sizeof noise);
}

static void
test_content_at_limit_returns (void **state)
{
    char *text = calloc (1, STELE_LIMIT_CONTENT);
    assert_non_null (text);
    size_t stored;
    assert_int_equal (s_round (*state, STELE_VALUE_BYTES, text, STELE_LIMIT_CONTENT, &stored),
        STELE_ENCODING_ZSTD_BYTES);
    free (text);
}

static void
test_content_damaged_is_refused (void **state)
{
    char text [2000];
    memset (text, 'x', sizeof text);
    stele_value_t value = { .kind = STELE_VALUE_TEXT, .size = sizeof text, .text = text };
    const void *data;
    size_t size;
    stele_encoding_t encoding = stele_content_pack (*state, &value, &data, &size);
    assert_int_equal (encoding, STELE_ENCODING_ZSTD_TEXT);
    stele_record_t *record = stele_record_new ();
    for (size_t cut = 0; cut < size; cut++) {
        //  A copy of exact size, so that sanitizers detect a read past its end
        char *part = malloc (cut? cut: 1);
        memcpy (part, data, cut);
        assert_int_equal (stele_content_unpack (*state, encoding, false, part, cut,
            record, STELE_CONTENT), STELE_ELEDGER);
        free (part);
    }
    assert_int_equal (stele_content_unpack (*state, 7, true, data, size, record, STELE_CONTENT),
        STELE_ELEDGER);
    assert_false (stele_record_has (record, STELE_CONTENT));
    stele_record_destroy (&record);
}

static void
test_content_frame_over_limit_is_refused (void **state)
{
    //  A frame that claims 2^40 bytes
    static const unsigned char frame [] = {
        0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 0x01, 0, 0
    };
    stele_record_t *record = stele_record_new ();
    assert_int_equal (stele_content_unpack (*state, STELE_ENCODING_ZSTD_TEXT, false,
        frame, sizeof frame, record, STELE_CONTENT), STELE_ELEDGER);
    stele_record_destroy (&record);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_content_short_stays_plain, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_content_repetitive_is_compressed, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_content_noise_stays_plain, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_content_at_limit_returns, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_content_damaged_is_refused, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_content_frame_over_limit_is_refused, s_setup, s_teardown)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
