/*  file - paths, descriptors, syncs, and reasons of failed calls

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"

#define LINKS_MAX 40                // As the kernel

//  -- descriptors -----------------------------------------------------------------------

//  Each open takes the lowest free descriptor
static int
s_fill_low_descriptors (void)
{
    for (int handle = STDIN_FILENO; handle <= STDERR_FILENO; handle++)
        if (fcntl (handle, F_GETFD) < 0 && open ("/dev/null", O_RDWR) < 0)
            return -1;
    return 0;
}

int
stele_file_open (const char *path, int flags, mode_t mode)
{
    return s_fill_low_descriptors () == 0? open (path, flags | O_CLOEXEC, mode): -1;
}

int
stele_file_sync_folder (const char *path)
{
    char *folder = stele_file_folder (path);
    if (!folder)
        return -1;
    int handle = stele_file_open (folder, O_RDONLY | O_DIRECTORY, 0);
    free (folder);
    if (handle < 0)
        return -1;
    int rc = fsync (handle);
    int error = errno;
    close (handle);
    errno = error;
    return rc;
}

//  -- paths ---------------------------------------------------------------------------------

char *
stele_file_folder (const char *path)
{
    const char *slash = strrchr (path, '/');
    return slash? strndup (path, slash == path? 1: (size_t) (slash - path)): strdup (".");
}

//  The folder resolved, and the last name
static char *
s_resolve_folder (const char *path)
{
    char *folder = stele_file_folder (path);
    char *real = folder? realpath (folder, NULL): NULL;
    free (folder);
    if (!real)
        return NULL;
    const char *slash = strrchr (path, '/');
    const char *name = slash? slash + 1: path;
    size_t size = strlen (real) + strlen (name) + 2;
    char *joined = malloc (size);
    if (joined)
        snprintf (joined, size, "%s%s%s", real, real [1]? "/": "", name);
    free (real);
    return joined;
}

//  The path that the link at 'path' holds, seen from the link's folder. Frees 'path'.
static char *
s_follow (char *path)
{
    char target [PATH_MAX];
    ssize_t size = readlink (path, target, sizeof target - 1);
    if (size < 0) {
        free (path);
        return NULL;
    }
    target [size] = 0;
    char *folder = *target == '/'? strdup (""): stele_file_folder (path);
    free (path);
    size_t room = folder? strlen (folder) + (size_t) size + 2: 0;
    char *joined = room? malloc (room): NULL;
    if (joined)
        snprintf (joined, room, "%s%s%s", folder, *folder? "/": "", target);
    free (folder);
    return joined;
}

char *
stele_file_resolve (const char *path)
{
    char *real = realpath (path, NULL);
    if (real || errno != ENOENT)
        return real;
    char *next = strdup (path);
    for (int i = 0; next && i < LINKS_MAX; i++) {
        struct stat status;
        char *resolved = s_resolve_folder (next);
        free (next);
        if (!resolved || lstat (resolved, &status) != 0 || !S_ISLNK (status.st_mode))
            return resolved;
        next = s_follow (resolved);
    }
    free (next);
    errno = ELOOP;
    return NULL;
}

//  -- reasons -------------------------------------------------------------------------------

static void
s_user (uid_t uid, char *name, size_t size)
{
    struct passwd entry, *found = NULL;
    char buffer [4096];
    if (getpwuid_r (uid, &entry, buffer, sizeof buffer, &found) == 0 && found)
        snprintf (name, size, "'%s'", found->pw_name);
    else
        snprintf (name, size, "%lu", (unsigned long) uid);
}

void
stele_file_reason (const char *path, int error, char *text, size_t size)
{
    if (error == EROFS) {
        snprintf (text, size, "the file system is read-only");
        return;
    }
    if (error != EACCES && error != EPERM) {
        snprintf (text, size, "%s", strerror (error));
        return;
    }
    char user [64], owner [64];
    struct stat status;
    char *folder = stele_file_folder (path);
    const char *denies = stat (path, &status) == 0? path:
        folder && stat (folder, &status) == 0? folder: NULL;
    s_user (geteuid (), user, sizeof user);
    if (denies) {
        s_user (status.st_uid, owner, sizeof owner);
        snprintf (text, size, "permission denied for user %s (%s is of user %s, mode %04o)",
            user, denies == path? "it": "the directory", owner, (unsigned) status.st_mode & 07777);
    }
    else
        snprintf (text, size, "permission denied for user %s (a directory of the path may not be entered)", user);
    free (folder);
}
