# Faults of peers, Redis, the clock and the system, one file per kind. They take a minute or two in
# total, so `make check-fault` (tests/fault/local.mk) runs them, not `make check`.

fault_support = \
    tests/fault/faulty.py \
    tests/fault/producer.py

fault_tests += \
    tests/fault/test_acks.py \
    tests/fault/test_archive_points.py \
    tests/fault/test_backup_points.py \
    tests/fault/test_erase_points.py \
    tests/fault/test_files.py \
    tests/fault/test_moments.py \
    tests/fault/test_seal.py \
    tests/fault/test_ledger_behind.py

# What peers, Redis, the clock and the system do
fault_tests += \
    tests/fault/test_interrupted.py \
    tests/fault/test_peers.py \
    tests/fault/test_log.py \
    tests/fault/test_process.py \
    tests/fault/test_startup.py \
    tests/fault/test_zap.py

# The client's spool, and the commands that run over one
fault_tests += \
    tests/fault/test_run.py \
    tests/fault/test_spool.py

# Deliveries of stele-relay
if RELAY
fault_tests += tests/fault/test_relay.py
endif
EXTRA_DIST += tests/fault/test_relay.py

# A node of a shared log
if WITH_POSTGRESQL
fault_tests += tests/fault/test_late_append.py
endif
EXTRA_DIST += tests/fault/test_late_append.py

check_PROGRAMS += tests/fault/spooler
tests_fault_spooler_SOURCES = tests/fault/spooler.c
tests_fault_spooler_LDADD = libstele.la
