/*  digest - SHA-1 of a file

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include "cli/files/digest.h"

int
cli_digest_file (int fd, char digest [CLI_DIGEST_SIZE])
{
    if (lseek (fd, 0, SEEK_SET) < 0)
        return -1;
    zdigest_t *sha1 = zdigest_new ();
    assert (sha1);
    byte buffer [65536];
    ssize_t size;
    while ((size = read (fd, buffer, sizeof buffer)) > 0 || (size < 0 && errno == EINTR))
        if (size > 0)
            zdigest_update (sha1, buffer, (size_t) size);
    const char *text = zdigest_string (sha1);
    snprintf (digest, CLI_DIGEST_SIZE, "%s", text? text: "");
    for (char *c = digest; *c; c++)
        *c = (char) tolower ((unsigned char) *c);
    zdigest_destroy (&sha1);
    return size < 0 || lseek (fd, 0, SEEK_SET) < 0? -1: 0;
}
