/*  digest - SHA-1 of a file

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_DIGEST_H_INCLUDED
#define STELE_CLI_DIGEST_H_INCLUDED

#define CLI_DIGEST_SIZE 41          // 40 hexadecimal digits and a NUL

/*  SHA-1 of the whole file, which is rewound before and after. 0, or -1 with errno. */
int
    cli_digest_file (int fd, char digest [CLI_DIGEST_SIZE]);

#endif
