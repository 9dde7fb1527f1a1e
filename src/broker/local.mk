noinst_LTLIBRARIES += src/broker/libbroker.la
src_broker_libbroker_la_SOURCES = \
    src/broker/broker.c \
    src/broker/recovery_report.c src/broker/recovery_report.h \
    src/broker/access/access.c src/broker/access/access.h \
    src/broker/access/delegate.c src/broker/access/delegate.h \
    src/broker/access/denials.c src/broker/access/denials.h \
    src/broker/access/identity.c src/broker/access/identity.h \
    src/broker/access/identity_frame.h \
    src/broker/access/keyring.c src/broker/access/keyring.h \
    src/broker/access/zap.c src/broker/access/zap.h \
    src/broker/common/actor.h \
    src/broker/common/announcement.h \
    src/broker/common/answer.c src/broker/common/answer.h \
    src/broker/common/denied.c src/broker/common/denied.h \
    src/broker/common/endpoint.c src/broker/common/endpoint.h \
    src/broker/common/envelope.c src/broker/common/envelope.h \
    src/broker/common/histogram.c src/broker/common/histogram.h \
    src/broker/common/log.c src/broker/common/log.h \
    src/broker/common/mode.c src/broker/common/mode.h \
    src/broker/common/node.c src/broker/common/node.h \
    src/broker/common/poll.h \
    src/broker/common/send_quota.c src/broker/common/send_quota.h \
    src/broker/common/presence.c src/broker/common/presence.h \
    src/broker/common/standing.h \
    src/broker/common/settings.c src/broker/common/settings.h \
    src/broker/common/settings_check.c \
    src/broker/ingest/clock_watch.c src/broker/ingest/clock_watch.h \
    src/broker/ingest/disk_space.c src/broker/ingest/disk_space.h \
    src/broker/ingest/fold.c src/broker/ingest/fold.h \
    src/broker/ingest/ingest.c src/broker/ingest/ingest.h \
    src/broker/ingest/ingest_internal.h \
    src/broker/ingest/ingest_mode.c \
    src/broker/ingest/ingest_sockets.c \
    src/broker/ingest/lead.c src/broker/ingest/lead.h src/broker/ingest/lead_internal.h \
    src/broker/ingest/lead_follow.c \
    src/broker/ingest/lead_job.c src/broker/ingest/lead_job.h \
    src/broker/ingest/lead_start.c \
    src/broker/ingest/mode_switch.c \
    src/broker/ingest/producer_news.c src/broker/ingest/producer_news.h \
    src/broker/ingest/redis_mode.c src/broker/ingest/redis_mode.h \
    src/broker/ingest/redis_mode_recover.c \
    src/broker/ingest/roster.c src/broker/ingest/roster.h \
    src/broker/ingest/screen.c src/broker/ingest/screen.h \
    src/broker/ingest/writer.c src/broker/ingest/writer.h \
    src/broker/ingest/writer_archive.c \
    src/broker/ingest/writer_erase.c \
    src/broker/ingest/writer_audit.c \
    src/broker/ingest/writer_peer.c \
    src/broker/ingest/writer_request.c \
    src/broker/ingest/writer_run.c \
    src/broker/operations/audit.c src/broker/operations/audit.h \
    src/broker/operations/event_log.c \
    src/broker/operations/keys.c \
    src/broker/operations/operations.c src/broker/operations/operations.h \
    src/broker/operations/owners.c \
    src/broker/operations/params.c src/broker/operations/params.h \
    src/broker/operations/query.c src/broker/operations/query.h \
    src/broker/operations/scope.h \
    src/broker/operations/reports.c \
    src/broker/operations/series.c \
    src/broker/operations/sessions.c \
    src/broker/operations/stats.c \
    src/broker/operations/storage.c \
    src/broker/operations/task_details.c \
    src/broker/operations/tasks.c \
    src/broker/requests/fair_queue.c src/broker/requests/fair_queue.h \
    src/broker/requests/pending.c src/broker/requests/pending.h \
    src/broker/requests/request_stats.c src/broker/requests/request_stats.h \
    src/broker/requests/requests.c src/broker/requests/requests.h \
    src/broker/requests/router.c src/broker/requests/router.h \
    src/broker/requests/router_answers.c \
    src/broker/requests/router_index.c \
    src/broker/requests/router_internal.h \
    src/broker/requests/router_mailboxes.c \
    src/broker/requests/router_secrets.c \
    src/broker/requests/router_workers.c \
    src/broker/requests/worker.c src/broker/requests/worker.h \
    src/broker/followers/archive_follower.c \
    src/broker/followers/cache_follower.c \
    src/broker/followers/feed.c \
    src/broker/followers/feed_subscribers.c src/broker/followers/feed_subscribers.h \
    src/broker/followers/feed_topics.c src/broker/followers/feed_topics.h \
    src/broker/followers/follower.c src/broker/followers/follower.h \
    src/broker/followers/pipeline.c \
    src/broker/followers/rollup_follower.c \
    src/broker/followers/seal_follower.c \
    src/broker/followers/segment_follower.c \
    src/broker/followers/search_follower.c \
    src/broker/followers/snapshot_follower.c \
    src/broker/followers/snapshot_job.c src/broker/followers/snapshot_job.h
