# `make check-tsan`, in a build with --enable-sanitize=thread: the tests that have the most threads,
# and a control that has to be reported.

EXTRA_PROGRAMS += tests/tsan/race
CLEANFILES += tests/tsan/race$(EXEEXT)
tests_tsan_race_SOURCES = tests/tsan/race.c
tests_tsan_race_LDADD = $(CZMQ_LIBS) $(ZMQ_LIBS)

tsan_tests = \
    tests/unit/test_compress_ahead \
    tests/unit/test_checkpoint \
    tests/unit/test_lead_job \
    tests/conformance/test_feed.py \
    tests/conformance/test_pipeline.py \
    tests/conformance/test_publish.py \
    tests/conformance/test_redis.py \
    tests/conformance/test_requests.py \
    tests/integration/test_crash.py \
    tests/integration/test_redis_away.py \
    tests/integration/test_stele.py \
    tests/integration/test_stop.py \
    tests/integration/test_streams.py

if WITH_POSTGRESQL
tsan_tests += tests/log/test_take_over.py
endif

EXTRA_DIST += tests/tsan/check.sh tests/tsan/suppressions.txt

.PHONY: check-tsan
# Only the programs that these tests are: 'check' would build all others too
check-tsan: all tests/tsan/race$(EXEEXT) $(filter tests/unit/%,$(tsan_tests))
	@$(srcdir)/tests/tsan/check.sh $(srcdir)/tests/tsan/suppressions.txt \
	    $(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS="$(tsan_tests)"
