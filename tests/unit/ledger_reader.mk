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

check_PROGRAMS += tests/unit/test_task_as_of
TESTS += tests/unit/test_task_as_of
tests_unit_test_task_as_of_SOURCES = tests/unit/test_task_as_of.c tests/unit/ledger_fixture.h
tests_unit_test_task_as_of_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_list
TESTS += tests/unit/test_list
tests_unit_test_list_SOURCES = tests/unit/test_list.c tests/unit/ledger_fixture.h
tests_unit_test_list_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_json_fields
TESTS += tests/unit/test_json_fields
tests_unit_test_json_fields_SOURCES = tests/unit/test_json_fields.c
tests_unit_test_json_fields_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_id_codec
TESTS += tests/unit/test_id_codec
tests_unit_test_id_codec_SOURCES = tests/unit/test_id_codec.c tests/unit/ledger_fixture.h
tests_unit_test_id_codec_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_dictionaries
TESTS += tests/unit/test_dictionaries
tests_unit_test_dictionaries_SOURCES = tests/unit/test_dictionaries.c tests/unit/ledger_fixture.h
tests_unit_test_dictionaries_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_list_as_of
TESTS += tests/unit/test_list_as_of
tests_unit_test_list_as_of_SOURCES = tests/unit/test_list_as_of.c tests/unit/ledger_fixture.h
tests_unit_test_list_as_of_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_deferred
TESTS += tests/unit/test_deferred
tests_unit_test_deferred_SOURCES = tests/unit/test_deferred.c tests/unit/ledger_fixture.h
tests_unit_test_deferred_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_high_water
TESTS += tests/unit/test_high_water
tests_unit_test_high_water_SOURCES = tests/unit/test_high_water.c
tests_unit_test_high_water_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_relay_state
TESTS += tests/unit/test_relay_state
tests_unit_test_relay_state_SOURCES = tests/unit/test_relay_state.c src/relay/state.c
tests_unit_test_relay_state_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_ledger_check
TESTS += tests/unit/test_ledger_check
tests_unit_test_ledger_check_SOURCES = tests/unit/test_ledger_check.c tests/unit/ledger_fixture.h
tests_unit_test_ledger_check_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_wal_vfs
TESTS += tests/unit/test_wal_vfs
tests_unit_test_wal_vfs_SOURCES = tests/unit/test_wal_vfs.c
tests_unit_test_wal_vfs_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_fold
TESTS += tests/unit/test_fold
tests_unit_test_fold_SOURCES = tests/unit/test_fold.c tests/unit/ledger_fixture.h
tests_unit_test_fold_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_wal_index
TESTS += tests/unit/test_wal_index
tests_unit_test_wal_index_SOURCES = tests/unit/test_wal_index.c tests/unit/ledger_fixture.h
tests_unit_test_wal_index_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_checkpoint
TESTS += tests/unit/test_checkpoint
tests_unit_test_checkpoint_SOURCES = tests/unit/test_checkpoint.c
tests_unit_test_checkpoint_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_schema
TESTS += tests/unit/test_schema
tests_unit_test_schema_SOURCES = tests/unit/test_schema.c tests/unit/ledger_fixture.h
tests_unit_test_schema_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_compress_ahead
TESTS += tests/unit/test_compress_ahead
tests_unit_test_compress_ahead_SOURCES = tests/unit/test_compress_ahead.c
tests_unit_test_compress_ahead_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_tokenizer
TESTS += tests/unit/test_tokenizer
tests_unit_test_tokenizer_SOURCES = tests/unit/test_tokenizer.c
tests_unit_test_tokenizer_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_archive
TESTS += tests/unit/test_archive
tests_unit_test_archive_SOURCES = tests/unit/test_archive.c tests/unit/archive_fixture.h tests/unit/ledger_fixture.h
tests_unit_test_archive_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_archive_sessions
TESTS += tests/unit/test_archive_sessions
tests_unit_test_archive_sessions_SOURCES = tests/unit/test_archive_sessions.c tests/unit/archive_fixture.h \
    tests/unit/earlier_schema.h tests/unit/ledger_fixture.h
tests_unit_test_archive_sessions_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_users
TESTS += tests/unit/test_users
tests_unit_test_users_SOURCES = tests/unit/test_users.c tests/unit/ledger_fixture.h
tests_unit_test_users_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_zone_map
TESTS += tests/unit/test_zone_map
tests_unit_test_zone_map_SOURCES = tests/unit/test_zone_map.c tests/unit/ledger_fixture.h
tests_unit_test_zone_map_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_settle
TESTS += tests/unit/test_settle
tests_unit_test_settle_SOURCES = tests/unit/test_settle.c tests/unit/earlier_schema.h tests/unit/ledger_fixture.h
tests_unit_test_settle_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_tree
TESTS += tests/unit/test_tree
tests_unit_test_tree_SOURCES = tests/unit/test_tree.c
tests_unit_test_tree_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
