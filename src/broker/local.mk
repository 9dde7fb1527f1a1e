noinst_LTLIBRARIES += src/broker/libbroker.la
src_broker_libbroker_la_SOURCES = \
    src/broker/actor.h \
    src/broker/answer.c src/broker/answer.h \
    src/broker/broker.c \
    src/broker/cache_actor.c \
    src/broker/detour.c src/broker/detour.h src/broker/detour_recover.c \
    src/broker/endpoint.c src/broker/endpoint.h \
    src/broker/envelope.c src/broker/envelope.h \
    src/broker/feed.c \
    src/broker/follower.c src/broker/follower.h \
    src/broker/front.c src/broker/front.h src/broker/front_internal.h \
    src/broker/front_mail.c \
    src/broker/front_workers.c \
    src/broker/histogram.c src/broker/histogram.h \
    src/broker/mode.c src/broker/mode.h \
    src/broker/ingest.c src/broker/ingest.h src/broker/ingest_internal.h \
    src/broker/ingest_mode.c src/broker/ingest_sockets.c \
    src/broker/params.c src/broker/params.h \
    src/broker/pending.c src/broker/pending.h \
    src/broker/pipeline.c \
    src/broker/poll.h \
    src/broker/query.c src/broker/query.h \
    src/broker/query_chains.c \
    src/broker/query_log.c \
    src/broker/query_report.c \
    src/broker/query_sessions.c \
    src/broker/query_stats.c \
    src/broker/query_tasks.c \
    src/broker/requests.c src/broker/requests.h \
    src/broker/search_actor.c \
    src/broker/roster.c src/broker/roster.h \
    src/broker/settings.c src/broker/settings.h \
    src/broker/tally.c src/broker/tally.h \
    src/broker/turns.c src/broker/turns.h \
    src/broker/unread.c src/broker/unread.h \
    src/broker/worker.c src/broker/worker.h \
    src/broker/writer.c src/broker/writer.h \
    src/broker/writer_peer.c \
    src/broker/writer_request.c
