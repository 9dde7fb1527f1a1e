# `make check-sanitized`: what .ci/run tests in its build with sanitizers, in which a test takes two to four times as long.
# `make check` in such a build runs all.

# Left out: what tests Python or documents; what runs the same code of ours on more data, or with other ends, than a
# test that is in
unsanitized_tests = \
    tests/http/test_alerts.py \
    tests/http/test_promtool.py \
    tests/integration/test_archive_backup.py \
    tests/integration/test_erase_restore.py \
    tests/integration/test_examples.py \
    tests/integration/test_health_relay.py \
    tests/integration/test_log_length.py \
    tests/integration/test_migrate_again.py \
    tests/integration/test_migrate_values.py \
    tests/integration/test_modes.py \
    tests/integration/test_relay_state.py \
    tests/integration/test_run.py \
    tests/integration/test_search_lag.py \
    tests/integration/test_series_file.py \
    tests/log/test_alerts.py \
    tests/log/test_clients.py \
    tests/log/test_cluster.py \
    tests/log/test_failover.py \
    tests/log/test_kills.py \
    tests/log/test_nodes.py \
    tests/log/test_served.py \
    tests/log/test_standstill.py \
    tests/log/test_take_over.py \
    tests/log/test_upkeep.py

.PHONY: check-sanitized
check-sanitized:
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(filter-out doc/% python/% $(unsanitized_tests),$(TESTS))'
