/*  message - error messages on stderr, and results that reach stdout

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/terminal/message.h"
#include "cli/terminal/text.h"

static bool s_json;                 // --json
static char *s_pending;             // JSON: the last message; the one before the end is the error
static char s_code [40];            // Its code, "": follows from the exit status

void
cli_message_json (void)
{
    s_json = true;
}

void
cli_message_code (const char *code)
{
    snprintf (s_code, sizeof s_code, "%s", code);
}

static void
s_print_text (const char *text)
{
    fflush (stdout);
    fputs ("stele: ", stderr);
    cli_text_print (stderr, text, strlen (text), 0, CLI_CUT_END);
    fputc ('\n', stderr);
}

//  One object per line. The way out, which follows the first sentence, is the hint.
static void
s_print_json (const char *kind, const char *code, const char *text)
{
    const char *end = strstr (text, ". ");
    size_t size = end? (size_t) (end - text): strlen (text);
    json_t *message = json_object (), *line = json_object ();
    json_t *what = json_stringn (text, size), *hint = end? json_string (end + 2): NULL;
    if (code)
        json_object_set_new (message, "code", json_string (code));
    json_object_set_new (message, "message", what? what: json_string ("a text that is not valid UTF-8"));
    if (hint)
        json_object_set_new (message, "hint", hint);
    json_object_set_new (line, kind, message);
    fflush (stdout);
    json_dumpf (line, stderr, JSON_COMPACT | JSON_ENSURE_ASCII);
    fputc ('\n', stderr);
    json_decref (line);
}

static const char *
s_code_of (int status)
{
    static const struct { int status; const char *code; } codes [] = {
        { 1, "not_found" }, { EX_USAGE, "usage" }, { EX_DATAERR, "invalid_input" }, { EX_NOINPUT, "no_input" },
        { EX_UNAVAILABLE, "no_answer" }, { EX_CANTCREAT, "cannot_create" }, { EX_IOERR, "io" },
        { EX_TEMPFAIL, "temporary" }, { EX_PROTOCOL, "protocol" }, { EX_NOPERM, "not_allowed" },
        { EX_CONFIG, "not_configured" }, { 130, "interrupted" }
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes [0]; i++)
        if (codes [i].status == status)
            return codes [i].code;
    return "internal";
}

//  The pending message was not the last one
static void
s_flush_pending (void)
{
    if (s_pending)
        s_print_json ("warning", *s_code? s_code: NULL, s_pending);
    free (s_pending);
    s_pending = NULL;
    *s_code = 0;
}

void
cli_message_end (int status)
{
    if (s_pending && status)
        s_print_json ("error", *s_code? s_code: s_code_of (status), s_pending);
    else
        s_flush_pending ();
    free (s_pending);
    s_pending = NULL;
}

static char *
s_format (const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf (&text, format, args) < 0)
        abort ();
    return text;
}

void
cli_report (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    char *text = s_format (format, args);
    va_end (args);
    if (s_json) {
        s_flush_pending ();
        s_pending = text;
        return;
    }
    s_print_text (text);
    free (text);
}

void
cli_warn (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    char *text = s_format (format, args);
    va_end (args);
    if (s_json) {
        s_flush_pending ();
        s_print_json ("warning", NULL, text);
    }
    else
        s_print_text (text);
    free (text);
}

int
cli_usage_error (const char *command, const char *format, ...)
{
    char help [80];
    va_list args;
    va_start (args, format);
    char *text = s_format (format, args);
    va_end (args);
    snprintf (help, sizeof help, "Try 'stele %s%s--help'.", command? command: "", command? " ": "");
    if (s_json)
        cli_report ("%s. %s", text, help);
    else {
        s_print_text (text);
        fprintf (stderr, "%s\n", help);
    }
    free (text);
    return EX_USAGE;
}

void
cli_flush_stdout (void)
{
    if (fflush (stdout) == 0 && !ferror (stdout))
        return;
    if (errno == EPIPE) {
        signal (SIGPIPE, SIG_DFL);
        raise (SIGPIPE);
    }
    cli_report ("cannot write the results: %s", strerror (errno));
    cli_message_end (EX_IOERR);
    _exit (EX_IOERR);
}
