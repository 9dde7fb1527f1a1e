noinst_LTLIBRARIES += src/log/liblog.la
src_log_liblog_la_SOURCES = \
    src/log/batch.c src/log/batch.h \
    src/log/postgres.h \
    src/log/shared_log.h src/log/shared_log_internal.h
if WITH_POSTGRESQL
src_log_liblog_la_SOURCES += \
    src/log/postgres.c \
    src/log/shared_log.c \
    src/log/shared_log_nodes.c \
    src/log/shared_log_tables.c \
    src/log/shared_log_trim.c \
    src/log/shared_log_writer.c
else
src_log_liblog_la_SOURCES += src/log/without.c
endif
