check_PROGRAMS += tests/unit/test_dialog
TESTS += tests/unit/test_dialog
tests_unit_test_dialog_SOURCES = tests/unit/test_dialog.c
tests_unit_test_dialog_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_client_wire
TESTS += tests/unit/test_client_wire
tests_unit_test_client_wire_SOURCES = tests/unit/test_client_wire.c
tests_unit_test_client_wire_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_client
TESTS += tests/unit/test_client
tests_unit_test_client_SOURCES = tests/unit/test_client.c
tests_unit_test_client_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_endpoints
TESTS += tests/unit/test_endpoints
tests_unit_test_endpoints_SOURCES = tests/unit/test_endpoints.c
tests_unit_test_endpoints_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_client_key
TESTS += tests/unit/test_client_key
tests_unit_test_client_key_SOURCES = tests/unit/test_client_key.c
tests_unit_test_client_key_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_spool
TESTS += tests/unit/test_spool
tests_unit_test_spool_SOURCES = tests/unit/test_spool.c
tests_unit_test_spool_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_client_end
TESTS += tests/unit/test_client_end
tests_unit_test_client_end_SOURCES = tests/unit/test_client_end.c
tests_unit_test_client_end_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

EXTRA_DIST += tests/unit/client_fixture.h
