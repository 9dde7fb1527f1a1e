/*  key_folder - the broker's folder of keys, as 'stele key' changes it

      NAME.key                the public key of a client, with its roles and limits: the broker reads it
      NAME.revoked-TIME       the same, revoked then: kept for the record, and not read
      server.key_secret       the broker's own pair
      server.pub              its public part, for clients

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_KEY_FOLDER_H_INCLUDED
#define STELE_CLI_KEY_FOLDER_H_INCLUDED

#include <jansson.h>
#include "cli/terminal/options.h"
#include "wire/key_file.h"

/*  Most characters of the name of a key                                     */
#define CLI_KEY_NAME_MAX 64

typedef struct {
    const char *name;
    char public_key [STELE_KEY_TEXT];
    char secret_key [STELE_KEY_TEXT];   // "": not known here
    const cli_list_t *roles, *producers, *topics, *users;
    const char *not_after;              // RFC 3339; NULL: no end
} cli_key_t;

typedef struct cli_key_folder cli_key_folder_t;

/*  Functions that return an exit status have reported a failure on stderr.  */

/*  Open the folder: all that follows happens in it, whatever its path names later. With 'create' it is made, with mode 0700,
    if it does not exist; as root, it and all files in it get the owner of the folder that they are in. One that others
    may write is refused, as the broker does. NULL with *status. Caller owns return value. */
cli_key_folder_t *
    cli_key_folder_open (const char *path, bool create, int *status);
void
    cli_key_folder_close (cli_key_folder_t **self_p);

/*  Its path, for messages.                                                  */
const char *
    cli_key_folder_path (const cli_key_folder_t *self);

/*  The public key of the broker whose folder this is; its pair is made if there is none, and *made is set. */
int
    cli_key_folder_server (const cli_key_folder_t *self, char server_key [STELE_KEY_TEXT], bool *made);

/*  Write NAME.key. An existing one is refused, as is another key with the same public key. */
int
    cli_key_folder_add (const cli_key_folder_t *self, const cli_key_t *key);

/*  Remove NAME.key, which was just added: the client's file could not be written. */
void
    cli_key_folder_remove (const cli_key_folder_t *self, const char *name);

/*  Write the client's own file, with mode 0600; "-" is stdout. An existing file is refused. */
int
    cli_key_write_secret (const char *path, const cli_key_t *key, const char *server_key);

/*  Rename NAME.key to NAME.revoked-TIME.                                    */
int
    cli_key_folder_revoke (const cli_key_folder_t *self, const char *name);

/*  The keys, ordered by name, as an array of {name, state: valid, expired, revoked or invalid, roles, ..., file}.
    'only': that one, NULL: all. 'revoked': also those. NULL with *status. Caller owns return value. */
json_t *
    cli_key_folder_list (const cli_key_folder_t *self, const char *only, bool revoked, int *status);

#endif
