/*  json_skip - find where a string or a value of JSON text ends, without parsing it

    For text that Stele wrote itself: nothing is checked but the ends.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_JSON_SKIP_H_INCLUDED
#define STELE_JSON_SKIP_H_INCLUDED

/*  The end of the string that starts at 'text' with its quote; NULL: it does not end before 'end', or
    there is no string.                                                      */
const char *
    stele_json_skip_string (const char *text, const char *end);

/*  The end of the value of any kind that starts at 'text': after a string, an object or an array; the
    comma or bracket that follows a number or a literal. NULL: it does not end before 'end'. */
const char *
    stele_json_skip_value (const char *text, const char *end);

#endif
