/*  words - options whose values come from a vocabulary, such as states

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_WORDS_H_INCLUDED
#define STELE_CLI_WORDS_H_INCLUDED

#include "cli/shared/cli.h"
#include "model/vocabulary.h"

/*  Check the values of an option; 'what' is "a state". EX_OK, or EX_USAGE after reporting the
    wrong one. Without this, an export would be empty and look complete.     */
int
    cli_check_words (const char *command, const char *what, const cli_list_t *words,
        stele_vocabulary_t vocabulary);

#endif
