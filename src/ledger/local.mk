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
    src/ledger/producers.c \
    src/ledger/reader.h \
    src/ledger/schema.h \
    src/ledger/sql.c \
    src/ledger/sql.h \
    src/ledger/tasks.c \
    src/ledger/tasks.h \
    src/ledger/words.c \
    src/ledger/words.h
