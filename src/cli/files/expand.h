/*  expand - the text of a file that zstd has compressed

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef CLI_EXPAND_H_INCLUDED
#define CLI_EXPAND_H_INCLUDED

#include <stdbool.h>

/*  Does the file start like a frame of zstd? It can be read from any offset. */
bool
    cli_expand_is_needed (int fd);

/*  Expand the file, which starts at its offset, into an unnamed temporary file. Returns its descriptor, to be read from
    the start; the caller closes it. -1: errno; EBADMSG: the file is damaged. */
int
    cli_expand (int fd);

#endif
