# files of this room; the tests that take longest first, since they run side by side
include $(srcdir)/tests/unit/ledger_reader.mk
include $(srcdir)/tests/log/tests.mk
include $(srcdir)/tests/http/local.mk
include $(srcdir)/tests/integration/tests.mk
include $(srcdir)/tests/fault/local.mk
include $(srcdir)/tests/unit/cli.mk
include $(srcdir)/tests/unit/requests.mk
include $(srcdir)/tests/unit/wire.mk
include $(srcdir)/tests/unit/cache.mk
include $(srcdir)/tests/unit/client.mk
include $(srcdir)/tests/unit/fault.mk
include $(srcdir)/tests/bench/local.mk
include $(srcdir)/tests/browser/local.mk
include $(srcdir)/tests/fuzz/local.mk
include $(srcdir)/tests/tsan/local.mk
include $(srcdir)/tests/sanitized.mk
