/*  message - error messages on stderr, and results that reach stdout

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_MESSAGE_H_INCLUDED
#define STELE_CLI_MESSAGE_H_INCLUDED

#include <sysexits.h>
#include "stele_library.h"

/*  Print one line to stderr, "stele: ...". Text from a broker or a task is made safe to
    show.                                                                    */
void
    cli_report (const char *format, ...) STELE_PRINTF (1, 2);

/*  The same for what is no failure of the command. With JSON it is printed at once. */
void
    cli_warn (const char *format, ...) STELE_PRINTF (1, 2);

/*  From now on messages are JSON, one object per line: {"warning": {message, hint}}, and at the end
    {"error": {code, message, hint}}.                                        */
void
    cli_message_json (void);

/*  The code of the message that was reported last, if it is not that of the exit status. */
void
    cli_message_code (const char *code);

/*  Call at the end: the last message is the error if the status is not 0.   */
void
    cli_message_end (int status);

/*  Report wrong usage, and how to get help. 'command' may be NULL. Returns EX_USAGE. */
int
    cli_usage_error (const char *command, const char *format, ...) STELE_PRINTF (2, 3);

/*  Flush stdout; call it after each page of results. If the reader has gone, the program
    ends by SIGPIPE, without a message; on any other error it exits with EX_IOERR. */
void
    cli_flush_stdout (void);

#endif
