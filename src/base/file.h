/*  file - open files, and make their names durable

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FILE_H_INCLUDED
#define STELE_FILE_H_INCLUDED

/*  Open a file, as open(2), with O_CLOEXEC, and never as descriptor 0, 1 or 2: where those are
    closed, a message to stderr would be written into the file. Returns -1 with errno.  */
int
    stele_file_open (const char *path, int flags, unsigned mode);

/*  Sync the folder that holds the file at 'path', so that a name that was created, renamed or
    removed there survives a power cut. Returns 0, or -1 with errno.         */
int
    stele_file_sync_folder (const char *path);

#endif
