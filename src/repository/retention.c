/*  retention - decide which snapshots of a repository are kept

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/memory.h"
#include "repository/snapshots.h"

#define DAY_US (86400 * (int64_t) 1000000)

//  Number of the day, of the week (from Monday) and of the month that has that time
typedef int64_t (s_period_fn) (int64_t time_us);

static int64_t
s_day (int64_t time_us)
{
    return time_us / DAY_US;
}

static int64_t
s_week (int64_t time_us)
{
    return (s_day (time_us) + 3) / 7;       // 1970-01-01 was a Thursday
}

static int64_t
s_month (int64_t time_us)
{
    time_t seconds = (time_t) (time_us / 1000000);
    struct tm tm;
    gmtime_r (&seconds, &tm);
    return (int64_t) tm.tm_year * 12 + tm.tm_mon;
}

//  Keep the newest snapshot of each of the newest 'limit' periods
static void
s_keep (const stele_snapshot_entry_t *entries, size_t count, const bool *trusted, s_period_fn *period, int64_t limit,
    bool *remove)
{
    int64_t last = 0, kept = 0;
    for (size_t i = count; i-- > 0 && kept < limit; ) {
        if (!trusted [i] || (kept > 0 && period (entries [i].time_us) == last))
            continue;
        last = period (entries [i].time_us);
        kept++;
        remove [i] = false;
    }
}

size_t
stele_retention_choose (const stele_retention_t *self, const stele_snapshot_entry_t *entries, size_t count,
    bool *remove)
{
    bool *trusted = stele_memory_new (count + 1);
    bool newest = true;
    int64_t earliest = INT64_MAX;           // Of the snapshots after this one
    for (size_t i = count; i-- > 0; ) {
        remove [i] = entries [i].sound && !newest && entries [i].time_us <= earliest;
        if (!entries [i].sound)
            continue;
        newest = false;
        trusted [i] = entries [i].time_us <= earliest;
        if (trusted [i])
            earliest = entries [i].time_us;
    }
    s_keep (entries, count, trusted, s_day, self->daily, remove);
    s_keep (entries, count, trusted, s_week, self->weekly, remove);
    s_keep (entries, count, trusted, s_month, self->monthly, remove);
    free (trusted);
    size_t removed = 0;
    for (size_t i = 0; i < count; i++)
        removed += remove [i];
    return removed;
}
