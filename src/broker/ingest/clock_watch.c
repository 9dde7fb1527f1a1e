/*  clock_watch - signs that the clock of this machine, or of a producer, is wrong

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <time.h>
#include "base/clock.h"
#include "broker/ingest/clock_watch.h"

int64_t
stele_clock_watch_compare (stele_clock_watch_t *self, int64_t wall_us, int64_t boot_us, int64_t now_us)
{
    int64_t offset_us = wall_us - boot_us, step_us = self->offset_us? offset_us - self->offset_us: 0;
    self->offset_us = offset_us;
    self->wall_us = wall_us;
    self->now_us = now_us;
    if (step_us < STELE_CLOCK_STEP_US && step_us > -STELE_CLOCK_STEP_US)
        return 0;
    self->steps++;
    self->step_us = step_us;
    self->stepped_us = now_us;
    return step_us;
}

int64_t
stele_clock_watch_look (stele_clock_watch_t *self)
{
    struct timespec boot;
    clock_gettime (CLOCK_BOOTTIME, &boot);
    return stele_clock_watch_compare (self, stele_clock_us (), (int64_t) boot.tv_sec * 1000000 + boot.tv_nsec / 1000,
        stele_clock_steady_us ());
}

void
stele_clock_watch_event (stele_clock_watch_t *self, int64_t time_us, const char *producer)
{
    if (self->wall_us == 0 || time_us - self->wall_us < STELE_CLOCK_AHEAD_US)
        return;
    self->ahead++;
    self->ahead_us = time_us - self->wall_us;
    self->ahead_seen_us = self->now_us;
    snprintf (self->ahead_producer, sizeof self->ahead_producer, "%s", producer? producer: "");
}

void
stele_clock_watch_pack (const stele_clock_watch_t *self, int64_t now_us, stele_pack_t *pack)
{
    stele_pack_key (pack, "clock");
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "steps", self->steps);
    if (self->steps) {
        stele_pack_key_integer (pack, "step_ms", self->step_us / 1000);
        stele_pack_key_integer (pack, "stepped_ms", (now_us - self->stepped_us) / 1000);
    }
    stele_pack_key_integer (pack, "events_ahead", self->ahead);
    if (self->ahead) {
        stele_pack_key_integer (pack, "ahead_ms", self->ahead_us / 1000);
        stele_pack_key_integer (pack, "seen_ms", (now_us - self->ahead_seen_us) / 1000);
        stele_pack_key_string (pack, "producer", *self->ahead_producer? self->ahead_producer: NULL);
    }
    stele_pack_map_end (pack);
}
