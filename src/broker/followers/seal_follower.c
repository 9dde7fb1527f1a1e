/*  seal_follower - the follower that seals the history: hashes of events, signed notes (proof/sealer.h)

    It reads the log in portions, a few times per second, with rests while many events arrive, and writes a note every
    'seal-lag' seconds if there are new events: beside the ledger, and one per day into the repository of backups, once the
    segments there have its events. Nothing waits for it, no ack above all.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // asprintf
#endif

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/thread.h"
#include "broker/common/log.h"
#include "broker/followers/follower.h"
#include "proof/sealer.h"
#include "repository/repository.h"

#define NAME "seal"
#define UNSIGNED "unsigned"
#define NICE 5
#define TICK_MS 250
#define RETRY_MS 2000
#define KEEP_MS 1000                // Between two looks at the end of the segments
#define PORTION_EVENTS 4000
#define CATCHING_UP 100000          // Events behind the head
#define LOGGED_MS 3600000           // Between two notes in the log

typedef struct {
    stele_follower_t follower;
    stele_seal_key_t *key;          // NULL: notes are not signed
    stele_sealer_t *sealer;         // NULL: it could not be opened
    char kept [24];                 // Name of the note of the repository that was written last
    int64_t kept_size;              // And its size
    stele_note_t held;              // The oldest note that the segments have not reached; size 0: none
    int64_t looked_ms;              // Steady clock: at the end of the segments
    int64_t next_ms;                // Steady clock: next portion
    int64_t noted_ms;               // Steady clock: last note
    int64_t failing_since_ms;
    bool failing, contradicted;
    int64_t logged, logged_ms;      // Size of the note that was logged last, 0: none in this run; steady clock
    stele_refusal_t refusal;        // Reason of the last failure
} s_seal_t;

static int64_t
s_position (const s_seal_t *self)
{
    return self->sealer? stele_sealer_position (self->sealer): 0;
}

static int64_t
s_noted (const s_seal_t *self)
{
    return self->sealer? stele_sealer_note (self->sealer)->size: 0;
}

static const char *
s_state (const s_seal_t *self)
{
    return self->contradicted? "contradicted": self->failing? "failing":
        self->follower.head - s_position (self) > CATCHING_UP? "catching_up": "live";
}

static void
s_pack_stats (void *arg)
{
    s_seal_t *self = arg;
    stele_pack_t *pack = self->follower.pack;
    int64_t lag = self->follower.head - s_noted (self);
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "position", s_noted (self));
    stele_pack_key_integer (pack, "lag_events", lag > 0? lag: 0);
    stele_pack_key_integer (pack, "lag_ms", lag > 0? stele_clock_steady_ms () - self->noted_ms: 0);
    stele_pack_key_bool (pack, "signed", self->key != NULL);
    stele_pack_key_string (pack, "state", s_state (self));
    if (self->failing) {
        stele_pack_key_integer (pack, "state_ms", stele_clock_steady_ms () - self->failing_since_ms);
        stele_pack_key_string (pack, "error", self->refusal.message);
    }
    stele_pack_map_end (pack);
}

static void
s_note (s_seal_t *self, int code)
{
    bool failing = code < 0;
    if (failing && !self->failing) {
        self->failing_since_ms = stele_clock_steady_ms ();
        stele_log_error ("seal", "the history is not sealed%s: %s", code == STELE_ELEDGER? "": ", retrying",
            self->refusal.message);
    }
    if (!failing && self->failing)
        stele_log_info ("seal", "the history is sealed again");
    self->failing = failing;
    self->contradicted = code == STELE_ELEDGER;
    if (self->sealer && stele_sealer_repaired (self->sealer))
        stele_log_warning ("seal", "the file of seals was damaged: it is made again, the last checkpoint proves the events");
}

//  -- notes of the repository --------------------------------------------------------------

//  The last position that the segments have; 0: the follower of the segments has not made the repository yet, or it is not
//  the one of this ledger. After an accepted loss it is not: then its notes are those of the history before.
static int64_t
s_segments_last (s_seal_t *self)
{
    char broken [48];
    stele_refusal_t refusal;
    stele_repository_t *repository = stele_repository_open (self->follower.settings->backup, &refusal);
    bool own = repository && strcmp (stele_repository_ledger_id (repository), stele_reader_ledger_id (self->follower.reader)) == 0;
    int64_t last = own? stele_repository_last (repository, self->kept_size, broken, &refusal): 0;
    stele_repository_close (&repository);
    return last > 0? last: 0;
}

//  One per day, the last. A clock that was set back writes on in the file of the latest day.
static int
s_write_kept (s_seal_t *self, const stele_note_t *note)
{
    char *folder, *path, name [sizeof self->kept];
    time_t now = (time_t) (stele_clock_us () / 1000000);
    struct tm parts;
    strftime (name, sizeof name, "%Y-%m-%d.note", gmtime_r (&now, &parts));
    if (strcmp (name, self->kept) < 0)
        memcpy (name, self->kept, sizeof name);
    if (asprintf (&folder, "%s/" STELE_REPOSITORY_CHECKPOINTS, self->follower.settings->backup) < 0 || asprintf (&path, "%s/%s", folder, name) < 0)
        abort ();
    int code = mkdir (folder, 0700) == 0 || errno == EEXIST? stele_note_save (note, path, &self->refusal):
        stele_refuse (&self->refusal, errno == ENOSPC || errno == EDQUOT? STELE_EFULL: STELE_EIO, "note", "cannot make '%.300s': %s",
            folder, strerror (errno));
    if (code == 0) {
        memcpy (self->kept, name, sizeof name);
        self->kept_size = note->size;
    }
    free (path);
    free (folder);
    return code;
}

//  A note is written there after the events that it proves: so one that is ahead of the segments shows that their end is missing.
//  While events arrive, the segments never reach the newest note: they reach the one that is held.
static int
s_keep (s_seal_t *self, bool now)
{
    const stele_note_t *newest = stele_sealer_note (self->sealer);
    int64_t now_ms = stele_clock_steady_ms ();
    if (!now && now_ms - self->looked_ms < KEEP_MS)
        return 0;
    self->looked_ms = now_ms;
    int64_t last = s_segments_last (self);
    bool reached = self->held.size > 0 && self->held.size <= last;
    const stele_note_t *note = newest->size <= last? newest: reached? &self->held: NULL;
    int code = note? s_write_kept (self, note): 0;
    if (code == 0 && (note || self->held.size == 0))
        self->held = *newest;
    return code;
}

//  The log may be kept where the ledger is not: with the id of the ledger, this is the whole note
static void
s_log_note (s_seal_t *self, const stele_note_t *note)
{
    const char *root = strchr (strchr (note->text, '\n') + 1, '\n') + 1, *end = strchr (root, '\n');
    const char *signature = note->text + note->body_size + 1;
    bool is_signed = stele_note_is_signed (note);
    self->logged = note->size;
    self->logged_ms = stele_clock_steady_ms ();
    stele_log_info ("seal", "sealed up to position %" PRId64 ": %.*s%s%.*s", note->size, (int) (end - root), root,
        is_signed? " ": "", is_signed? (int) strcspn (signature, "\n"): 0, signature);
}

//  -- the loop -------------------------------------------------------------------------------

static int
s_checkpoint (s_seal_t *self, bool now)
{
    int64_t passed_ms = stele_clock_steady_ms () - self->noted_ms;
    bool due = now || passed_ms >= self->follower.settings->seal_lag_s * 1000;
    int rc = due? stele_sealer_checkpoint (self->sealer, &self->refusal): 0;
    if (due && rc >= 0)
        self->noted_ms = stele_clock_steady_ms ();
    if (rc >= 0 && *self->follower.settings->backup && self->kept_size < s_noted (self))
        rc = s_keep (self, now);
    bool ends = now && s_noted (self) >= self->follower.head;
    bool log = ends || !self->logged || stele_clock_steady_ms () - self->logged_ms >= LOGGED_MS;
    if (rc >= 0 && log && s_noted (self) > self->logged)
        s_log_note (self, stele_sealer_note (self->sealer));
    return rc;
}

//  Follow the log. With 'now', also write a note. Returns the number of events, or a code.
static int64_t
s_follow (s_seal_t *self, bool now)
{
    if (self->contradicted)
        return STELE_ELEDGER;
    self->refusal = (stele_refusal_t) { 0 };
    if (!self->sealer)
        self->sealer = stele_sealer_open (self->follower.settings->ledger, self->follower.reader, self->key, &self->refusal);
    int64_t count = self->sealer? stele_sealer_follow (self->sealer, PORTION_EVENTS, &self->refusal): self->refusal.code;
    if (s_position (self) > self->follower.head)
        self->follower.head = s_position (self);
    int code = count < 0? (int) count: s_checkpoint (self, now);
    s_note (self, code);
    return code < 0? code: count;
}

static int
s_step (void *arg)
{
    s_seal_t *self = arg;
    int64_t now_ms = stele_clock_steady_ms ();
    if (now_ms >= self->next_ms) {
        stele_follower_sample (&self->follower, now_ms);
        int64_t count = s_follow (self, false);
        int64_t rest_ms = count < 0? RETRY_MS: count < PORTION_EVENTS? TICK_MS:
            self->follower.head - s_position (self) > CATCHING_UP? 0: stele_follower_rest_ms (&self->follower, now_ms);
        self->next_ms = stele_clock_steady_ms () + rest_ms;
    }
    now_ms = stele_clock_steady_ms ();
    return self->next_ms > now_ms? (int) (self->next_ms - now_ms): 0;
}

//  A stop seals the end of the log, unless that fails
static bool
s_drained (void *arg)
{
    s_seal_t *self = arg;
    return s_follow (self, true) < 0 || s_noted (self) >= self->follower.head;
}

static int
s_open (void *arg, stele_refusal_t *refusal)
{
    s_seal_t *self = arg;
    const char *path = self->follower.settings->seal;
    stele_thread_nice (NICE);
    self->follower.ignore_heads = true;
    self->noted_ms = stele_clock_steady_ms ();
    if (strcmp (path, UNSIGNED) == 0) {
        stele_log_warning ("seal", "the history is sealed without a key: whoever can write its files can change it and the "
            "seals; 'stele key new NAME --sign' makes a key");
        return 0;
    }
    self->key = stele_seal_key_load (path, refusal);
    if (self->key && !stele_seal_key_is_secret (self->key))
        stele_refuse (refusal, STELE_EINVALID_FIELD, "seal", "'%.300s' has the public key; the setting seal needs the secret one",
            path);
    return !self->key? refusal->code: stele_seal_key_is_secret (self->key)? 0: refusal->code;
}

static void
s_close (void *arg)
{
    s_seal_t *self = arg;
    stele_sealer_close (&self->sealer);
    stele_seal_key_destroy (&self->key);
}

void
stele_seal_follower (zsock_t *pipe, void *args)
{
    static const stele_follower_class_t class = {
        .name = NAME, .open = s_open, .step = s_step, .pack_stats = s_pack_stats, .drained = s_drained, .close = s_close
    };
    s_seal_t self = { .key = NULL };
    stele_follower_run (&self.follower, &class, pipe, args);
}
