/*  seal_key_file - the files of a key for seals: NAME.seal_secret for the broker, NAME.seal_key for those who verify

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_SEAL_KEY_FILE_H_INCLUDED
#define STELE_CLI_SEAL_KEY_FILE_H_INCLUDED

#include "cli/shared/cli.h"

/*  Make a new key. The secret one is written to 'out' (NULL: NAME.seal_secret) with mode 0600, the public one beside it.
    An existing file is refused. Returns the exit status; a failure is reported on stderr. */
int
    cli_seal_key_make (const cli_t *self, const char *name, const char *out);

#endif
