/*  test_options - command line options from one table

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cli/terminal/options.h"

typedef struct {
    bool json;
    bool full;
    const char *events;
    int64_t limit;
    cli_list_t states;
    char set [64];
} args_t;

static int
s_set (const cli_option_t *option, const char *value, void *target, char *error, size_t error_size)
{
    args_t *args = target;
    if (value && strcmp (value, "bad") == 0) {
        snprintf (error, error_size, "--%s cannot be bad", option->name);
        return -1;
    }
    snprintf (args->set, sizeof args->set, "%s=%s", option->name, value? value: "yes");
    return 0;
}

static const cli_option_t s_global [] = {
    { "json", 'j', NULL, "print JSON", CLI_FLAG, offsetof (args_t, json), 0, NULL },
    { "events", 0, "EP", "where to publish", CLI_TEXT, offsetof (args_t, events), 0, NULL },
    CLI_OPTIONS_END
};

static const cli_option_t s_own [] = {
    { "full", 'f', NULL, "print every field", CLI_FLAG, offsetof (args_t, full), 0, NULL },
    { "limit", 'n', "N", "at most N rows", CLI_NUMBER, offsetof (args_t, limit), 1, NULL },
    { "state", 0, "STATE", "only tasks in STATE", CLI_LIST, offsetof (args_t, states), 0, NULL },
    { "redis", 0, "URL", "where Redis is", CLI_CALL, 0, 0, s_set },
    { "legacy-keys", 0, NULL, "old keys too", CLI_CALL, 0, 0, s_set },
    CLI_OPTIONS_END
};

typedef struct {
    args_t args;
    cli_operands_t operands;
    char error [256];
    int used;
} fixture_t;

static void
s_parse (fixture_t *self, bool stop, int argc, const char **argv)
{
    memset (self, 0, sizeof *self);
    const cli_group_t groups [] = {
        { "Options", s_own, &self->args }, { "Global", s_global, &self->args }, CLI_GROUPS_END
    };
    self->used = cli_options_parse (groups, argc, (char **) argv, stop, &self->operands,
        self->error, sizeof self->error);
}

#define PARSE(self, stop, ...) do { \
    const char *argv [] = { __VA_ARGS__ }; \
    s_parse (self, stop, sizeof argv / sizeof argv [0], argv); \
} while (0)

static void
s_clear (fixture_t *self)
{
    cli_list_clear (&self->args.states);
    cli_operands_clear (&self->operands);
}

static void
test_options_long_and_short_are_taken (void **state)
{
    (void) state;
    fixture_t self;
    PARSE (&self, false, "--limit", "7", "-jf", "--events=ipc://x=y");
    assert_int_equal (self.used, 4);
    assert_int_equal (self.args.limit, 7);
    assert_true (self.args.json);
    assert_true (self.args.full);
    assert_string_equal (self.args.events, "ipc://x=y");
    s_clear (&self);
    PARSE (&self, false, "-n7");
    assert_int_equal (self.args.limit, 7);
    PARSE (&self, false, "-n", "8", "--events=");
    assert_int_equal (self.args.limit, 8);
    assert_string_equal (self.args.events, "");
}

static void
test_options_operands_between_are_kept (void **state)
{
    (void) state;
    fixture_t self;
    PARSE (&self, false, "one", "--json", "-", "--", "--full");
    assert_int_equal (self.used, 5);
    assert_true (self.args.json);
    assert_false (self.args.full);
    assert_int_equal (self.operands.count, 3);
    assert_string_equal (self.operands.items [0], "one");
    assert_string_equal (self.operands.items [1], "-");
    assert_string_equal (self.operands.items [2], "--full");
    s_clear (&self);
}

static void
test_options_stop_ends_before_first_operand (void **state)
{
    (void) state;
    fixture_t self;
    PARSE (&self, true, "--json", "list", "--full");
    assert_int_equal (self.used, 1);
    assert_true (self.args.json);
    assert_false (self.args.full);
    assert_int_equal (self.operands.count, 0);
}

static void
test_options_list_repeated_or_with_commas_is_joined (void **state)
{
    (void) state;
    fixture_t self;
    PARSE (&self, false, "--state", "running,queued,", "--state=failed", "--state", "a\\,b,c:\\d");
    assert_int_equal (self.args.states.count, 5);
    assert_string_equal (self.args.states.items [0], "running");
    assert_string_equal (self.args.states.items [1], "queued");
    assert_string_equal (self.args.states.items [2], "failed");
    assert_string_equal (self.args.states.items [3], "a,b");
    assert_string_equal (self.args.states.items [4], "c:\\d");
    s_clear (&self);
}

static void
test_options_call_gets_value (void **state)
{
    (void) state;
    fixture_t self;
    PARSE (&self, false, "--redis", "none");
    assert_string_equal (self.args.set, "redis=none");
    PARSE (&self, false, "--legacy-keys");
    assert_string_equal (self.args.set, "legacy-keys=yes");
    PARSE (&self, false, "--redis=bad");
    assert_int_equal (self.used, -1);
    assert_string_equal (self.error, "--redis cannot be bad");
}

static void
test_options_wrong_are_explained (void **state)
{
    (void) state;
    fixture_t self;
    PARSE (&self, false, "--stat", "x");
    assert_int_equal (self.used, -1);
    assert_string_equal (self.error, "unknown option --stat; did you mean --state?");
    PARSE (&self, false, "--something-else");
    assert_string_equal (self.error, "unknown option --something-else");
    PARSE (&self, false, "-x");
    assert_string_equal (self.error, "unknown option -x");
    PARSE (&self, false, "--limit");
    assert_string_equal (self.error, "--limit needs a value: --limit N");
    PARSE (&self, false, "-n");
    assert_string_equal (self.error, "-n needs a value: -n N");
    PARSE (&self, false, "--limit", "many");
    assert_string_equal (self.error, "--limit: 'many' is not a number");
    PARSE (&self, false, "--limit=0");
    assert_string_equal (self.error, "--limit: 0 is too small; the minimum is 1");
    PARSE (&self, false, "--limit=99999999999999999999");
    assert_int_equal (self.used, -1);
    PARSE (&self, false, "--json=yes");
    assert_string_equal (self.error, "--json takes no value");
}

static void
test_options_help_shows_every_option (void **state)
{
    (void) state;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream (&text, &size);
    assert_non_null (file);
    const cli_usage_t usage = { "stele list [OPTION]...", "About.", "After.", "  $ stele list" };
    const cli_group_t groups [] = {
        { "Options", s_own, NULL }, { "Global options", s_global, NULL }, CLI_GROUPS_END
    };
    cli_options_help (file, &usage, groups);
    fclose (file);
    assert_string_equal (text,
        "Usage: stele list [OPTION]...\n"
        "\n"
        "About.\n"
        "\n"
        "Options:\n"
        "  -f, --full                  print every field\n"
        "  -n, --limit N               at most N rows\n"
        "      --state STATE           only tasks in STATE\n"
        "      --redis URL             where Redis is\n"
        "      --legacy-keys           old keys too\n"
        "\n"
        "Global options:\n"
        "  -j, --json                  print JSON\n"
        "      --events EP             where to publish\n"
        "\n"
        "After.\n"
        "\n"
        "Examples:\n"
        "  $ stele list\n");
    free (text);
}

static void
test_options_wrap_long_text_breaks_at_words (void **state)
{
    (void) state;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream (&text, &size);
    assert_non_null (file);
    cli_options_wrap (file,
        "aaaaaaaaa bbbbbbbbb ccccccccc ddddddddd eeeeeeeee fffffffff ggggggggg hhhhhhhhh iiiiiiiii\n"
        " kept as  it is", 4);
    fclose (file);
    assert_string_equal (text,
        "    aaaaaaaaa bbbbbbbbb ccccccccc ddddddddd eeeeeeeee fffffffff ggggggggg\n"
        "    hhhhhhhhh iiiiiiiii\n"
        "     kept as  it is\n");
    free (text);
}

static void
test_options_nearest_far_word_is_none (void **state)
{
    (void) state;
    const char *const words [] = { "publish", "status", "stats", "get" };
    assert_string_equal (cli_options_nearest ("publsh", words, 4), "publish");
    assert_string_equal (cli_options_nearest ("stat", words, 4), "stats");
    assert_null (cli_options_nearest ("remove", words, 4));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_options_long_and_short_are_taken),
        cmocka_unit_test (test_options_operands_between_are_kept),
        cmocka_unit_test (test_options_stop_ends_before_first_operand),
        cmocka_unit_test (test_options_list_repeated_or_with_commas_is_joined),
        cmocka_unit_test (test_options_call_gets_value),
        cmocka_unit_test (test_options_wrong_are_explained),
        cmocka_unit_test (test_options_help_shows_every_option),
        cmocka_unit_test (test_options_wrap_long_text_breaks_at_words),
        cmocka_unit_test (test_options_nearest_far_word_is_none)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
