/*  points - the table of all places where a fault can be injected

    A row is a place in the code, marked there with STELE_FAULT (name) or
    STELE_FAULT_CODE (name). `steled --fault-points` lists the names, and
    tests/fault runs the broker over each of them.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_POINTS_H_INCLUDED
#define STELE_POINTS_H_INCLUDED

/*  X (name, errors that the place can return, when it is passed)

    PLAIN: nothing; only kill, exit, stop and sleep are allowed there.
    ANY: any storage error. EIO: only an I/O error, since the step cannot be
    undone.                                                                  */
#define STELE_FAULT_POINTS(X) \
    X (open_before,             ANY,   "the ledger is about to be opened") \
    X (open_locked,             ANY,   "the lock is held, the database is not open yet") \
    X (open_configured,         ANY,   "the database is open, nothing was read or written yet") \
    X (migrate_before,          ANY,   "before the transaction of a migration") \
    X (migrate_inside,          ANY,   "a migration ran, its transaction is open") \
    X (migrate_after,           PLAIN, "a migration is committed") \
    X (check_after,             PLAIN, "the ledger was checked") \
    X (identify_before,         ANY,   "before a new ledger is given its id") \
    X (identify_after,          PLAIN, "the ledger has its id") \
    X (open_after,              PLAIN, "the ledger is open") \
    X (interrupt_all_before,    PLAIN, "rule 'all': before the running tasks are interrupted at a start") \
    X (interrupt_all_after,     PLAIN, "rule 'all': they are interrupted and committed") \
    X (begin_before,            ANY,   "before BEGIN of a batch") \
    X (begin_after,             PLAIN, "a batch is open") \
    X (append_before,           ANY,   "before the rows of an event") \
    X (append_after,            PLAIN, "the rows of an event are in the open batch") \
    X (reject_before,           ANY,   "before a refused event is stored") \
    X (reject_after,            PLAIN, "the refused event is in the open batch") \
    X (retry_before,            PLAIN, "before a refused event is retried") \
    X (producer_save_before,    ANY,   "before a producer's row is written") \
    X (producer_advance_before, ANY,   "before a producer's sequence moves in the batch") \
    X (fence_before,            ANY,   "before an instance is fenced in the ledger") \
    X (fence_after,             PLAIN, "an instance is fenced in the open batch") \
    X (interrupt_inside,        ANY,   "between two tasks that are interrupted") \
    X (cursor_store_before,     ANY,   "before a follower's cursor is stored") \
    X (cursor_store_after,      PLAIN, "a follower's cursor is in the open batch") \
    X (flush_before,            ANY,   "before the changed states of tasks are written") \
    X (commits_before,          ANY,   "before the row of table commits is written") \
    X (settle_before,           ANY,   "before the tables of producers and counts get what rows of commits hold") \
    X (settle_after,            PLAIN, "they have it in the open batch") \
    X (commit_before,           ANY,   "before COMMIT") \
    X (commit_after,            EIO,   "after COMMIT, before any ack or announcement") \
    X (high_water_before,       PLAIN, "a batch is committed, before the high-water mark is written") \
    X (high_water_after,        PLAIN, "the high-water mark is written, perhaps not synced") \
    X (rollback_before,         PLAIN, "before a batch is rolled back") \
    X (rollback_after,          PLAIN, "a batch was rolled back, its messages are kept") \
    X (again_before,            PLAIN, "before a deferred batch is retried") \
    X (checkpoint_before,       ANY,   "before a checkpoint of the write-ahead log") \
    X (checkpoint_copied,       PLAIN, "its pages are in the database file, which is not synced") \
    X (checkpoint_after,        EIO,   "a step of a checkpoint was done") \
    X (snapshot_copy,           ANY,   "before a portion of the ledger is copied for a backup") \
    X (snapshot_copied,         PLAIN, "the ledger is copied") \
    X (snapshot_compressed,     PLAIN, "the copy is compressed") \
    X (snapshot_verified,       PLAIN, "the compressed copy was restored and verified") \
    X (snapshot_archived,       PLAIN, "the copy of an archive was verified and has its name, before a snapshot names it") \
    X (snapshot_renamed,        PLAIN, "the compressed copy has its name, before its JSON object is written") \
    X (snapshot_published,      PLAIN, "the snapshot counts") \
    X (snapshot_removed,        PLAIN, "an old snapshot was removed") \
    X (restore_replayed,        PLAIN, "restore: the ledger has all its events") \
    X (restore_archived,        PLAIN, "restore: the archives have their names, the ledger does not") \
    X (restore_named,           PLAIN, "restore: the ledger is verified, before it gets its name") \
    X (archive_copy,            ANY,   "before tasks or sessions are copied to an archive") \
    X (archive_copied,          PLAIN, "the copies are durable in the archive, the ledger still has the tasks or sessions") \
    X (archive_move,            ANY,   "before what was copied is replaced by stubs") \
    X (archive_moved,           PLAIN, "the stubs are in the open batch, the rows are deleted there") \
    X (recall_before,           ANY,   "before an archived task or session is copied back") \
    X (recall_after,            PLAIN, "it is back in the open batch, without its stub") \
    X (erase_before,            ANY,   "before the contents of a task are erased") \
    X (erase_after,             PLAIN, "they are erased in the open batch") \
    X (erase_step,              ANY,   "before some of very many outputs of an erased task are erased") \
    X (erase_stepped,           PLAIN, "they are erased in the open transaction") \
    X (scrub_before,            ANY,   "an erasure is committed, before archives and the log are scrubbed of it") \
    X (scrub_after,             PLAIN, "archives and the log have nothing of erased tasks") \
    X (compact_before,          ANY,   "compact: before the ledger is written again") \
    X (compact_written,         PLAIN, "compact: it is in the write-ahead log") \
    X (compact_after,           PLAIN, "compact: it is in its file, before the archives") \
    X (close_before,            PLAIN, "before the ledger is closed") \
    X (close_after,             PLAIN, "the ledger is closed") \
    X (input_taken,             PLAIN, "a message was received, none of it is in the batch") \
    X (hello_before,            PLAIN, "before a hello is processed") \
    X (goodbye_before,          PLAIN, "before a goodbye is processed") \
    X (expire_before,           PLAIN, "a lease expired, nothing was written yet") \
    X (expire_after,            PLAIN, "the expiry of the lease is in the open batch") \
    X (announce_before,         PLAIN, "before the new head is announced to followers") \
    X (announce_after,          PLAIN, "the new head was announced, no ack was sent") \
    X (welcome_before,          PLAIN, "before a welcome is sent") \
    X (welcome_after,           PLAIN, "a welcome was sent") \
    X (ack_before,              PLAIN, "before an ack is sent") \
    X (ack_after,               PLAIN, "an ack was sent") \
    X (nak_before,              PLAIN, "before a nak is sent") \
    X (nak_after,               PLAIN, "a nak was sent") \
    X (answer_before,           PLAIN, "before a durable publish by request is answered") \
    X (answer_after,            PLAIN, "a durable publish by request was answered") \
    X (request_taken,           PLAIN, "a request was received") \
    X (request_answer_before,   PLAIN, "before a request is answered") \
    X (redis_connected,         PLAIN, "Redis is connected, its position was not read yet") \
    X (redis_aligned,           PLAIN, "the position of Redis was read") \
    X (exec_before,             PLAIN, "a transaction is queued, before EXEC is sent to Redis") \
    X (exec_sent,               PLAIN, "EXEC was sent to Redis, its reply was not read yet") \
    X (exec_after,              PLAIN, "Redis has replied to EXEC") \
    X (rebuild_before,          PLAIN, "before the first step of a rebuild of Redis") \
    X (rebuild_wiping,          PLAIN, "Redis: between two steps of wiping") \
    X (rebuild_filling_tasks,   PLAIN, "Redis: between two steps of filling in tasks") \
    X (rebuild_filling_sessions, PLAIN, "Redis: between two steps of filling in sessions") \
    X (rebuild_finish,          PLAIN, "Redis: before the transaction that ends a rebuild") \
    X (rebuild_after,           PLAIN, "Redis is rebuilt") \
    X (sweep_before,            PLAIN, "Redis: before expired terminal tasks are removed from their sets") \
    X (sweep_after,             PLAIN, "Redis: expired terminal tasks were removed from their sets") \
    X (recover_before,          PLAIN, "before a requested recovery") \
    X (compare_before,          PLAIN, "before Redis is compared with the ledger") \
    X (compare_after,           PLAIN, "Redis was compared and repaired") \
    X (feed_before,             PLAIN, "before an event is sent to the feed") \
    X (feed_after,              PLAIN, "an event was sent to the feed") \
    X (rollup_stored,           PLAIN, "a portion of the log is in the counts per time, their transaction is open") \
    X (push_before,             PLAIN, "before an event is sent to pipeline-out") \
    X (push_after,              PLAIN, "an event was sent to pipeline-out") \
    X (cursor_asked,            PLAIN, "the pipeline has requested that its cursor be stored") \
    X (repository_write_before, PLAIN, "before a file of the backup repository is written") \
    X (repository_written,      PLAIN, "the file is written and synced under a temporary name") \
    X (repository_renamed,      PLAIN, "it has its name, and the folder is synced") \
    X (seal_written,            PLAIN, "the root of a tile is written, not synced") \
    X (seal_synced,             PLAIN, "the roots of tiles are synced, before the next checkpoint is signed") \
    X (seal_note_written,       PLAIN, "a checkpoint is written and synced under a temporary name") \
    X (seal_note_renamed,       PLAIN, "it has its name, and the folder is synced") \
    X (start_ingest,            PLAIN, "start: before the writer") \
    X (start_followers,         PLAIN, "start: the writer runs, before the followers") \
    X (start_requests,          PLAIN, "start: the followers run, before the requests") \
    X (start_ready,             PLAIN, "start: everything runs, before the broker reports it") \
    X (stop_begin,              PLAIN, "stop: nothing was done yet") \
    X (stop_paused,             PLAIN, "stop: the writer accepts no more events and has committed") \
    X (stop_drained,            PLAIN, "stop: a follower has caught up, or is not waited for") \
    X (stop_requests,           PLAIN, "stop: requests have ended") \
    X (stop_followers,          PLAIN, "stop: the followers have ended") \
    X (stop_ingest,             PLAIN, "stop: the writer has ended")

/*  X (name, effect)
    Deliberate bugs: with one of them switched on, a test of durability must fail. */
#define STELE_CONTROLS(X) \
    X (ack_before_commit,       "acks and naks are sent before the commit") \
    X (sync_normal,             "the ledger commits without waiting for the disk") \
    X (zap_ends,                "the ZAP actor ends when it is asked about the third connection")

#endif
