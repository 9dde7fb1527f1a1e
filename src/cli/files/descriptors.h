/*  descriptors - standard input, output and error are open; the limit of open files

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_DESCRIPTORS_H_INCLUDED
#define STELE_CLI_DESCRIPTORS_H_INCLUDED

/*  Open those of the descriptors 0 to 2 that are closed on /dev/null. Otherwise the next file that is
    opened, a ledger or a spool, would get the number, and messages would be written into it.
    Call it before anything else. Aborts if /dev/null cannot be opened.      */
void
    cli_descriptors_open (void);

/*  Raise the limit of open files as far as the system allows: every connection takes one. */
void
    cli_descriptors_raise (void);

#endif
