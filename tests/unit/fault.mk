# Tests of faults on purpose, in builds that have them
if FAULT_POINTS
check_PROGRAMS += tests/unit/test_fault
TESTS += tests/unit/test_fault
endif
tests_unit_test_fault_SOURCES = tests/unit/test_fault.c
tests_unit_test_fault_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
EXTRA_DIST += tests/unit/test_fault.c

check_PROGRAMS += tests/unit/test_memory
TESTS += tests/unit/test_memory
tests_unit_test_memory_SOURCES = tests/unit/test_memory.c tests/unit/ledger_fixture.h
tests_unit_test_memory_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_memory_LDFLAGS = $(AM_LDFLAGS) \
    -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=strdup
