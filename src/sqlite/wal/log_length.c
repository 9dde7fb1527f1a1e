/*  log_length - how long the write-ahead log of a ledger is

    Each frame of a log has the salts of its header (https://sqlite.org/fileformat2.html#walformat). They are others each time
    it restarts, so the frames in use are those up to the first one with other salts. The log may be opened and closed like
    this: SQLite has no locks on its file.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/wal/log_length.h"

#define HEADER_BYTES 32
#define FRAME_BYTES  (4096 + 24)
#define SALTS_BYTES  8
#define HEADER_SALTS 16             // Where they are in the header,
#define FRAME_SALTS  8              //    and in a frame

static bool
s_read_salts (int handle, off_t offset, unsigned char salts [SALTS_BYTES])
{
    return pread (handle, salts, SALTS_BYTES, offset) == SALTS_BYTES;
}

static int64_t
s_length (int handle)
{
    unsigned char header [SALTS_BYTES], frame [SALTS_BYTES];
    struct stat status;
    if (fstat (handle, &status) != 0 || !s_read_salts (handle, HEADER_SALTS, header))
        return 0;
    int64_t used = 0, unused = (status.st_size - HEADER_BYTES) / FRAME_BYTES;
    while (used < unused) {
        int64_t middle = used + (unused - used) / 2;
        bool is_used = s_read_salts (handle, HEADER_BYTES + middle * FRAME_BYTES + FRAME_SALTS, frame)
            && memcmp (frame, header, SALTS_BYTES) == 0;
        if (is_used)
            used = middle + 1;
        else
            unused = middle;
    }
    return used * FRAME_BYTES;
}

int64_t
stele_log_length (const char *ledger)
{
    char *path = sqlite3_mprintf ("%s" STELE_WAL_SUFFIX, ledger);
    int handle = path? stele_file_open (path, O_RDONLY, 0): -1;
    int64_t length = handle < 0? 0: s_length (handle);
    if (handle >= 0)
        close (handle);
    sqlite3_free (path);
    return length;
}
