check_PROGRAMS += tests/unit/test_content
TESTS += tests/unit/test_content
tests_unit_test_content_SOURCES = tests/unit/test_content.c
tests_unit_test_content_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_reader
TESTS += tests/unit/test_reader
tests_unit_test_reader_SOURCES = tests/unit/test_reader.c tests/unit/ledger_fixture.h
tests_unit_test_reader_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_reader_rows
TESTS += tests/unit/test_reader_rows
tests_unit_test_reader_rows_SOURCES = tests/unit/test_reader_rows.c tests/unit/ledger_fixture.h
tests_unit_test_reader_rows_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_reader_past
TESTS += tests/unit/test_reader_past
tests_unit_test_reader_past_SOURCES = tests/unit/test_reader_past.c tests/unit/ledger_fixture.h
tests_unit_test_reader_past_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_reader_list
TESTS += tests/unit/test_reader_list
tests_unit_test_reader_list_SOURCES = tests/unit/test_reader_list.c tests/unit/ledger_fixture.h
tests_unit_test_reader_list_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_members
TESTS += tests/unit/test_members
tests_unit_test_members_SOURCES = tests/unit/test_members.c
tests_unit_test_members_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_ids
TESTS += tests/unit/test_ids
tests_unit_test_ids_SOURCES = tests/unit/test_ids.c tests/unit/ledger_fixture.h
tests_unit_test_ids_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_dictionaries
TESTS += tests/unit/test_dictionaries
tests_unit_test_dictionaries_SOURCES = tests/unit/test_dictionaries.c tests/unit/ledger_fixture.h
tests_unit_test_dictionaries_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_reader_moment
TESTS += tests/unit/test_reader_moment
tests_unit_test_reader_moment_SOURCES = tests/unit/test_reader_moment.c tests/unit/ledger_fixture.h
tests_unit_test_reader_moment_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_suspend
TESTS += tests/unit/test_suspend
tests_unit_test_suspend_SOURCES = tests/unit/test_suspend.c tests/unit/ledger_fixture.h
tests_unit_test_suspend_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_high_water
TESTS += tests/unit/test_high_water
tests_unit_test_high_water_SOURCES = tests/unit/test_high_water.c
tests_unit_test_high_water_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_ledger_check
TESTS += tests/unit/test_ledger_check
tests_unit_test_ledger_check_SOURCES = tests/unit/test_ledger_check.c tests/unit/ledger_fixture.h
tests_unit_test_ledger_check_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_log_file
TESTS += tests/unit/test_log_file
tests_unit_test_log_file_SOURCES = tests/unit/test_log_file.c
tests_unit_test_log_file_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_checkpoint
TESTS += tests/unit/test_checkpoint
tests_unit_test_checkpoint_SOURCES = tests/unit/test_checkpoint.c
tests_unit_test_checkpoint_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_schema
TESTS += tests/unit/test_schema
tests_unit_test_schema_SOURCES = tests/unit/test_schema.c tests/unit/ledger_fixture.h
tests_unit_test_schema_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_ahead
TESTS += tests/unit/test_ahead
tests_unit_test_ahead_SOURCES = tests/unit/test_ahead.c
tests_unit_test_ahead_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
