/*  codes - numbers that are stored in rows and that SQL text compares with

    They are stored: never renumber one. The codes of states and types are defined in
    model/vocabulary.h; those that SQL text needs are repeated here, and compared.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CODES_H_INCLUDED
#define STELE_CODES_H_INCLUDED

#include "model/vocabulary.h"

//  A code as SQL text: STELE_SQL_CODE (STELE_HISTORY_CREATED) is "1". It takes the macros of this
//  file, and no enumerators.
#define STELE_SQL_TEXT(text) #text
#define STELE_SQL_CODE(code) STELE_SQL_TEXT (code)

//  Kinds of history rows
#define STELE_HISTORY_CREATED       1
#define STELE_HISTORY_UPDATED       2
#define STELE_HISTORY_STATE_CHANGED 3
#define STELE_HISTORY_INTERRUPTED   4

//  States that SQL text names
#define STELE_CODE_TASK_QUEUED            1
#define STELE_CODE_TASK_STARTING          2
#define STELE_CODE_TASK_RUNNING           3
#define STELE_CODE_TASK_COMPLETING        5
#define STELE_CODE_TASK_TERMINAL_FROM     6     // All terminal states, and no others, have this code or a higher one
_Static_assert (STELE_CODE_TASK_QUEUED == STELE_TASK_QUEUED && STELE_CODE_TASK_STARTING == STELE_TASK_STARTING
    && STELE_CODE_TASK_RUNNING == STELE_TASK_RUNNING && STELE_CODE_TASK_COMPLETING == STELE_TASK_COMPLETING,
    "as in the vocabulary");
_Static_assert (STELE_CODE_TASK_TERMINAL_FROM == STELE_TASK_TERMINAL_FROM, "as in the vocabulary");

//  States in which work is in progress: it ends with the orchestrator that does it (protocol section 3)
#define STELE_SQL_IN_PROGRESS "(" STELE_SQL_CODE (STELE_CODE_TASK_STARTING) ", " \
    STELE_SQL_CODE (STELE_CODE_TASK_RUNNING) ", " STELE_SQL_CODE (STELE_CODE_TASK_COMPLETING) ")"

//  Rows of task_history that begin another attempt; the index task_retries has these
#define STELE_SQL_IS_RETRY "state_to = " STELE_SQL_CODE (STELE_CODE_TASK_QUEUED) \
    " AND state_from >= " STELE_SQL_CODE (STELE_CODE_TASK_TERMINAL_FROM)

//  The user of a session: its own, else that of its task if the task was there before the session, so that nobody
//  gets a session by creating its task. NULL: 'default'. The caller adds the condition on s.
#define STELE_SQL_SESSION_USER "SELECT coalesce (s.user_id, " STELE_SQL_USER_IN ("tasks") ") FROM cli_sessions s"
#define STELE_SQL_USER_IN(tasks) "(SELECT (SELECT word FROM words WHERE id = t.user_id) FROM " tasks \
    " t WHERE t.task_id = s.task_id AND t.id < s.id)"

//  Bits of task_states.flags
#define STELE_TASK_FLAG_CREATED     1
#define STELE_TASK_FLAG_STATED      2   // An event gave it a state
#define STELE_TASK_FLAG_INTERRUPTED 4

//  Positions per row of the table zones; sql/002-zones.sql uses the same number
#define STELE_ZONE 1024

//  Row of meta: the key of the marks in masks of secrets
#define STELE_REDACTION_KEY_NAME "redaction_key"

//  Rows of meta with this key and a position of 20 digits: the clock was set back before the commit that
//  begins there, by more than STELE_SET_BACK_US (ledger/reader.h)
#define STELE_SET_BACK_KEY      "clock_set_back:"

#endif
