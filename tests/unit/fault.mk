# Tests of faults on purpose, in builds that have them
if FAULT_POINTS
check_PROGRAMS += tests/unit/test_fault
TESTS += tests/unit/test_fault
endif
tests_unit_test_fault_SOURCES = tests/unit/test_fault.c
tests_unit_test_fault_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
EXTRA_DIST += tests/unit/test_fault.c
