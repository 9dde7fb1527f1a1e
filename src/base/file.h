/*  file - paths, descriptors, syncs, and reasons of failed calls

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FILE_H_INCLUDED
#define STELE_FILE_H_INCLUDED

#include <stddef.h>
#include <sys/types.h>

/*  Open a file with O_CLOEXEC, never on descriptors 0 to 2: if the program was started without them,
    they become /dev/null, since whatever is printed would otherwise be written into the file.
    'mode' counts for O_CREAT. Returns the descriptor, or -1 with errno.     */
int
    stele_file_open (const char *path, int flags, mode_t mode);

/*  Sync the folder that holds the file at 'path', so that a name that was created, renamed or
    removed there survives a power cut. Returns 0, or -1 with errno.         */
int
    stele_file_sync_folder (const char *path);

/*  Path of the folder that holds the file at 'path'. Caller frees return value; NULL: no memory. */
char *
    stele_file_folder (const char *path);

/*  The path with its symbolic links resolved, also if the last of them points at a file that does not
    exist yet. Caller frees return value. NULL with errno: a folder of the path does not exist, or
    links form a circle.                                                     */
char *
    stele_file_resolve (const char *path);

/*  Print why opening or creating 'path' failed with this errno. For a missing permission, the text
    names the user of this process, and the owner and mode of the file or folder that denies it. */
void
    stele_file_reason (const char *path, int error, char *text, size_t size);

#endif
