noinst_LTLIBRARIES += src/ledger/libledger.la
src_ledger_libledger_la_SOURCES = \
    src/ledger/append.c \
    src/ledger/append_session.c \
    src/ledger/append_task.c \
    src/ledger/content.c \
    src/ledger/content.h \
    src/ledger/ledger.c \
    src/ledger/ledger.h \
    src/ledger/ledger_internal.h \
    src/ledger/members.c \
    src/ledger/members.h \
    src/ledger/parts.c \
    src/ledger/parts.h \
    src/ledger/producers.c \
    src/ledger/reader.c \
    src/ledger/reader.h \
    src/ledger/reader_chain.c \
    src/ledger/reader_columns.c \
    src/ledger/reader_filter.c \
    src/ledger/reader_filter.h \
    src/ledger/reader_internal.h \
    src/ledger/reader_list.c \
    src/ledger/reader_log.c \
    src/ledger/reader_past.c \
    src/ledger/reader_rejected.c \
    src/ledger/reader_rows.c \
    src/ledger/reader_sessions.c \
    src/ledger/reader_stats.c \
    src/ledger/reader_tasks.c \
    src/ledger/schema.h \
    src/ledger/sql.c \
    src/ledger/sql.h \
    src/ledger/tasks.c \
    src/ledger/tasks.h \
    src/ledger/words.c \
    src/ledger/words.h
