/*  file - open files, and make their names durable

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"

int
stele_file_open (const char *path, int flags, unsigned mode)
{
    int handle = open (path, flags | O_CLOEXEC, mode);
    if (handle < 0 || handle > STDERR_FILENO)
        return handle;
    int higher = fcntl (handle, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    close (handle);
    errno = error;
    return higher;
}

int
stele_file_sync_folder (const char *path)
{
    const char *slash = strrchr (path, '/');
    char *folder = slash? strndup (path, slash == path? 1: (size_t) (slash - path)): strdup (".");
    if (!folder)
        return -1;
    int handle = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free (folder);
    if (handle < 0)
        return -1;
    int rc = fsync (handle);
    int error = errno;
    close (handle);
    errno = error;
    return rc;
}
