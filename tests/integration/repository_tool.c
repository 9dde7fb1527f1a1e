/*  repository_tool - call the functions of src/repository, for tests in Python

        repository_tool replay REPOSITORY LEDGER [POSITION]   append what the segments have, up to that position
        repository_tool check REPOSITORY                      one line per fault: FILE FIRST LAST TEXT
        repository_tool at REPOSITORY MICROSECONDS            position that was committed at that time

    Prints the position that was reached. Exit status 1 with the refusal on standard error.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "repository/replay.h"

static void
s_fault (const char *file, int64_t first, int64_t last, const char *text, void *arg)
{
    (void) arg;
    printf ("%s %" PRId64 " %" PRId64 " %s\n", file, first, last, text);
}

static int64_t
s_replay (const stele_repository_t *repository, const char *path, int64_t upto, stele_refusal_t *refusal)
{
    stele_ledger_t *ledger = stele_ledger_open (path, STELE_CHECK_FULL, refusal);
    if (!ledger)
        return refusal->code;
    int64_t unrecorded, head = stele_repository_replay (repository, ledger, upto, NULL, NULL, &unrecorded, refusal);
    stele_ledger_close (&ledger);
    return head;
}

int
main (int argc, char *argv [])
{
    stele_refusal_t refusal = { 0 };
    if (argc < 3)
        return 2;
    stele_repository_t *repository = stele_repository_open (argv [2], &refusal);
    int64_t position = refusal.code;
    if (repository && strcmp (argv [1], "replay") == 0)
        position = s_replay (repository, argv [3], argc > 4? strtoll (argv [4], NULL, 10): INT64_MAX, &refusal);
    else
    if (repository && strcmp (argv [1], "check") == 0 && stele_repository_check (repository, 1, s_fault, NULL, &position, &refusal) < 0)
        position = refusal.code;
    else
    if (repository && strcmp (argv [1], "at") == 0)
        position = stele_repository_position_at (repository, 0, strtoll (argv [3], NULL, 10), &refusal);
    stele_repository_close (&repository);
    if (position < 0)
        fprintf (stderr, "%s\n", refusal.message);
    else
        printf ("%" PRId64 "\n", position);
    return position < 0;
}
