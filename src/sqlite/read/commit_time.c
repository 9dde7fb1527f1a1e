/*  commit_time - the time of a position, and the position at a time

    The times of commits ascend with the position, except where the clock was found to have been wrong and
    was set back: there the writer leaves a row in meta. Between two such places a binary search finds
    a time. The newest commit shows which side was wrong:

      earlier than the time before the place: the clock was ahead before. Those commits count as not
      later than the first one after the place, so that they do not give records a life of years.
      later: the clock had only fallen back for a while (a machine that boots in 1970). The commits
      after the place count as not earlier than the one before it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/reader/reader_internal.h"

#define SET_BACKS_MAX 100           // The newest ones; before those, times are as they were recorded

typedef struct {
    int64_t position;
    int64_t floor_us;               // Commits after it count as not earlier; 0: the clock was ahead before it
} s_set_back_t;

static int64_t
s_raw_time (stele_reader_t *self, int64_t position)
{
    int64_t first = 0, last = 0, time = 0;
    return reader_commit_of (self, position, &first, &last, &time) == 1? time: 0;
}

//  Places where the clock was set back, the newest first. Returns their number.
static int
s_set_backs (stele_reader_t *self, s_set_back_t places [SET_BACKS_MAX])
{
    int count = 0;
    if (self->no_set_backs)
        return 0;
    sqlite3_stmt *statement = reader_statement (self, SLOT_SET_BACKS,
        "SELECT CAST (substr (key, 16) AS INTEGER) FROM meta"
        " WHERE key > '" STELE_SET_BACK_KEY "' AND key < '" STELE_SET_BACK_KEY "a' ORDER BY key DESC");
    while (count < SET_BACKS_MAX && reader_step (self, statement) == 1)
        places [count++] = (s_set_back_t) { sqlite3_column_int64 (statement, 0), 0 };
    if (statement)
        sqlite3_reset (statement);
    self->no_set_backs = count == 0 && !self->borrowed && self->status == 0;
    int64_t newest_us = count? s_raw_time (self, reader_head (self)): 0;
    for (int i = 0; i < count; i++) {
        int64_t before_us = s_raw_time (self, places [i].position - 1);
        places [i].floor_us = newest_us >= before_us? before_us: 0;
    }
    return count;
}

//  The last position in the range that was committed at or before that time, 0: none
static int64_t
s_search (stele_reader_t *self, int64_t low, int64_t high, int64_t time_us, int64_t floor_us)
{
    int64_t found = 0;
    while (low <= high && self->status == 0) {
        int64_t first = 0, last = 0, time = 0;
        if (reader_commit_of (self, low + (high - low) / 2, &first, &last, &time) != 1)
            break;
        if (time <= time_us && floor_us <= time_us) {
            found = last;
            low = last + 1;
        }
        else
            high = first - 1;
    }
    return found;
}

int64_t
stele_reader_position_at (stele_reader_t *self, int64_t time_us)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    s_set_back_t places [SET_BACKS_MAX];
    int count = s_set_backs (self, places);
    int64_t high = reader_head (self), found = 0;
    for (int i = 0; i <= count && found == 0 && self->status == 0; i++) {
        int64_t low = i < count? places [i].position: 1;
        found = s_search (self, low, high, time_us, i < count? places [i].floor_us: 0);
        high = low - 1;
    }
    return reader_leave (self, found);
}

int64_t
stele_reader_commit_time (stele_reader_t *self, int64_t position)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    s_set_back_t places [SET_BACKS_MAX];
    int64_t first = 0, last = 0, time = 0;
    rc = reader_commit_of (self, position, &first, &last, &time);
    int count = rc == 1? s_set_backs (self, places): 0, i = 0;
    int64_t limit_us = INT64_MAX;
    for (; i < count && places [i].position > position; i++) {
        int64_t later_us = places [i].floor_us? INT64_MAX: s_raw_time (self, places [i].position);
        limit_us = later_us < limit_us? later_us: limit_us;
    }
    if (i < count && time < places [i].floor_us)
        time = places [i].floor_us;
    //  A time that is not later than the newest commit may be true
    if (count && time > limit_us && time > s_raw_time (self, reader_head (self)))
        time = limit_us;
    return reader_leave (self, rc == 1? time: 0);
}

int64_t
stele_reader_commit_recorded (stele_reader_t *self, int64_t position)
{
    int rc = reader_enter (self);
    return rc? rc: reader_leave (self, s_raw_time (self, position));
}
