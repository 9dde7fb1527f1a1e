# Tests of faults, in Python, run by `make check-fault` (minutes) and, some of them without
# an end in sight, by `make torture`. Whoever adds one lists it in fault_tests.

include $(srcdir)/tests/fault/faults.mk
include $(srcdir)/tests/fault/disk.mk

fault_tests += \
    tests/fault/test_kill.py

fault_support += \
    tests/fault/arena.py \
    tests/fault/events.py \
    tests/fault/judge.py \
    tests/fault/killing.py \
    tests/fault/mirror.py \
    tests/fault/producers.py \
    tests/fault/promises.py \
    tests/fault/rows.py \
    tests/fault/run.py

EXTRA_DIST += $(fault_tests) $(fault_support)

# A build of the same configuration with fault points, in a folder of its own.
FAULT_BUILD = $(abs_top_builddir)/fault
fault_environment = $(AM_TESTS_ENVIRONMENT) \
    STELE_FAULT_BUILD='$(FAULT_BUILD)'; export STELE_FAULT_BUILD; \
    STELE_FAULT_LOGS='$(abs_top_builddir)/fault-logs'; export STELE_FAULT_LOGS;

.PHONY: check-fault
check-fault: all
	@$(fault_environment) $(PYTHON) $(srcdir)/tests/fault/run.py $(addprefix $(srcdir)/,$(fault_tests))
