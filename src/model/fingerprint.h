/*  fingerprint - the text that errors of one kind have in common

    Failures of the same kind differ in what they are about: ids, times, counts, paths, names in quotes. Their
    fingerprint is the text without these:

      a number, also a part of a word          #
      hexadecimal digits, 8 or more with a digit among them, 0x..., a UUID       #
      a path or a URL                          <path>
      what is in '', "" or `` on one line      '…'
      white space                              one space

    Of the traceback of a Python program, only the last line counts. Equal texts have equal fingerprints. The
    ledger's files of series contain them: after a change, raise STELE_ROLLUP_VERSION.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FINGERPRINT_H_INCLUDED
#define STELE_FINGERPRINT_H_INCLUDED

#include <stddef.h>

/*  Most bytes of a fingerprint, and of the text that is examined            */
#define STELE_FINGERPRINT_MAX 200
#define STELE_FINGERPRINT_TEXT_MAX 4096

/*  Write the fingerprint of an error. It is UTF-8 if the text is, cut between characters. Returns its size,
    0 if the text has nothing but white space.                               */
size_t
    stele_fingerprint (const char *text, size_t size, char result [STELE_FINGERPRINT_MAX]);

#endif
