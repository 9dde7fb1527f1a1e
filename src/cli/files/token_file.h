/*  token_file - the tokens of HTTP clients, and the file that has them

    A token is text that is shown once, when it is made:

        stele_ID_SECRET     ID: 8 characters, SECRET: 52 of 32 random bytes, and 7 of a checksum of what is before them

    in letters and digits that are not mistaken for each other (a to z and 2 to 7). The file has one line for each, a JSON object:

        {"id":"...", "hash":"...", "name":"alice", "roles":["query"], "users":["alice"], "not_after":"2027-01-01T00:00:00Z"}

    with the SHA-256 of the token in hexadecimal, so that whoever reads the file has no token. "revoked" is the time at which
    one was revoked.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_TOKEN_FILE_H_INCLUDED
#define STELE_CLI_TOKEN_FILE_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include "cli/terminal/options.h"
#include "model/refusal.h"

#define CLI_TOKEN_ID   9            // With the NUL
#define CLI_TOKEN_TEXT 75           // With the NUL
#define CLI_TOKEN_HASH 32
#define CLI_TOKEN_NAME 64           // Characters of a name
#define CLI_TOKEN_USERS 64          // As many as a request for others may name (protocol section 14)

//  What a token may do; a gateway's key cannot be given away, and streams need the role query
#define CLI_TOKEN_ROLES "publish, query, operate, admin or metrics"

typedef struct {
    char id [CLI_TOKEN_ID];
    unsigned char hash [CLI_TOKEN_HASH];
    char name [CLI_TOKEN_NAME + 1];
    cli_list_t roles, users;        // No user: not bound
    int64_t not_after_us;           // Wall clock; 0: no end
    int64_t revoked_us;             // 0: not revoked
} cli_token_t;

typedef struct {
    cli_token_t *items;
    size_t count, room;
} cli_tokens_t;

/*  Read a file. Returns 0, or a code with the refusal, which names the file and the line: STELE_EIO (it cannot be read),
    STELE_EINVALID_FIELD, STELE_EUNAUTHORIZED (others may read or change it). 'self' is empty before, and in any case
    cleared by the caller.                                                   */
int
    cli_tokens_load (cli_tokens_t *self, const char *path, stele_refusal_t *refusal);

/*  Replace the file as a whole; a new one has mode 0600. Returns 0, or STELE_EIO with the refusal. */
int
    cli_tokens_save (const cli_tokens_t *self, const char *path, stele_refusal_t *refusal);

/*  Add one without roles, users and end; owned by 'self' until the next call. */
cli_token_t *
    cli_tokens_add (cli_tokens_t *self);

void
    cli_tokens_clear (cli_tokens_t *self);

/*  Fill in id and hash for a new random token, and print it.                */
void
    cli_token_make (cli_token_t *self, char text [CLI_TOKEN_TEXT]);

/*  Read the text of a token: its id and hash. False: it has another form, or its checksum is wrong; *why says so. */
bool
    cli_token_read (const char *text, size_t size, char id [CLI_TOKEN_ID], unsigned char hash [CLI_TOKEN_HASH],
        const char **why);

/*  Are the hashes equal? Takes the same time in each case.                  */
bool
    cli_token_hash_is (const unsigned char *hash, const unsigned char *other);

/*  Is that a role of tokens?                                                */
bool
    cli_token_is_role (const char *word);

#endif
