/*  mount - check whether a file is a mount point

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // statx
#endif

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "sqlite/wal/mount.h"

//  Octal escapes as in \040: of space, tab, newline and backslash
static void
s_unescape (char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++)
        if (from [0] == '\\' && from [1] && from [2] && from [3]) {
            *to = (char) ((from [1] - '0') * 64 + (from [2] - '0') * 8 + from [3] - '0');
            from += 4;
        }
        else
            *to = *from++;
    *to = 0;
}

//  The fifth field of each line is a mount point: proc(5)
static bool
s_is_listed (const char *path)
{
    FILE *file = fopen ("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (file && !found && getline (&line, &room, file) > 0) {
        char *rest = NULL, *field = strtok_r (line, " ", &rest);
        for (int i = 1; field && i < 5; i++)
            field = strtok_r (NULL, " ", &rest);
        if (field) {
            s_unescape (field);
            found = strcmp (field, path) == 0;
        }
    }
    free (line);
    if (file)
        fclose (file);
    return found;
}

bool
stele_mount_is (const char *path)
{
#ifdef STATX_ATTR_MOUNT_ROOT
    struct statx status;
    if (statx (AT_FDCWD, path, 0, STATX_BASIC_STATS, &status) == 0
    &&  (status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
        return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
#endif
    //  Before Linux 5.8
    char *real = realpath (path, NULL);
    bool is = real && s_is_listed (real);
    free (real);
    return is;
}
