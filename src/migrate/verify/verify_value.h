/*  verify_value - compare a value of the source with that of the ledger

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_VERIFY_VALUE_H_INCLUDED
#define STELE_VERIFY_VALUE_H_INCLUDED

#include "migrate/convert.h"

/*  Is it the same value? A column may be text, a number, bytes, or JSON as text; NULL: none. */
bool
    verify_same (const json_t *source, const json_t *ledger);

/*  The same word, in another spelling?                                      */
bool
    verify_same_word (const json_t *source, const json_t *ledger);

/*  Is the value of the source in 'kept' ("migrated"), or its rest in an output? */
bool
    verify_kept (const json_t *kept, const json_t *outputs, const char *table, const char *column,
        const json_t *source, const json_t *ledger);

#endif
