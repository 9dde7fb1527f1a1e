/*  spool_aside - an event that the broker does not take any more is put into a file next to the spool

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/file.h"
#include "client/spool/spool_internal.h"
#include "stele_error.h"
#include "wire/json/json.h"

//  As a line of the file of 'stele publish --rejects'
static bool
s_print (FILE *file, int64_t number, const char *why, const char *text)
{
    json_t *line = json_pack ("{sI, ss, ss}", "number", (json_int_t) number, "reason", why, "text", text);
    bool printed = line && json_dumpf (line, file, JSON_COMPACT) == 0 && fputc ('\n', file) != EOF
        && fflush (file) == 0 && fsync (fileno (file)) == 0;
    json_decref (line);
    return printed;
}

int
stele_spool_set_aside (int64_t number, const void *event, size_t size, const char *why, char *name,
    size_t name_size, void *arg)
{
    //  May run in another thread: it leaves 'self' and the spool unchanged
    const stele_spool_t *self = arg;
    snprintf (name, name_size, "%s.rejected", self->path);
    char *text = stele_json_print (event, size, false);
    int handle = text? stele_file_open (name, O_WRONLY | O_CREAT | O_APPEND, 0600): -1;
    FILE *file = handle >= 0? fdopen (handle, "a"): NULL;
    bool kept = file && s_print (file, number, why, text);
    if (file)
        kept = fclose (file) == 0 && kept;
    else
    if (handle >= 0)
        close (handle);
    free (text);
    return kept && stele_file_sync_folder (name) == 0? 0: STELE_EIO;
}
