/*  file - make the names of files durable

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FILE_H_INCLUDED
#define STELE_FILE_H_INCLUDED

/*  Sync the folder that holds the file at 'path', so that a name that was created, renamed or
    removed there survives a power cut. Returns 0, or -1 with errno.         */
int
    stele_file_sync_folder (const char *path);

#endif
