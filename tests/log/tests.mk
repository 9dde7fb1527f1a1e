# Tests of the shared log, with real servers of PostgreSQL in private folders

log_support = tests/log/nodes.py tests/log/postgres.py

log_tests = \
    tests/log/test_append.py \
    tests/log/test_clients.py \
    tests/log/test_cluster.py \
    tests/log/test_damage.py \
    tests/log/test_doubt.py \
    tests/log/test_failover.py \
    tests/log/test_kills.py \
    tests/log/test_nodes.py \
    tests/log/test_standstill.py \
    tests/log/test_take_over.py \
    tests/log/test_upkeep.py \
    tests/log/test_writer.py

if WITH_POSTGRESQL
check_PROGRAMS += tests/log/log_tool
tests_log_log_tool_SOURCES = tests/log/log_tool.c
tests_log_log_tool_LDADD = $(STELE_ROOMS) $(STELE_LIBS)
if HAVE_PYTHON
TESTS += $(log_tests)
if HTTP
if RELAY
TESTS += tests/log/test_served.py
endif
endif
if HAVE_PROMTOOL
if HTTP
TESTS += tests/log/test_alerts.py
endif
endif
endif
endif

EXTRA_DIST += $(log_support) $(log_tests) tests/log/test_alerts.py tests/log/test_served.py
