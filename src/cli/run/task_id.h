/*  task_id - a new ID for a command, and the environment in which the command finds it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_TASK_ID_H_INCLUDED
#define STELE_CLI_TASK_ID_H_INCLUDED

/*  A new ID: the name of the command, the time, six random digits. Caller frees return value.  */
char *
    cli_task_id_new (const char *command);

/*  The environment of this program as it was when it started, with the ID in STELE_TASK. Caller frees return
    value, and the variable that is stored in *own.                          */
char **
    cli_task_id_environment (const char *task, char **own);

#endif
