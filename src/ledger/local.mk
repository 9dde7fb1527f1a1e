noinst_LTLIBRARIES += src/ledger/libledger.la
src_ledger_libledger_la_SOURCES =
