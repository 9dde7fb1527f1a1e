check_PROGRAMS += tests/unit/test_histogram
TESTS += tests/unit/test_histogram
tests_unit_test_histogram_SOURCES = tests/unit/test_histogram.c
tests_unit_test_histogram_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

EXTRA_DIST += tests/unit/talk.h

check_PROGRAMS += tests/unit/test_params
TESTS += tests/unit/test_params
tests_unit_test_params_SOURCES = tests/unit/test_params.c
tests_unit_test_params_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_operations
TESTS += tests/unit/test_operations
tests_unit_test_operations_SOURCES = tests/unit/test_operations.c
tests_unit_test_operations_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_scope
TESTS += tests/unit/test_scope
tests_unit_test_scope_SOURCES = tests/unit/test_scope.c tests/unit/talk.h
tests_unit_test_scope_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_feed_topics
TESTS += tests/unit/test_feed_topics
tests_unit_test_feed_topics_SOURCES = tests/unit/test_feed_topics.c
tests_unit_test_feed_topics_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_requests
TESTS += tests/unit/test_requests
tests_unit_test_requests_SOURCES = tests/unit/test_requests.c
tests_unit_test_requests_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_pending
TESTS += tests/unit/test_pending
tests_unit_test_pending_SOURCES = tests/unit/test_pending.c
tests_unit_test_pending_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_fair_queue
TESTS += tests/unit/test_fair_queue
tests_unit_test_fair_queue_SOURCES = tests/unit/test_fair_queue.c
tests_unit_test_fair_queue_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_roster
TESTS += tests/unit/test_roster
tests_unit_test_roster_SOURCES = tests/unit/test_roster.c tests/unit/ledger_fixture.h
tests_unit_test_roster_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
#   Without liblog: the functions of the log are those of the test
check_PROGRAMS += tests/unit/test_lead_job
TESTS += tests/unit/test_lead_job
tests_unit_test_lead_job_SOURCES = tests/unit/test_lead_job.c
tests_unit_test_lead_job_LDADD = src/broker/libbroker.la src/base/libbase.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_disk_space
TESTS += tests/unit/test_disk_space
tests_unit_test_disk_space_SOURCES = tests/unit/test_disk_space.c
tests_unit_test_disk_space_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)


check_PROGRAMS += tests/unit/test_audit
TESTS += tests/unit/test_audit
tests_unit_test_audit_SOURCES = tests/unit/test_audit.c tests/unit/ledger_fixture.h
tests_unit_test_audit_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_access
TESTS += tests/unit/test_access
tests_unit_test_access_SOURCES = tests/unit/test_access.c
tests_unit_test_access_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_follower
TESTS += tests/unit/test_follower
tests_unit_test_follower_SOURCES = tests/unit/test_follower.c
tests_unit_test_follower_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_clock_watch
TESTS += tests/unit/test_clock_watch
tests_unit_test_clock_watch_SOURCES = tests/unit/test_clock_watch.c
tests_unit_test_clock_watch_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_retention
TESTS += tests/unit/test_retention
tests_unit_test_retention_SOURCES = tests/unit/test_retention.c
tests_unit_test_retention_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_packed_file
TESTS += tests/unit/test_packed_file
tests_unit_test_packed_file_SOURCES = tests/unit/test_packed_file.c
tests_unit_test_packed_file_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
