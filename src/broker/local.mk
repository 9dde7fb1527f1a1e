noinst_LTLIBRARIES += src/broker/libbroker.la
src_broker_libbroker_la_SOURCES = \
    src/broker/answer.c src/broker/answer.h \
    src/broker/histogram.c src/broker/histogram.h \
    src/broker/params.c src/broker/params.h \
    src/broker/query.c src/broker/query.h \
    src/broker/query_chains.c \
    src/broker/query_log.c \
    src/broker/query_sessions.c \
    src/broker/query_stats.c \
    src/broker/query_tasks.c \
    src/broker/settings.c src/broker/settings.h
