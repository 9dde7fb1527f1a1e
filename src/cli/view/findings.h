/*  findings - problems of a broker, found in its statistics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_FINDINGS_H_INCLUDED
#define STELE_CLI_FINDINGS_H_INCLUDED

#include <stdint.h>
#include <jansson.h>
#include "stele_library.h"

/*  The thresholds; stele(1) has them too                                    */
#define CLI_DISK_FULL_IN_S      14400               // 4 hours
#define CLI_DISK_FREE_MIN       (256LL << 20)       // Bytes
#define CLI_DISK_FREE_SHARE     0.05
#define CLI_WAL_MAX             2                   // Times wal-bytes, at which the writer waits
#define CLI_REDIS_LAG_MS        10000
#define CLI_SEGMENTS_LAG_MS     60000
#define CLI_LOG_LAG_MS          10000
#define CLI_SEARCH_LAG          2                   // Times search-lag
#define CLI_DENIED_MANY         100                 // In ten minutes
#define CLI_SILENT_MS           300000
#define CLI_CLOCK_AHEAD_MS      10000
#define CLI_CLOCK_RECENT_MS     86400000            // Wrong clocks of earlier are history
#define CLI_EXPIRED_MS          86400000            // Older ones are history
#define CLI_ROLLUP_LAG          2                   // Times rollup-lag
#define CLI_BACKUP_AGE_S        93600               // 26 hours: a day, and time to take one

#define CLI_ERASE_MS            60000               // A backup that copies an archive reads it for long

#define CLI_RELAY_LAG_MS        60000

/*  Every code: X (code). Those of the broker are in 'stele health', /readyz and the metric stele_finding; those of a relay
    only in 'stele health --relay'. */
#define CLI_BROKER_FINDINGS(X) \
    X (not_running) X (no_permission) X (no_answer) X (no_statistics) X (no_feed) \
    X (holding) X (writer_stalled) X (mode_redis) X (ledger_behind) \
    X (log_in_doubt) X (log_no_writer) X (log_away) X (log_stopped) X (log_behind) X (log_unreplicated) \
    X (disk_low) X (disk_filling) X (wal_long) \
    X (clock_wrong) X (clock_stepped) X (events_ahead) \
    X (redis_away) X (redis_stalled) X (redis_behind) X (redis_rebuilding) \
    X (search_failing) X (search_behind) X (rollup_failing) X (rollup_behind) \
    X (segments_failing) X (segments_behind) X (backup_failing) X (backup_old) X (certificate_expires) \
    X (seal_failing) X (seal_contradicted) X (erase_failing) \
    X (producers_expired) X (producers_silent) X (denials) X (rejected) X (losses)
#define CLI_RELAY_FINDINGS(X) \
    X (relay_unknown) X (relay_away) X (relay_failing) X (relay_disabled) X (relay_dead_letters) X (relay_behind)
#define CLI_FINDINGS(X) CLI_BROKER_FINDINGS (X) CLI_RELAY_FINDINGS (X)

typedef enum {
    CLI_LEVEL_INFO, CLI_LEVEL_DEGRADED, CLI_LEVEL_DOWN
} cli_level_t;

/*  Append a finding: {code, level, message, hint}, and since (RFC 3339) and for_ms if 'for_ms' is
    not negative. 'code' is one of CLI_FINDINGS. 'now_us' is the wall clock. */
void
    cli_finding_add (json_t *findings, const char *code, cli_level_t level, int64_t now_us, int64_t for_ms,
        const char *hint, const char *format, ...) STELE_PRINTF (7, 8);

/*  For how long nothing came from this producer of the statistics, at least. */
int64_t
    cli_findings_silence_ms (const json_t *stats, const json_t *producer);

/*  The request (task.list) whose answer shows which silent or expired producers of the statistics have tasks in
    progress. NULL: there are none. Caller owns return value.                */
json_t *
    cli_findings_owners_request (const json_t *stats);

/*  Set 'owns' of the producers of the statistics that have tasks in that answer. */
void
    cli_findings_set_owners (json_t *stats, const json_t *answer);

/*  Findings from an answer to 'stats', the gravest first. A producer with the key 'owns' true has tasks in
    progress. Caller owns return value. */
json_t *
    cli_findings (const json_t *stats, int64_t now_us);

/*  Append the findings of a relay, from the text that 'stele-relay status --json' printed: JSON, or why there is none. Returns the
    JSON, which the caller owns; NULL: there is none. 'stats' of the broker may be NULL: then its silence is no finding of the relay. */
json_t *
    cli_findings_of_relay (json_t *findings, const json_t *stats, const char *text, int64_t now_us);

/*  The level of the gravest finding, and how many are above INFO.           */
cli_level_t
    cli_findings_level (const json_t *findings, size_t *count);

/*  The level of the finding of that code, -1 if there is none.              */
int
    cli_findings_level_of (const json_t *findings, const char *code);

const char *
    cli_level_word (cli_level_t level);

#endif
