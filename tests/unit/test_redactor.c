/*  test_redactor - rule files, keywords, windows, bounds of work, and masked events

    Secrets are put together from parts, so that this file has none.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "redact/keywords.h"
#include "redact/redactor_internal.h"
#include "redact/rules.h"
#include "wire/json/json.h"
#include "wire/pack.h"
#include "wire/scan.h"

static const unsigned char s_key [STELE_REDACT_KEY] = "0123456789abcdef0123456789abcde";
static char s_token [41];           // A token of github
static char s_mask [64];            // Its mask under that key

static stele_redactor_t *
s_with (const char *rules)
{
    char path [] = "/tmp/rules-XXXXXX";
    int file = mkstemp (path);
    assert_true (file >= 0 && write (file, rules, strlen (rules)) == (ssize_t) strlen (rules));
    close (file);
    stele_refusal_t refusal = { 0 };
    stele_redactor_t *redactor = stele_redactor_new (path, s_key, &refusal);
    unlink (path);
    if (!redactor)
        print_message ("%s\n", refusal.message);
    return redactor;
}

static char *
s_masked (const stele_redactor_t *redactor)
{
    size_t size;
    const char *data = stele_redactor_masked (redactor, &size);
    char *text = malloc (size + 1);
    memcpy (text, data, size);
    text [size] = 0;
    return text;
}

static int
s_prepare (void **state)
{
    (void) state;
    snprintf (s_token, sizeof s_token, "gh%s%s", "p_", "Ab0Cd1Ef2Gh3Ij4Kl5Mn6Op7Qr8St9UvWxYz");
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    assert_non_null (redactor);
    assert_int_equal (stele_redactor_bytes (redactor, s_token, strlen (s_token)), 1);
    char *mask = s_masked (redactor);
    snprintf (s_mask, sizeof s_mask, "%s", mask);
    free (mask);
    stele_redactor_destroy (&redactor);
    return 0;
}

//  -- keywords --------------------------------------------------------------------------------

//  Compare the automaton with a search at every place
static void
test_keywords_random_texts_are_found_as_by_a_plain_search (void **state)
{
    (void) state;
    static const char *const words [] = { "abc", "bcd", "abcd", "cab", "aaa", "ABC", "b/c", "dabca" };
    enum { WORDS = sizeof words / sizeof words [0], SIZE = 400 };
    stele_keywords_t *keywords = stele_keywords_new ();
    for (int i = 0; i < WORDS; i++)
        assert_true (stele_keywords_add (keywords, words [i], strlen (words [i]), i % 2, i));
    stele_keywords_build (keywords);
    srand (7);
    for (int round = 0; round < 500; round++) {
        char text [SIZE];
        size_t size = (size_t) rand () % SIZE;
        for (size_t i = 0; i < size; i++)
            text [i] = "abcdABC/ "[rand () % 9];
        int expected = 0, found = 0;
        for (size_t at = 0; at < size; at++)
            for (int i = 0; i < WORDS; i++) {
                size_t length = strlen (words [i]);
                if (at + length <= size && (i % 2? strncasecmp (text + at, words [i], length):
                    strncmp (text + at, words [i], length)) == 0)
                    expected++;
            }
        stele_keywords_search_t search = stele_keywords_search (text, size);
        int tag;
        size_t start, length;
        while (stele_keywords_next (keywords, &search, &tag, &start, &length)) {
            assert_int_equal (length, strlen (words [tag]));
            assert_int_equal (strncasecmp (text + start, words [tag], length), 0);
            found++;
        }
        assert_int_equal (found, expected);
    }
    stele_keywords_destroy (&keywords);
    assert_null (keywords);
}

//  -- rule files ------------------------------------------------------------------------------

static void
test_rules_default_every_rule_compiles (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, NULL, NULL);
    assert_non_null (redactor);
    assert_true (stele_redactor_rule_count (redactor) >= 60);
    stele_redactor_destroy (&redactor);
}

static void
test_rules_wrong_file_is_refused_with_its_line (void **state)
{
    (void) state;
    static const char *const cases [] [2] = {
        { "keyword = abc\n", "f:1: a line is [id]" }, { "[a]\n[b]\nkeyword = abc\nregex = x\n", "f:2: rule a has no regex" },
        { "[a]\nregex = x", "f:2: rule a has no keyword" }, { "[A]\n", "f:1: an id has only" }, { "[]\n", "f:1: a section" },
        { "[a\n", "f:1: a section" }, { "[a]\nkeyword = ab\n", "f:2: a keyword has 3 to 64" }, { "[a]\nnonsense\n", "f:2: a line is" },
        { "[a]\ncolour = red\n", "f:2: unknown key" }, { "[a]\nback = 257\n", "f:2: back takes a number from 0 to 256" },
        { "[a]\nentropy = x\n", "f:2: entropy takes" }, { "[a]\ncase = lower\n", "f:2: it takes ignore or exact" },
        { "[a]\nregex = x\nregex = y\n", "f:3: rule a: one regex" }, { "[a]\nentropy = -1\n", "f:2: entropy takes" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases [0]; i++) {
        stele_rules_t *rules = stele_rules_new ();
        stele_refusal_t refusal = { 0 };
        assert_int_equal (stele_rules_read (rules, cases [i] [0], strlen (cases [i] [0]), "f", &refusal), STELE_EINVALID_FIELD);
        if (!strstr (refusal.message, cases [i] [1]))
            fail_msg ("case %zu: %s", i, refusal.message);
        stele_rules_destroy (&rules);
    }
}

static void
test_rules_same_id_replaces_and_disables (void **state)
{
    (void) state;
    stele_redactor_t *redactor = s_with ("[github-token]\nenabled = no\n[mine]\n keyword = \"id \"\r\nregex = id ([0-9]{4})\n");
    char text [100];
    snprintf (text, sizeof text, "%s id 1234", s_token);
    assert_int_equal (stele_redactor_bytes (redactor, text, strlen (text)), 1);
    char *masked = s_masked (redactor);
    assert_non_null (strstr (masked, s_token));
    assert_null (strstr (masked, "1234"));
    free (masked);
    stele_redactor_destroy (&redactor);
}

//  -- texts -----------------------------------------------------------------------------------

//  The windows of a regex end at 4 KiB and 64 KiB after a keyword
static void
test_redactor_secret_at_every_offset_around_a_window_edge_is_masked (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    enum { ROOM = 3 * 65536 };
    char *text = malloc (ROOM);
    static const size_t edges [] = { 4096, 65536, 2 * 65536 };
    for (size_t e = 0; e < sizeof edges / sizeof edges [0]; e++)
        for (size_t offset = edges [e] - 60; offset < edges [e] + 60; offset++) {
            memset (text, ' ', ROOM);
            memcpy (text, "authorization: ", 15);       // A keyword whose window ends at the edge
            memcpy (text + offset, s_token, strlen (s_token));
            assert_int_equal (stele_redactor_bytes (redactor, text, ROOM), 1);
            char *masked = s_masked (redactor);
            assert_null (memmem (masked, strlen (masked), s_token + 8, 20));
            assert_memory_equal (masked + offset, s_mask, strlen (s_mask));
            assert_int_equal (masked [offset + strlen (s_mask)], ' ');
            free (masked);
        }
    free (text);
    stele_redactor_destroy (&redactor);
}

static void
test_redactor_secret_longer_than_a_window_is_masked_to_its_end (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    static const size_t sizes [] = { 4000, 4096, 5000, 65536, 200000 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes [0]; i++) {
        char *text = malloc (sizes [i] + 100);
        int used = sprintf (text, "x gh%s", "p_");
        for (size_t at = 0; at < sizes [i]; at++)
            text [used + (int) at] = "ABCDEFGHIJKLMNOPabcdefgh01234567" [at * 7 % 32];
        strcpy (text + used + sizes [i], " tail");
        assert_int_equal (stele_redactor_bytes (redactor, text, strlen (text)), 1);
        char *masked = s_masked (redactor);
        assert_int_equal (strlen (masked), 2 + strlen (s_mask) + 5);
        assert_string_equal (masked + 2 + strlen (s_mask), " tail");
        free (masked);
        free (text);
    }
    stele_redactor_destroy (&redactor);
}

//  With 'newline' between its lines, and 'end'
static void
s_check_private_key (stele_redactor_t *redactor, const char *kind, const char *newline, int lines, const char *headers, bool end)
{
    char *text = malloc (100 * (size_t) lines + 1000);
    int used = sprintf (text, "see -----BEGIN %s%s-----%s%s", kind, " KEY", newline, headers);
    for (int line = 0; line < lines; line++) {
        for (int i = 0; i < (line == lines - 1? 22: 64); i++)
            text [used++] = "ABCDEFGHabcdefgh0123+/"[(line * 7 + i * 5) % 22];
        used += sprintf (text + used, "%s", newline);
    }
    if (end)
        used += sprintf (text + used, "-----END %s%s-----", kind, " KEY");
    sprintf (text + used, " and so on");
    assert_int_equal (stele_redactor_bytes (redactor, text, strlen (text)), 1);
    char *masked = s_masked (redactor);
    assert_true (strlen (masked) < 80);
    assert_non_null (strstr (masked, "see \xc2\xabredacted:private-key:"));
    assert_non_null (strstr (masked, " and so on"));
    free (masked);
    free (text);
}

static void
test_redactor_private_keys_are_masked_as_a_whole (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    static const char *const kinds [] = { "PRIVATE", "RSA PRIVATE", "EC PRIVATE", "OPENSSH PRIVATE", "ENCRYPTED PRIVATE" };
    static const int lines [] = { 1, 3, 50, 200 };
    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds [0]; kind++)
        for (size_t i = 0; i < sizeof lines / sizeof lines [0]; i++)
            for (int form = 0; form < 8; form++) {
                const char *newline = form & 1? "\\n": form & 4? "\r\n": "\n";
                s_check_private_key (redactor, kinds [kind], newline, lines [i], "", form & 2);
            }
    s_check_private_key (redactor, "RSA PRIVATE", "\n", 30, "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF\n\n", true);
    s_check_private_key (redactor, "RSA PRIVATE", "\n", 30, "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF\n\n", false);
    char text [200];
    snprintf (text, sizeof text, "if \"-----BEGIN RSA %s-----\" in text: raise ValueError (\"a private key\")", "PRIVATE KEY");
    assert_int_equal (stele_redactor_bytes (redactor, text, strlen (text)), 0);
    stele_redactor_destroy (&redactor);
}

static void
test_redactor_masks_are_keyed_and_never_masked_again (void **state)
{
    (void) state;
    unsigned char other [STELE_REDACT_KEY] = { 1 };
    stele_redactor_t *one = stele_redactor_new (NULL, s_key, NULL), *two = stele_redactor_new (NULL, other, NULL),
        *none = stele_redactor_new (NULL, NULL, NULL);
    assert_int_equal (strlen (s_mask), strlen ("\xc2\xabredacted:github-token:00000000\xc2\xbb"));
    assert_int_equal (stele_redactor_bytes (two, s_token, 40), 1);
    char *masked = s_masked (two);
    assert_string_not_equal (masked, s_mask);
    free (masked);
    assert_int_equal (stele_redactor_bytes (none, s_token, 40), 1);
    masked = s_masked (none);
    assert_string_equal (masked, "\xc2\xabredacted:github-token\xc2\xbb");
    char text [200];
    snprintf (text, sizeof text, "https://user:%s@host/ authorization: bearer %s", s_mask, s_mask);
    assert_int_equal (stele_redactor_bytes (one, text, strlen (text)), 0);
    free (masked);
    stele_redactor_destroy (&one);
    stele_redactor_destroy (&two);
    stele_redactor_destroy (&none);
}

static void
test_redactor_overlapping_secrets_get_one_mask (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    char text [200];
    snprintf (text, sizeof text, "https://oauth2:%s@host/x", s_token);
    assert_int_equal (stele_redactor_bytes (redactor, text, strlen (text)), 1);
    char *masked = s_masked (redactor);
    assert_null (strstr (masked, "Gh3Ij4"));
    assert_non_null (strstr (masked, "@host/x"));
    free (masked);
    stele_redactor_destroy (&redactor);
}

//  Bounded in steps: the number of tries and of exceeded bounds shows it without a clock
static void
test_redactor_expensive_regex_is_skipped_and_counted (void **state)
{
    (void) state;
    stele_redactor_t *redactor = s_with (
        "[bomb-a]\nkeyword = aaa\nregex = (?:a+)+$x\n[bomb-b]\nkeyword = aaa\nregex = (a|aa)+b\n"
        "[bomb-c]\nkeyword = aaa\nback = 200\nregex = (.*)*(.*)*(.*)*q\n[bomb-d]\nkeyword = aaa\nregex = (?R)?aaa(?1)?((?:a*)*)z\n");
    size_t size = 4 << 20;
    char *text = malloc (size);
    memset (text, 'a', size);
    memcpy (text + size - 100, " ", 1);
    memcpy (text + size - 60, s_token, 40);
    const char *rule;
    assert_int_equal (stele_redactor_bytes (redactor, text, size), 1);
    assert_in_range (stele_redactor_exceeded (redactor, &rule), 1, 4 * 9);
    assert_non_null (rule);
    free (text);
    stele_redactor_destroy (&redactor);
}

//  A hostile text: keywords at every place, for the rules that are built in
static void
test_redactor_text_of_keywords_is_read_to_its_end (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    static const char *const parts [] = {
        "eyJ", "://", "://a:", "bearer ", "authorization: bearer", "-----BEGIN RSA ", "sk-", "curl ", "machine ", "SG.", ":AA", "discord",
        "x-api-key", "8Q~", "AccountKey=", ";pwd=", "\"auth\"", "eyJhbGciOiJ9.",
        "password=", "password=aB-", "password: pass1", "api_key=", "api_key=aB_1", "_TOKEN=a1/", "secret_key='", "cookie: a=b; ", "mysql -p", "sshpass -p"
    };
    size_t size = 1 << 20;
    char *text = malloc (size);
    for (size_t i = 0; i < sizeof parts / sizeof parts [0]; i++) {
        size_t length = strlen (parts [i]);
        for (size_t at = 0; at < size; at++)
            text [at] = parts [i] [at % length];
        text [size - 50] = ' ';
        memcpy (text + size - 49, s_token, 40);
        text [size - 9] = ' ';
        assert_true (stele_redactor_bytes (redactor, text, size) >= 1);
        size_t masked_size;
        const char *masked = stele_redactor_masked (redactor, &masked_size);
        assert_null (memmem (masked, masked_size, s_token + 8, 20));
    }
    free (text);
    stele_redactor_destroy (&redactor);
}

//  A text of that part again and again, with a token near its end. Returns the work of the search
static int64_t
s_work_of (stele_redactor_t *redactor, char *text, size_t size, const char *part, size_t part_size)
{
    for (size_t at = 0; at < size; at++)
        text [at] = part [at % part_size];
    text [size - 50] = ' ';
    memcpy (text + size - 49, s_token, 40);
    text [size - 9] = ' ';
    stele_redactor_bytes (redactor, text, size);
    return redactor->work;
}

//  Each keyword alone, after a space, and in texts that nearly match: none costs more than its share, and none hides others
static void
test_redactor_work_on_any_text_is_bounded (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    size_t size = 64 << 10;
    char *text = malloc (size), part [400];
    static const char *const fillings [] = { "", "a", "1", "A1b2-", "\"", ": ", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF", "." };
    int64_t most = 0, max = 1000000 + 8 * (int64_t) size;
    for (size_t i = 0; i < stele_rules_count (redactor->rules); i++) {
        const stele_rule_t *rule = stele_rules_at (redactor->rules, i);
        for (size_t k = 0; k < rule->keyword_count; k += rule->keyword_count > 8? 5: 1)
            for (size_t f = 0; f < 3 * sizeof fillings / sizeof fillings [0]; f++) {
                int used = snprintf (part, sizeof part, "%s%s%s", f % 3 == 1? " ": f % 3 == 2? fillings [f / 3]: "",
                    rule->keywords [k], fillings [f / 3]);
                int64_t work = s_work_of (redactor, text, size, part, (size_t) used);
                most = work > most? work: most;
                assert_int_equal (redactor->work_max, max);
                size_t masked_size;
                const char *masked = stele_redactor_masked (redactor, &masked_size);
                if (redactor->work < 3 * max)
                    assert_null (memmem (masked, masked_size, s_token + 8, 20));
            }
    }
    //  One window more at most
    assert_in_range (most, max, 3 * (max + 2 * 65536));
    //  A rule without an anchor tries no place after its keyword
    const char *rule;
    int64_t before = stele_redactor_exceeded (redactor, &rule);
    s_work_of (redactor, text, size, " 9Q~", 4);
    assert_int_equal (stele_redactor_exceeded (redactor, &rule), before + 1);
    assert_string_equal (rule, "azure-client-secret");
    free (text);
    stele_redactor_destroy (&redactor);
}

//  The work of an event is that of all its texts together
static void
test_redactor_work_on_many_texts_is_bounded (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_array (pack, 20000);
    for (int i = 0; i < 20000; i++)
        stele_pack_string (pack, "7Q~ 8Q~ 9Q~ 7Q~");
    const char *rule;
    assert_int_equal (stele_redactor_event (redactor, stele_pack_data (pack), stele_pack_size (pack)), 0);
    assert_in_range (redactor->work, 1, redactor->work_max + 200);
    assert_int_equal (stele_redactor_exceeded (redactor, &rule), 1);
    //  So many secrets are masked, only the first ones with a mark
    stele_pack_clear (pack);
    stele_pack_array (pack, 16385);
    for (int i = 0; i < 16385; i++)
        stele_pack_string (pack, s_token);
    assert_int_equal (stele_redactor_event (redactor, stele_pack_data (pack), stele_pack_size (pack)), 16385);
    size_t size;
    const char *masked = stele_redactor_masked (redactor, &size);
    static const char bare [] = "\xc2\xabredacted:github-token\xc2\xbb";
    const char *first = memmem (masked, size, bare, sizeof bare - 1);
    assert_non_null (first);
    assert_null (memmem (first + 1, (size_t) (masked + size - first) - 1, bare, sizeof bare - 1));
    assert_null (memmem (masked, size, s_token, 40));
    //  The next event has its own
    stele_pack_clear (pack);
    stele_pack_string (pack, "7Q~");
    stele_redactor_event (redactor, stele_pack_data (pack), stele_pack_size (pack));
    assert_int_equal (stele_redactor_exceeded (redactor, &rule), 1);
    assert_in_range (redactor->work, 1, 200);
    stele_pack_destroy (&pack);
    stele_redactor_destroy (&redactor);
}

//  -- events ----------------------------------------------------------------------------------

static char *
s_event (stele_redactor_t *redactor, const char *json, size_t *secrets)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_refusal_t refusal;
    if (stele_json_parse_pack (json, strlen (json), pack, &refusal))
        fail_msg ("%s", refusal.message);
    *secrets = stele_redactor_event (redactor, stele_pack_data (pack), stele_pack_size (pack));
    size_t size = 0;
    const void *masked = *secrets? stele_redactor_masked (redactor, &size): NULL;
    const char *why;
    char *text = NULL;
    if (masked) {
        assert_int_equal (stele_scan_check (masked, size, size, &why), 0);
        text = stele_json_print (masked, size, false);
        assert_non_null (text);
    }
    stele_pack_destroy (&pack);
    return text;
}

static void
test_redactor_event_masks_values_and_keys_and_lists_them (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    char json [600], expected [900];
    snprintf (json, sizeof json, "{\"type\":\"x\",\"n\":1,\"title\":\"a %s b\",\"m\":{\"k\":[1,{\"%s\":\"%s\"}]},\"z\":null}", s_token,
        s_token, s_token);
    snprintf (expected, sizeof expected, "{\"type\":\"x\",\"n\":1,\"title\":\"a %s b\",\"m\":{\"k\":[1,{\"%s\":\"%s\"}]},\"z\":null,"
        "\"redacted\":[{\"field\":\"title\",\"rule\":\"github-token\",\"n\":1},{\"field\":\"m\",\"rule\":\"github-token\",\"n\":2}]}",
        s_mask, s_mask, s_mask);
    size_t secrets;
    char *text = s_event (redactor, json, &secrets);
    assert_int_equal (secrets, 3);
    assert_string_equal (text, expected);
    free (text);
    assert_null (s_event (redactor, "{\"type\":\"x\",\"url\":\"https://host/api-key\"}", &secrets));
    stele_redactor_destroy (&redactor);
}

static void
test_redactor_event_reads_a_value_with_its_key (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    static const char *const keys [] = { "aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", "SecretAccessKey" };
    size_t secrets, count;
    for (size_t i = 0; i < sizeof keys / sizeof keys [0]; i++) {
        char json [300];
        snprintf (json, sizeof json, "{\"metadata\":{\"env\":{\"%s\":\"%.20s%.20s\"}}}", keys [i], s_token + 4, s_token + 9);
        char *text = s_event (redactor, json, &secrets);
        assert_int_equal (secrets, 1);
        const stele_finding_t *findings = stele_redactor_findings (redactor, &count);
        assert_string_equal (findings [0].rule, "aws-secret-key");
        assert_string_equal (findings [0].field, "metadata");
        assert_non_null (strstr (text, keys [i]));
        free (text);
    }
    char *text = s_event (redactor, "{\"headers\":{\"Authorization\":\"Basic YWxhZGRpbjpvcGVuc2VzYW1l\",\"PGPASSWORD\":\"hunter2\"}}", &secrets);
    assert_int_equal (secrets, 2);
    assert_null (strstr (text, "hunter2"));
    assert_null (strstr (text, "YWxhZGR"));
    assert_non_null (strstr (text, "\"Basic \xc2\xabredacted"));
    free (text);
    stele_redactor_destroy (&redactor);
}

//  A name that ends in password, secret, api_key or token, wherever the map is
static void
test_redactor_event_value_is_a_secret_by_its_key (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    static const char *const secrets [] [3] = {
        { "password", "hunter22", "password-value" }, { "db_password", "Tr0ub4dor3xxyy", "password-value" },
        { "DB_PASSWORD", "Tr0ub4dor&3", "password-value" }, { "api_key", "q8Zr3LmT0xKp5VwY2bNc7HdF4jGs9AeU", "key-variable" },
        { "MY_BUILD_TOKEN", "q8Zr3LmT0xKp5VwY2bNc7HdF4jGs9AeU", "token-variable" },
        { "secret-key", "q8Zr3LmT0xKp5VwY2bNc7HdF4jGs9.:[]{}@$^eU", "key-variable" },
    };
    size_t count, found;
    for (size_t i = 0; i < sizeof secrets / sizeof secrets [0]; i++) {
        char json [300];
        snprintf (json, sizeof json, "{\"metadata\":[{\"env\":{\"%s\":\"%s\",\"x\":1}}]}", secrets [i] [0], secrets [i] [1]);
        char *text = s_event (redactor, json, &found);
        assert_int_equal (found, 1);
        assert_string_equal (stele_redactor_findings (redactor, &count) [0].rule, secrets [i] [2]);
        assert_null (strstr (text, secrets [i] [1]));
        free (text);
    }
    static const char *const others [] [2] = {
        { "password", "required" }, { "password", "user_password_1" }, { "password_file", "hunter22" }, { "password", "changeme123" },
        { "prompt_tokens", "q8Zr3LmT0xKp5VwY2bNc7HdF4jGs9AeU" }, { "api_key", "settings.production.api_key_v2" },
    };
    for (size_t i = 0; i < sizeof others / sizeof others [0]; i++) {
        char json [300];
        snprintf (json, sizeof json, "{\"metadata\":[{\"env\":{\"%s\":\"%s\",\"x\":1}}]}", others [i] [0], others [i] [1]);
        assert_null (s_event (redactor, json, &found));
    }
    stele_redactor_destroy (&redactor);
}

//  The whole value of a key with a certain name, whatever is in it
static void
test_redactor_event_value_of_a_named_key_is_masked_as_a_whole (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    static const char *const keys [] = {
        "password", "PASSWORD", "pass-word", "db_password", "dbPassword", "pwd", "passphrase", "client-secret", "clientSecret",
        "Private_Key", "secret", "credentials", "token", "auth", "API-Key", "api_key", "apikey", "access_token", "authorization",
    };
    static const char *const values [] = { "p$w<d>{x}|[y](z)", "a;b,c&d=e'f\\\\g`h", "$2b|Xy7)q(~~", "\xc3\xa4\xc3\xb6 7!/@?q" };
    size_t secrets, count;
    for (size_t i = 0; i < sizeof keys / sizeof keys [0]; i++)
        for (size_t k = 0; k < sizeof values / sizeof values [0]; k++) {
            bool has_space = strchr (values [k], ' ') != NULL;
            if (has_space && i >= 12)
                continue;       // A token has none
            char json [300];
            snprintf (json, sizeof json, "{\"details\":{\"env\":[{\"%s\":\"%s\",\"x\":\"y\"}]}}", keys [i], values [k]);
            char *text = s_event (redactor, json, &secrets);
            assert_int_equal (secrets, 1);
            const stele_finding_t *findings = stele_redactor_findings (redactor, &count);
            char expected [300];
            snprintf (expected, sizeof expected, "{\"%s\":\"\xc2\xabredacted:%s:%s\xc2\xbb\",\"x\":\"y\"}", keys [i],
                findings [0].rule, findings [0].mark);
            assert_non_null (strstr (text, expected));
            free (text);
        }
    stele_redactor_destroy (&redactor);
}

static void
test_redactor_event_named_key_leaves_what_is_no_secret (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    static const char *const others [] [2] = {
        { "password", "\"\"" }, { "password", "17" }, { "password", "true" }, { "password", "\"${DB_PASSWORD}\"" },
        { "password", "\"********\"" }, { "password", "\"This field is required.\"" }, { "password", "\"vault:kv/db#password\"" },
        { "private_key", "\"~/.ssh/id_ed25519\"" }, { "secret", "\"registry-credentials\"" }, { "token", "\"1024\"" },
        { "token", "\" the\"" }, { "token", "4096" }, { "auth", "\"basic\"" }, { "auth", "\"oauth2\"" },
        { "tokens", "\"p$w<d>{x}|[y](z)\"" }, { "author", "\"p$w<d>{x}|[y](z)\"" }, { "password_file", "\"p$w<d>{x}|[y](z)\"" },
        { "PWD", "\"/workspace/repo\"" }, { "pwd", "\"C:\\\\Users\\\\bob\"" }, { "token", "\"\xd1\x84\xd1\x83\xd0\xbd\xd0\xba\xd1\x86\xd0\xb8\xd1\x8f\"" },
    };
    for (size_t i = 0; i < sizeof others / sizeof others [0]; i++) {
        char json [300];
        size_t secrets;
        snprintf (json, sizeof json, "{\"details\":{\"%s\":%s}}", others [i] [0], others [i] [1]);
        assert_null (s_event (redactor, json, &secrets));
    }
    stele_redactor_destroy (&redactor);
}

//  A password with any characters in JSON text is masked up to its quote
static void
test_redactor_json_text_password_is_masked_to_its_end (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    static const char *const texts [] [2] = {
        { "{\"user\":\"x\",\"password\": \"a1$(b)<c>{d}\",\"port\":1}", "\"password\": \"\xc2\xabredacted:" },
        { "log: {\"PASSWD\":\"q7;b\\\"c,d|e\"}", "\"PASSWD\":\"\xc2\xabredacted:" },
        { "\"{\\\"client_secret\\\":\\\"x9[y]=z&w\\\"}\"", "\\\"client_secret\\\":\\\"\xc2\xabredacted:" },
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts [0]; i++) {
        assert_int_equal (stele_redactor_bytes (redactor, texts [i] [0], strlen (texts [i] [0])), 1);
        char *text = s_masked (redactor), *mask = strstr (text, texts [i] [1]);
        assert_non_null (mask);
        assert_memory_equal (strstr (mask, "\xc2\xbb") + 2, i == 2? "\\\"}": "\"", i == 2? 3: 1);
        free (text);
    }
    static const char *const others [] = {
        "{\"password\": \"${DB_PASS_1}\"}", "{\"password\": \"<from vault 1>\"}", "{\"password\": \"user_password_1\"}",
        "{\"password\": \"pbkdf2_sha256$260000$abc\"}", "{\"password\": \"^[a-z0-9]{8,}$\"}", "{\"password\": \"see https://x/1\"}",
    };
    for (size_t i = 0; i < sizeof others / sizeof others [0]; i++)
        assert_int_equal (stele_redactor_bytes (redactor, others [i], strlen (others [i])), 0);
    stele_redactor_destroy (&redactor);
}

//  More keywords than are remembered, long values, and the limits of a rule with names
static void
test_redactor_event_named_keys_are_found_among_many_keywords (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map (pack, 100);
    char value [9000];
    for (int i = 0; i < 100; i++) {
        memset (value, '!', sizeof value);
        memcpy (value, "x://y<", 6);
        stele_pack_string (pack, i == 50? "passwd": i == 99? "clientSecret": "other");
        stele_pack_text (pack, value, i == 99? sizeof value: 20);
    }
    assert_int_equal (stele_redactor_event (redactor, stele_pack_data (pack), stele_pack_size (pack)), 2);
    char *text = s_masked (redactor);
    size_t size;
    stele_redactor_masked (redactor, &size);
    assert_true (size < 5000);
    assert_null (memmem (text, size, value, 30));
    free (text);
    stele_pack_destroy (&pack);
    stele_redactor_destroy (&redactor);
    redactor = s_with ("[badge]\nname = badge_id\nregex = ([0-9]{6})-[A-Z]\n[password-field]\nenabled = no\n");
    size_t secrets;
    text = s_event (redactor, "{\"x\":{\"Badge-ID\":\"123456-A\",\"badgeId\":\"654321\",\"passwd\":\"a<b>$7x\"}}", &secrets);
    assert_int_equal (secrets, 1);
    assert_non_null (strstr (text, "-A\",\"badgeId\":\"654321\",\"passwd\":\"a<b>$7x\""));
    free (text);
    stele_redactor_destroy (&redactor);
    assert_null (s_with ("[a]\nname = Badge\nregex = x\n"));
    assert_null (s_with ("[a]\nname = badge\nkeyword = abc\nregex = x\n"));
}

//  The head of a msgpack string may end with a byte that looks like a letter
static void
test_redactor_event_secret_at_the_start_of_a_text_of_any_length_is_found (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    char key [60], text [70000];
    snprintf (key, sizeof key, "sk%s%s", "-", "0123456789abcdefABCDEF0123456789xyzXYZ");
    stele_pack_t *pack = stele_pack_new ();
    for (size_t size = strlen (key); size < sizeof text; size += size < 1000? 1: 97) {
        memset (text, ' ', size);
        memcpy (text, key, strlen (key));
        stele_pack_clear (pack);
        stele_pack_map (pack, 2);
        stele_pack_string (pack, "a");
        stele_pack_text (pack, text, size);
        stele_pack_string (pack, "b");
        stele_pack_bytes (pack, text, size);
        assert_int_equal (stele_redactor_event (redactor, stele_pack_data (pack), stele_pack_size (pack)), 2);
        //  The same as bytes of something that is not valid msgpack
        assert_int_equal (stele_redactor_bytes (redactor, stele_pack_data (pack), stele_pack_size (pack) - 1), 2);
        if (size > 300)
            continue;
        //  In the list of findings of a producer
        stele_pack_clear (pack);
        stele_pack_map (pack, 1);
        stele_pack_string (pack, "redacted");
        stele_pack_array (pack, 1);
        stele_pack_text (pack, text, size);
        assert_int_equal (stele_redactor_event (redactor, stele_pack_data (pack), stele_pack_size (pack)), 1);
        size_t masked_size;
        const char *masked = stele_redactor_masked (redactor, &masked_size);
        assert_null (memmem (masked, masked_size, key, strlen (key)));
    }
    stele_pack_destroy (&pack);
    stele_redactor_destroy (&redactor);
}

static void
test_redactor_event_very_deep_nesting_is_masked_without_recursion (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    enum { DEPTH = 200000 };
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map (pack, 1);
    stele_pack_string (pack, "a");
    for (int i = 0; i < DEPTH; i++)
        stele_pack_array (pack, 1);
    stele_pack_string (pack, s_token);
    assert_int_equal (stele_redactor_event (redactor, stele_pack_data (pack), stele_pack_size (pack)), 1);
    size_t size;
    const char *masked = stele_redactor_masked (redactor, &size), *why;
    assert_int_equal (stele_scan_check (masked, size, size, &why), 0);
    assert_non_null (memmem (masked, size, s_mask, strlen (s_mask)));
    stele_pack_destroy (&pack);
    stele_redactor_destroy (&redactor);
}

static void
test_redactor_event_secret_in_an_id_is_marked_as_such (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    static const char *const fields [] = { "task_id", "session_id", "parent_id", "user_id", "title" };
    for (size_t i = 0; i < sizeof fields / sizeof fields [0]; i++) {
        char json [200];
        size_t secrets, count;
        snprintf (json, sizeof json, "{\"%s\":\"%s\"}", fields [i], s_token);
        free (s_event (redactor, json, &secrets));
        const stele_finding_t *findings = stele_redactor_findings (redactor, &count);
        assert_int_equal (count, 1);
        assert_int_equal (findings [0].in_id, i < 4);
        assert_string_equal (findings [0].field, fields [i]);
    }
    stele_redactor_destroy (&redactor);
}

static void
test_redactor_event_findings_are_bounded (void **state)
{
    (void) state;
    stele_redactor_t *redactor = stele_redactor_new (NULL, s_key, NULL);
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map (pack, 200);
    for (int i = 0; i < 200; i++) {
        char key [20];
        snprintf (key, sizeof key, "key%d", i);
        stele_pack_string (pack, key);
        stele_pack_string (pack, s_token);
    }
    assert_int_equal (stele_redactor_event (redactor, stele_pack_data (pack), stele_pack_size (pack)), 200);
    size_t count;
    const stele_finding_t *findings = stele_redactor_findings (redactor, &count);
    assert_int_equal (count, STELE_FINDINGS_MAX);
    assert_int_equal (findings [count - 1].count, 200 - STELE_FINDINGS_MAX + 1);
    //  One in an id is listed nevertheless
    stele_pack_clear (pack);
    stele_pack_map (pack, 201);
    for (int i = 0; i < 201; i++) {
        char field [20];
        snprintf (field, sizeof field, "key%d", i);
        stele_pack_string (pack, i == 150? "task_id": field);
        stele_pack_string (pack, s_token);
    }
    assert_int_equal (stele_redactor_event (redactor, stele_pack_data (pack), stele_pack_size (pack)), 201);
    findings = stele_redactor_findings (redactor, &count);
    assert_int_equal (count, STELE_FINDINGS_MAX);
    assert_true (findings [count - 1].in_id);
    assert_string_equal (findings [count - 1].field, "task_id");
    stele_pack_destroy (&pack);
    stele_redactor_destroy (&redactor);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_keywords_random_texts_are_found_as_by_a_plain_search),
        cmocka_unit_test (test_rules_default_every_rule_compiles),
        cmocka_unit_test (test_rules_wrong_file_is_refused_with_its_line),
        cmocka_unit_test (test_rules_same_id_replaces_and_disables),
        cmocka_unit_test (test_redactor_secret_at_every_offset_around_a_window_edge_is_masked),
        cmocka_unit_test (test_redactor_secret_longer_than_a_window_is_masked_to_its_end),
        cmocka_unit_test (test_redactor_private_keys_are_masked_as_a_whole),
        cmocka_unit_test (test_redactor_masks_are_keyed_and_never_masked_again),
        cmocka_unit_test (test_redactor_overlapping_secrets_get_one_mask),
        cmocka_unit_test (test_redactor_expensive_regex_is_skipped_and_counted),
        cmocka_unit_test (test_redactor_text_of_keywords_is_read_to_its_end),
        cmocka_unit_test (test_redactor_work_on_any_text_is_bounded),
        cmocka_unit_test (test_redactor_work_on_many_texts_is_bounded),
        cmocka_unit_test (test_redactor_event_masks_values_and_keys_and_lists_them),
        cmocka_unit_test (test_redactor_event_reads_a_value_with_its_key),
        cmocka_unit_test (test_redactor_event_value_is_a_secret_by_its_key),
        cmocka_unit_test (test_redactor_event_value_of_a_named_key_is_masked_as_a_whole),
        cmocka_unit_test (test_redactor_event_named_key_leaves_what_is_no_secret),
        cmocka_unit_test (test_redactor_json_text_password_is_masked_to_its_end),
        cmocka_unit_test (test_redactor_event_named_keys_are_found_among_many_keywords),
        cmocka_unit_test (test_redactor_event_secret_at_the_start_of_a_text_of_any_length_is_found),
        cmocka_unit_test (test_redactor_event_very_deep_nesting_is_masked_without_recursion),
        cmocka_unit_test (test_redactor_event_secret_in_an_id_is_marked_as_such),
        cmocka_unit_test (test_redactor_event_findings_are_bounded),
    };
    return cmocka_run_group_tests (tests, s_prepare, NULL);
}
