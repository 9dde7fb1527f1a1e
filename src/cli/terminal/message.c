/*  cli - what the subcommands of stele share

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "cli/shared/cli.h"
#include "cli/terminal/text.h"

static void
s_say (const char *format, va_list args)
{
    char *text = NULL;
    int size = vasprintf (&text, format, args);
    if (size < 0)
        return;
    fflush (stdout);
    fputs ("stele: ", stderr);
    cli_text_print (stderr, text, (size_t) size, 0, CLI_CUT_END);
    fputc ('\n', stderr);
    free (text);
}

void
cli_say (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_say (format, args);
    va_end (args);
}

int
cli_say_usage (const char *command, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_say (format, args);
    va_end (args);
    fprintf (stderr, "Try 'stele %s%s--help'.\n", command? command: "", command? " ": "");
    return EX_USAGE;
}

int
cli_timeout (const cli_t *self, int otherwise_ms)
{
    if (self->timeout_ms == 0)
        return otherwise_ms;
    return self->timeout_ms < INT_MAX? (int) self->timeout_ms: INT_MAX;
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
    cli_say ("writing the results failed: %s", strerror (errno));
    _exit (EX_IOERR);
}
