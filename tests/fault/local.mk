# Fault tests in Python, run by `make check-fault` (minutes) and, some of them for hours, by
# `make torture`. Add a new one to fault_tests.

# The longest ones start first
fault_tests = \
    tests/fault/test_points.py \
    tests/fault/test_kill.py \
    tests/fault/test_redis_faults.py \
    tests/fault/test_power_cut.py

include $(srcdir)/tests/fault/faults.mk
include $(srcdir)/tests/fault/disk.mk

fault_tests += \
    tests/fault/test_controls.py \
    tests/fault/test_judge.py

fault_support += \
    tests/fault/README.md \
    tests/fault/arena.py \
    tests/fault/cycles.py \
    tests/fault/disk.py \
    tests/fault/events.py \
    tests/fault/judge.py \
    tests/fault/killing.py \
    tests/fault/mirror.py \
    tests/fault/power.py \
    tests/fault/producers.py \
    tests/fault/promises.py \
    tests/fault/rows.py \
    tests/fault/run.py \
    tests/fault/sweep.py \
    tests/fault/torture.py \
    tests/fault/visitor.py

EXTRA_DIST += $(fault_tests) $(fault_support) tests/fault/test_alerts.py

# A build of the same configuration with fault points, in a folder of its own (this one, if it
# has them): made by the first check-fault, brought up to date by the others.
if FAULT_POINTS
FAULT_BUILD = $(abs_top_builddir)
else
FAULT_BUILD = $(abs_top_builddir)/fault
endif
fault_environment = $(AM_TESTS_ENVIRONMENT) \
    STELE_FAULT_BUILD='$(FAULT_BUILD)'; export STELE_FAULT_BUILD; \
    STELE_FAULT_LOGS='$(abs_top_builddir)/fault-logs'; export STELE_FAULT_LOGS;

.PHONY: check-fault fault-build torture
fault-build: all
if !FAULT_POINTS
	@$(MKDIR_P) fault
	@test -f fault/Makefile || { echo "configuring $(FAULT_BUILD) with fault points"; \
	    eval "set -- `./config.status --config`"; \
	    cd fault && $(SHELL) $(abs_top_srcdir)/configure "$$@" --enable-fault-points >configure.txt 2>&1 || \
	    { tail -n 20 configure.txt; rm -f Makefile; exit 1; }; }
	$(MAKE) $(AM_MAKEFLAGS) -C fault all
endif

# FAULT_TESTS="tests/fault/test_kill.py" runs one file.
FAULT_TESTS = $(fault_tests)
check-fault: fault-build
	@$(MAKE) $(AM_MAKEFLAGS) tests/fault/spooler$(EXEEXT)
	@$(fault_environment) $(PYTHON) $(srcdir)/tests/fault/run.py $(addprefix $(srcdir)/,$(FAULT_TESTS))

# CYCLES, SEED and ONLY (kill, power or points) may be set.
torture: fault-build
	@$(fault_environment) $(PYTHON) $(srcdir)/tests/fault/torture.py \
	    $(if $(CYCLES),--cycles $(CYCLES)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

distclean-local:
	rm -rf fault fault-logs
