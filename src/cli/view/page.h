/*  page - one record as labelled lines, in sections

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_PAGE_H_INCLUDED
#define STELE_CLI_PAGE_H_INCLUDED

#include <jansson.h>
#include "cli/shared/cli.h"

/*  A heading in bold: "Broker at tcp://...". 'subject' is made safe; it may be NULL. */
void
    cli_page_heading (const cli_t *self, const char *title, const char *subject);

/*  The same with a text field of a record: "Task build-7".                  */
void
    cli_page_heading_field (const cli_t *self, const char *title, const json_t *record, const char *key);

/*  Print "  label   text" on one line; nothing if the text is NULL.          */
void
    cli_page_line (const cli_t *self, const char *label, const char *text);

/*  A field of a record in the same way; nothing if it is absent. A text of several lines
    continues below, aligned.                                                */
void
    cli_page_field (const cli_t *self, const char *label, const json_t *record, const char *key);

/*  A state, in its colour.                                                  */
void
    cli_page_state (const cli_t *self, const char *label, const json_t *record, const char *key);

/*  A text or a map as a section of its own; nothing if it is absent.         */
void
    cli_page_block (const cli_t *self, const char *title, const json_t *record, const char *key);

/*  Every member of an object, labelled by its key ("size_bytes" becomes "size") and with its
    unit: statistics for people.                                             */
void
    cli_page_members (const cli_t *self, const json_t *object);

/*  The same for an answer: plain members first, then one section per map.   */
void
    cli_page_sections (const cli_t *self, json_t *object);

#endif
