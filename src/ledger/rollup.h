/*  rollup - counts per minute, hour and day: a follower of the log with storage of its own

    All of it can be derived from the ledger, so a file that is lost, damaged, of an earlier version or of another
    ledger is rebuilt. Its cursor moves in the same transaction as the counts.

    An event counts in the step of its own time, however late it arrives. Bounds: a time that is more than a day
    later than the commit of the event is replaced by that of the commit, and a time before 1970 by 1970. Minutes are
    kept for 48 hours and hours for 90 days before the commit of the newest event; an event that is older counts in
    the longer steps only. Days are kept for ever.

    Per step there are at most STELE_ROLLUP_KEYS roles, providers, models and fingerprints, the first ones; all
    others count as one, "other". Of fingerprints at most STELE_ROLLUP_FINGERPRINTS are kept at any time, those
    that occurred last.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ROLLUP_H_INCLUDED
#define STELE_ROLLUP_H_INCLUDED

#include "ledger/reader.h"

/*  Events per transaction                                                   */
#define STELE_ROLLUP_PORTION 4096

#define STELE_ROLLUP_KEYS 64
#define STELE_ROLLUP_FINGERPRINTS 10000
#define STELE_ROLLUP_TASKS 3        // The last ones of a fingerprint

/*  So far behind, its numbers lack more than a moment                        */
#define STELE_ROLLUP_BUILDING 100000

typedef enum { STELE_STEP_MINUTE, STELE_STEP_HOUR, STELE_STEP_DAY, STELE_STEP_COUNT, STELE_STEP_AUTO = STELE_STEP_COUNT }
    stele_step_t;

/*  Length of a step in microseconds                                         */
int64_t
    stele_step_us (stele_step_t step);

/*  -- the follower's side ----------------------------------------------------- */

typedef struct stele_rollup stele_rollup_t;

/*  Open or create the counts of the ledger at 'path', which the reader reads (borrowed: it must
    outlive the object). Only one per ledger. Caller owns return value. NULL: the reason is in the refusal. */
stele_rollup_t *
    stele_rollup_open (const char *path, stele_reader_t *reader, stele_refusal_t *refusal);
void
    stele_rollup_close (stele_rollup_t **self_p);

/*  Why it had to be built from the start ("is of an earlier version"); NULL: it was usable. Static storage. It may
    change with stele_rollup_follow.                                         */
const char *
    stele_rollup_fault (const stele_rollup_t *self);

/*  Position of the last counted event.                                      */
int64_t
    stele_rollup_position (const stele_rollup_t *self);

/*  Count the next portion of the events up to 'head', and the events refused since. Returns the number of events,
    0: all are counted, or an error: then close it and open it again later.  */
int64_t
    stele_rollup_follow (stele_rollup_t *self, int64_t head);

/*  Text of the last error. Owned by the object.                             */
const char *
    stele_rollup_error (const stele_rollup_t *self);

/*  -- the reader's side ------------------------------------------------------- */

typedef enum {
    STELE_SERIES_ALL, STELE_SERIES_STATE, STELE_SERIES_ROLE, STELE_SERIES_PROVIDER, STELE_SERIES_MODEL,
    STELE_SERIES_FINGERPRINT
} stele_series_by_t;

typedef struct {
    stele_series_by_t by;
    stele_step_t step;              // AUTO: by the range, and by what is kept
    int64_t from_us, to_us;         // Both inclusive
    int64_t limit;                  // Series; more are merged into one. 0: as many as fit, at most 20
} stele_series_t;

/*  A request has at most so many steps, and so many of them in all series   */
#define STELE_SERIES_STEPS 3000
#define STELE_SERIES_POINTS 20000

/*  Percentiles at most one sixteenth too high                                */
typedef struct { stele_spread_t spread; int64_t sum; } stele_series_spread_t;

typedef struct {
    int64_t time;                   // Start of the step
    int64_t count;                  // By state: tasks that entered it; by fingerprint: failures
    int64_t created, started, interrupted, rejected;
    int64_t entered [STELE_TASK_STATE_END];
    double tokens_in, tokens_out, cost;
    stele_series_spread_t wait, run;    // In microseconds
} stele_series_point_t;

typedef struct {
    stele_span_t name;              // .text NULL: none, or other
    bool other;                     // All that have no series of their own
    stele_series_point_t total;
    int64_t first, last;            // Of a fingerprint: times at which it occurred, ever; 0: not known
    stele_span_t tasks [STELE_ROLLUP_TASKS];    // Ids; .text NULL: none
} stele_series_head_t;

typedef struct {
    stele_step_t step;
    int64_t from, to;               // Start of the first step, end of the last one
    int64_t since;                  // Steps are kept from here on; 0: there are none
    int64_t folded;                 // Position up to which events are counted
    int64_t left_out;               // Series merged into 'other' because of the limit
} stele_series_end_t;

/*  Call head per series, the largest first, and after it point per step in which anything happened. Both end
    the read as a stele_row_fn does. Returns 0, or a code: then the refusal has the reason if its code is not 0,
    else it is stele_reader_error. There may be no counts yet: then folded is 0. */
typedef int (stele_series_head_fn) (const stele_series_head_t *head, void *arg);
typedef int (stele_series_point_fn) (const stele_series_point_t *point, void *arg);
int
    stele_reader_series (stele_reader_t *self, const stele_series_t *ask, stele_series_head_fn *head,
        stele_series_point_fn *point, void *arg, stele_series_end_t *end, stele_refusal_t *refusal);

#endif
