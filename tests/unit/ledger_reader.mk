check_PROGRAMS += tests/unit/test_content
TESTS += tests/unit/test_content
tests_unit_test_content_SOURCES = tests/unit/test_content.c
tests_unit_test_content_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
