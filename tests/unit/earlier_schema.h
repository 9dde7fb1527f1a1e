/*  earlier_schema - SQL that undoes migrations, so that they can be tested

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef EARLIER_SCHEMA_H_INCLUDED
#define EARLIER_SCHEMA_H_INCLUDED

//  From schema 11 to 10, which archived tasks without their sessions
#define SCHEMA_10 \
    "DROP VIEW session_history_plain; DROP VIEW session_commands_plain;" \
    "DROP TRIGGER cli_session_history_no_delete; DROP TRIGGER cli_session_commands_no_delete; DROP TABLE archived_sessions;" \
    "ALTER TABLE archives DROP COLUMN sessions;" \
    "CREATE TRIGGER cli_session_history_no_delete BEFORE DELETE ON cli_session_history" \
    " BEGIN SELECT RAISE (ABORT, 'cli_session_history is append-only'); END;" \
    "CREATE TRIGGER cli_session_commands_no_delete BEFORE DELETE ON cli_session_commands" \
    " BEGIN SELECT RAISE (ABORT, 'cli_session_commands is append-only'); END;"

#endif
