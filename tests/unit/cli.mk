check_PROGRAMS += tests/unit/test_options
TESTS += tests/unit/test_options
tests_unit_test_options_SOURCES = tests/unit/test_options.c
tests_unit_test_options_LDADD = src/cli/libcli.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_text
TESTS += tests/unit/test_text
tests_unit_test_text_SOURCES = tests/unit/test_text.c
tests_unit_test_text_LDADD = src/cli/libcli.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_table
TESTS += tests/unit/test_table
tests_unit_test_table_SOURCES = tests/unit/test_table.c
tests_unit_test_table_LDADD = src/cli/libcli.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_format
TESTS += tests/unit/test_format
tests_unit_test_format_SOURCES = tests/unit/test_format.c
tests_unit_test_format_LDADD = src/cli/libcli.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_publish_counts
TESTS += tests/unit/test_publish_counts
tests_unit_test_publish_counts_SOURCES = tests/unit/test_publish_counts.c
tests_unit_test_publish_counts_LDADD = src/cli/libcli.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_lines
TESTS += tests/unit/test_lines
tests_unit_test_lines_SOURCES = tests/unit/test_lines.c
tests_unit_test_lines_LDADD = src/cli/libcli.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_rows
TESTS += tests/unit/test_rows
tests_unit_test_rows_SOURCES = tests/unit/test_rows.c src/cli/files/rows.c src/cli/files/csv.c
tests_unit_test_rows_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/test_rejects
TESTS += tests/unit/test_rejects
tests_unit_test_rejects_SOURCES = tests/unit/test_rejects.c src/cli/files/rejects.c
tests_unit_test_rejects_LDADD = src/cli/libcli.la src/wire/libwire.la $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_time_option
TESTS += tests/unit/test_time_option
tests_unit_test_time_option_SOURCES = tests/unit/test_time_option.c src/cli/shared/time_option.c
tests_unit_test_time_option_LDADD = src/cli/libcli.la src/wire/libwire.la src/model/libmodel.la src/base/libbase.la \
    $(CMOCKA_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/test_findings
TESTS += tests/unit/test_findings
tests_unit_test_findings_SOURCES = tests/unit/test_findings.c src/cli/view/findings.c src/cli/view/relay_findings.c
tests_unit_test_findings_LDADD = src/cli/libcli.la $(CMOCKA_LIBS) $(JANSSON_LIBS)
