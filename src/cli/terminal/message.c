/*  message - error messages on stderr, and results that reach stdout

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/terminal/message.h"
#include "cli/terminal/text.h"

static void
s_report (const char *format, va_list args)
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
cli_report (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_report (format, args);
    va_end (args);
}

int
cli_usage_error (const char *command, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_report (format, args);
    va_end (args);
    fprintf (stderr, "Try 'stele %s%s--help'.\n", command? command: "", command? " ": "");
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
    _exit (EX_IOERR);
}
