/*  task_id - a new ID for a command, and the environment in which the command finds it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/memory.h"
#include "cli/run/task_id.h"

extern char **environ;

char *
cli_task_id_new (const char *command)
{
    const char *name = strrchr (command, '/')? strrchr (command, '/') + 1: command;
    char word [41] = "", when [24], id [96];
    for (size_t i = 0; name [i] && i < sizeof word - 1; i++)
        word [i] = name [i] > ' ' && name [i] < 127 && !strchr ("'\"\\/", name [i])? name [i]: '_';
    time_t now = time (NULL);
    struct tm parts;
    strftime (when, sizeof when, "%Y%m%d-%H%M%S", gmtime_r (&now, &parts));
    uint32_t random = 0;
    if (getrandom (&random, sizeof random, 0) != sizeof random)
        random = (uint32_t) stele_clock_steady_us () ^ (uint32_t) getpid () << 16;
    snprintf (id, sizeof id, "%s-%s-%06x", word, when, random & 0xffffff);
    return stele_memory_copy (id, strlen (id));
}

char **
cli_task_id_environment (const char *task, char **own)
{
    size_t count = 0, kept = 0;
    while (environ [count])
        count++;
    char **environment = stele_memory_new ((count + 2) * sizeof *environment);
    for (size_t i = 0; i < count; i++)
        if (strncmp (environ [i], "STELE_TASK=", 11) && strncmp (environ [i], "ZSYS_SIGHANDLER=", 16))
            environment [kept++] = environ [i];
    size_t size = strlen (task) + 12;
    char *variable = stele_memory_new (size);
    snprintf (variable, size, "STELE_TASK=%s", task);
    environment [kept] = variable;
    *own = variable;
    return environment;
}
