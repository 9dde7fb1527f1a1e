/*  words - options whose values come from a vocabulary, such as states

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cli/shared/words.h"

int
cli_check_words (const char *command, const char *what, const cli_list_t *words,
    stele_vocabulary_t vocabulary)
{
    for (size_t i = 0; i < words->count; i++)
        if (!stele_vocabulary_code (vocabulary, words->items [i], strlen (words->items [i])))
            return cli_usage_error (command, "'%s' is not %s; use %s", words->items [i], what,
                stele_vocabulary_list (vocabulary));
    return EX_OK;
}
