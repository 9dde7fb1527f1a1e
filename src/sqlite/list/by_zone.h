/*  by_zone - a page in any order, from the zones of the log

    The log is the index: a task's last change is its last event, its end the
    event that ended it. Zones are read in the order of the bounds of their
    times, for the latest changes from the end of the log backwards: a zone is
    read when no unread zone can hold an earlier entry, and an entry is added to
    the page when no unread zone can hold one before it. In a log that is mostly
    in order that is a zone or two per page; in any other it is slower, but right.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LIST_BY_ZONE_H_INCLUDED
#define STELE_LIST_BY_ZONE_H_INCLUDED

#include "sqlite/list/page.h"

//  Returns the status of the call.
int
    reader_page_by_zone (reader_page_t *page);

#endif
