/*  test_tokenizer - the words of texts in scripts with and without spaces

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "sqlite/filter/tokenizer.h"

typedef struct {
    char text [1024];
    int left;                       // Stop after so many words
} words_t;

static int
s_add (void *arg, int flags, const char *word, int size, int start, int end)
{
    words_t *self = arg;
    assert_int_equal (flags, 0);
    assert_true (start < end);
    size_t used = strlen (self->text);
    snprintf (self->text + used, sizeof self->text - used, "%s%.*s", used? "|": "", size, word);
    return --self->left == 0? SQLITE_DONE: SQLITE_OK;
}

static void
s_expect_first (int flags, const char *text, int count, const char *expected)
{
    sqlite3 *db;
    int rc;
    assert_int_equal (sqlite3_open (":memory:", &db), SQLITE_OK);
    stele_tokenizer_t *self = stele_tokenizer_new (db, &rc);
    assert_non_null (self);
    words_t words = { .left = count };
    assert_int_equal (stele_tokenizer_split (self, flags, text, (int) strlen (text), s_add, &words), SQLITE_OK);
    assert_string_equal (words.text, expected);
    stele_tokenizer_destroy (&self);
    sqlite3_close (db);
}

static void
s_expect (const char *text, const char *expected)
{
    s_expect_first (FTS5_TOKENIZE_DOCUMENT, text, 0, expected);
}

static void
test_tokenizer_text_with_spaces_is_split_as_by_unicode61 (void **state)
{
    (void) state;
    s_expect ("", "");
    s_expect ("Fix the Café-Naïve build_7, 3.14!", "fix|the|cafe|naive|build|7|3|14");
    s_expect ("Ошибка — сборки Ω", "ошибка|сборки|ω");
    s_expect ("“quoted” … €5", "quoted|5");
}

static void
test_tokenizer_scripts_without_spaces_are_split_in_pairs (void **state)
{
    (void) state;
    s_expect ("修复构建错误", "修复|复构|构建|建错|错误|误");
    s_expect ("建", "建");
    s_expect ("fix修复Build", "fix|修复|复|build");
    s_expect ("修复,构建", "修复|复|构建|建");
    s_expect ("テストの失敗", "テス|スト|トの|の失|失敗|敗");
    s_expect ("빌드를 고침", "빌드|드를|를|고침|침");
    s_expect ("แก้ไข", "แก|ก้|้ไ|ไข|ข");
    s_expect ("𠮷野", "𠮷野|野");
}

static void
test_tokenizer_marks_do_not_split_a_word (void **state)
{
    (void) state;
    s_expect ("निर्माण विफल", "निर्माण|विफल");           // Hindi
    s_expect ("கட்டமைப்பு பிழை", "கட்டமைப்பு|பிழை");      // Tamil
    s_expect ("বিল্ড ব্যর্থ", "বিল্ড|ব্যর্থ");             // Bengali
    s_expect ("\xcc\x81 alone \xcc\x81", "alone");
    s_expect ("Cafe\xcc\x81 naive", "cafe|naive");         // An accent of its own, as one that is part of a letter
}

static void
test_tokenizer_emoji_are_words (void **state)
{
    (void) state;
    s_expect ("done 🚀", "done|🚀");
    s_expect ("🚀🎉", "🚀🎉|🎉");
    s_expect ("❤\xef\xb8\x8f ok", "❤|ok");
    s_expect ("👩\xe2\x80\x8d💻", "👩💻|💻");
    s_expect ("👍🏽 yes", "👍🏽|🏽|yes");
}

static void
test_tokenizer_word_that_is_looked_up_stays_one (void **state)
{
    (void) state;
    s_expect_first (FTS5_TOKENIZE_QUERY, "构建", 0, "构建");
    s_expect_first (FTS5_TOKENIZE_QUERY | FTS5_TOKENIZE_PREFIX, "建", 0, "建");
}

static void
test_tokenizer_stops_when_told (void **state)
{
    (void) state;
    s_expect_first (FTS5_TOKENIZE_DOCUMENT, "one two 修复构建 three", 2, "one|two");
    s_expect_first (FTS5_TOKENIZE_DOCUMENT, "one two 修复构建 three", 4, "one|two|修复|复构");
    s_expect_first (FTS5_TOKENIZE_DOCUMENT, "one two 修复构建 three", 6, "one|two|修复|复构|构建|建");
}

static void
test_tokenizer_broken_bytes_end_a_run (void **state)
{
    (void) state;
    s_expect ("\xff修复\xff", "修复|复");
}

static void
test_tokenizer_counts_characters_of_runs (void **state)
{
    (void) state;
    assert_int_equal (stele_tokenizer_run_characters ("构建", 6), 2);
    assert_int_equal (stele_tokenizer_run_characters ("🚀", 4), 1);
    assert_int_equal (stele_tokenizer_run_characters ("build", 5), 0);
    assert_int_equal (stele_tokenizer_run_characters ("", 0), 0);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_tokenizer_text_with_spaces_is_split_as_by_unicode61),
        cmocka_unit_test (test_tokenizer_scripts_without_spaces_are_split_in_pairs),
        cmocka_unit_test (test_tokenizer_marks_do_not_split_a_word),
        cmocka_unit_test (test_tokenizer_emoji_are_words),
        cmocka_unit_test (test_tokenizer_word_that_is_looked_up_stays_one),
        cmocka_unit_test (test_tokenizer_stops_when_told),
        cmocka_unit_test (test_tokenizer_broken_bytes_end_a_run),
        cmocka_unit_test (test_tokenizer_counts_characters_of_runs),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
