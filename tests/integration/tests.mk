# Tests in Python: each file starts its own broker and Redis, so they run in parallel.
# `make check-unit` and `make check-integration` run one half of `make check`.

integration_support = \
    tests/conformance/client.py \
    tests/integration/archived.py \
    tests/integration/earlier.py \
    tests/integration/harness.py \
    tests/integration/keyed.py \
    tests/integration/load.py \
    tests/integration/planted.py \
    tests/integration/receiver.py \
    tests/integration/series.py \
    tests/integration/stream.py

integration_tests = \
    tests/conformance/test_access.py \
    tests/conformance/test_audit.py \
    tests/conformance/test_document.py \
    tests/conformance/test_events.py \
    tests/conformance/test_feed.py \
    tests/conformance/test_leases.py \
    tests/conformance/test_lifecycle.py \
    tests/conformance/test_lists.py \
    tests/conformance/test_operations.py \
    tests/conformance/test_owners.py \
    tests/conformance/test_pipeline.py \
    tests/conformance/test_publish.py \
    tests/conformance/test_questions.py \
    tests/conformance/test_statuses.py \
    tests/conformance/test_redis.py \
    tests/conformance/test_requests.py \
    tests/integration/test_archive.py \
    tests/integration/test_archive_backup.py \
    tests/integration/test_erase.py \
    tests/integration/test_erase_restore.py \
    tests/integration/test_backup.py \
    tests/integration/test_crash.py \
    tests/integration/test_examples.py \
    tests/integration/test_export.py \
    tests/integration/test_backup_segments.py \
    tests/integration/test_proof.py \
    tests/integration/test_clock.py \
    tests/integration/test_health.py \
    tests/integration/test_keys.py \
    tests/integration/test_live.py \
    tests/integration/test_log_length.py \
    tests/integration/test_migrate.py \
    tests/integration/test_migrate_again.py \
    tests/integration/test_migrate_values.py \
    tests/integration/test_modes.py \
    tests/integration/test_spool_aside.py \
    tests/integration/test_redis_away.py \
    tests/integration/test_run.py \
    tests/integration/test_redis_refuses.py \
    tests/integration/test_stele.py \
    tests/integration/test_steled.py \
    tests/integration/test_stop.py \
    tests/integration/test_streams.py \
    tests/integration/test_search_lag.py \
    tests/integration/test_series.py \
    tests/integration/test_storage.py \
    tests/integration/test_series_file.py \
    tests/integration/test_text.py \
    tests/integration/test_together.py \
    tests/integration/test_top.py \
    tests/integration/test_users.py

check_PROGRAMS += tests/integration/sqlite_rows
tests_integration_sqlite_rows_SOURCES = tests/integration/sqlite_rows.c
tests_integration_sqlite_rows_LDADD = $(SQLITE_LIBS)
redaction_tests = \
    tests/integration/test_redaction.py \
    tests/integration/test_secrets_in_requests.py \
    python/tests/test_redact.py

relay_tests = \
    tests/integration/test_health_relay.py \
    tests/integration/test_relay.py \
    tests/integration/test_relay_state.py \
    tests/integration/test_relay_traces.py

# A test that hangs fails, and one in Python says where
TEST_LIMIT = timeout --foreground -s ABRT -k 10 900
TEST_EXTENSIONS = .py
LOG_COMPILER = $(TEST_LIMIT)
PY_LOG_COMPILER = $(TEST_LIMIT) $(PYTHON) -X faulthandler
AM_TESTS_ENVIRONMENT = \
    STELE_BUILD='$(abs_top_builddir)'; export STELE_BUILD; \
    STELE_SRC='$(abs_top_srcdir)'; export STELE_SRC; \
    PYTHONPATH='$(abs_top_srcdir)/tests/integration:$(abs_top_srcdir)/tests/conformance:$(abs_top_srcdir)/tests/http:$(abs_top_srcdir)/tests/log:$(abs_top_srcdir)/python'; export PYTHONPATH; \
    PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE;

if HAVE_PYTHON
TESTS += $(integration_tests) $(python_tests)
if !SANITIZE
TESTS += $(pure_python_tests)
endif
if WITH_REDACTION
TESTS += $(redaction_tests)
endif
if RELAY
TESTS += $(relay_tests)
endif
endif

EXTRA_DIST += $(integration_support) $(integration_tests) $(python_tests) $(pure_python_tests) $(redaction_tests) $(relay_tests) tests/run.sh tests/setup.sh

.PHONY: check-unit check-integration
check-unit: $(BUILT_SOURCES)
	$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(filter tests/unit/%,$(TESTS))"
check-integration: $(BUILT_SOURCES)
	$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(integration_tests) $(python_tests) $(pure_python_tests) $(redaction_tests) $(relay_tests)"

check_PROGRAMS += tests/integration/repository_tool
tests_integration_repository_tool_SOURCES = tests/integration/repository_tool.c
tests_integration_repository_tool_LDADD = $(STELE_ROOMS) $(STELE_LIBS)
