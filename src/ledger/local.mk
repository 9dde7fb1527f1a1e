noinst_LTLIBRARIES += src/ledger/libledger.la
src_ledger_libledger_la_SOURCES =
# files of this room
src_ledger_libledger_la_SOURCES += src/ledger/content.c src/ledger/content.h
