# Tests of faults: what peers, Redis, the clock and the system may do to a broker, one file a kind.
# They take a minute or two together, and so run by `make check-fault`, not by `make check`.

fault_support = \
    tests/fault/faulty.py \
    tests/fault/producer.py

fault_tests = \
    tests/fault/test_acks.py

EXTRA_DIST += $(fault_support) $(fault_tests)

.PHONY: check-fault
check-fault: $(BUILT_SOURCES)
	$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(fault_tests)"
