/*  recovery_report - report of what the start of a broker recovered

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdio.h>
#include "base/clock.h"
#include "broker/common/log.h"
#include "broker/recovery_report.h"
#include "ledger/reader.h"
#include "wire/map.h"
#include "wire/scan.h"

static double
s_seconds (const stele_pack_t *map, const char *key)
{
    stele_token_t token = stele_scan_find (stele_pack_data (map), stele_pack_size (map), key, NULL, NULL);
    return token.kind == STELE_SCAN_REAL? token.real: 0;
}

static int64_t
s_count (const stele_pack_t *pack, const char *key)
{
    stele_map_t map = { stele_pack_data (pack), stele_pack_size (pack) };
    int64_t count = 0;
    stele_map_integer (&map, key, &count);
    return count;
}

//  Active tasks by state: as a map for the statistics, and as text for the log.
static void
s_restored (const stele_settings_t *settings, stele_pack_t *pack, char *text, size_t text_size)
{
    stele_ledger_stats_t stats = { 0 };
    stele_refusal_t refusal;
    stele_reader_t *reader = stele_reader_open (settings->ledger, &refusal);
    if (reader)
        stele_reader_stats (reader, &stats);
    stele_reader_close (&reader);
    size_t used = 0;
    snprintf (text, text_size, "none");
    stele_pack_map_begin (pack);
    for (int state = 1; state < STELE_TASK_TERMINAL_FROM; state++) {
        const char *word = stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, state);
        stele_pack_key_integer (pack, word, stats.by_state [state]);
        if (stats.by_state [state] && used < text_size)
            used += (size_t) snprintf (text + used, text_size - used, "%s%lld %s",
                used? ", ": "", (long long) stats.by_state [state], word);
    }
    stele_pack_map_end (pack);
}

void
stele_recovery_report (stele_pack_t *pack, const stele_settings_t *settings, const stele_pack_t *writer,
    zframe_t *aligned, int64_t begun_us)
{
    stele_pack_t *redis = stele_pack_new ();
    assert (redis);
    if (aligned)
        stele_pack_packed (redis, zframe_data (aligned), zframe_size (aligned));
    else
        stele_pack_map (redis, 0);
    int64_t interrupted = s_count (writer, "interrupted");
    int64_t repaired = s_count (redis, "repaired");
    double open_s = s_seconds (writer, "open_s");
    double interrupt_s = s_seconds (writer, "interrupt_s");
    double align_s = s_seconds (redis, "align_s");
    double compare_s = s_seconds (redis, "compare_s");
    double total_s = (double) (stele_clock_steady_us () - begun_us) / 1e6;
    char restored [256];
    stele_pack_map_begin (pack);
    stele_pack_key (pack, "restored");
    s_restored (settings, pack, restored, sizeof restored);
    stele_pack_key_integer (pack, "interrupted", interrupted);
    stele_pack_key_integer (pack, "repaired", repaired);
    stele_pack_key (pack, "seconds");
    stele_pack_map_begin (pack);
    stele_pack_key_real (pack, "open", open_s);
    stele_pack_key_real (pack, "interrupt", interrupt_s);
    stele_pack_key_real (pack, "redis", align_s);
    stele_pack_key_real (pack, "compare", compare_s);
    stele_pack_key_real (pack, "total", total_s);
    stele_pack_map_end (pack);
    stele_pack_key (pack, "redis");
    stele_pack_packed (pack, stele_pack_data (redis), stele_pack_size (redis));
    stele_pack_map_end (pack);
    stele_log (STELE_LOG_INFO, "recovered",
        STELE_LOG_FIELDS (STELE_LOG_NUMBER ("interrupted", interrupted), STELE_LOG_NUMBER ("repaired", repaired)),
        "recovered: active tasks: %s; %lld interrupted, %lld repaired in Redis; %.3f s"
        " (ledger %.3f, interrupt %.3f, redis %.3f, compare %.3f)",
        restored, (long long) interrupted, (long long) repaired, total_s, open_s, interrupt_s, align_s, compare_s);
    stele_pack_destroy (&redis);
}
