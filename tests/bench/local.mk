# `make bench` measures this build: a few minutes and a page. `make bench-full` every case.
# BENCH_ARGS are more options, say BENCH_ARGS="--only limits,publish" (see tests/bench/bench --help).
EXTRA_PROGRAMS = tests/bench/bench
CLEANFILES += $(EXTRA_PROGRAMS)
tests_bench_bench_SOURCES = \
    tests/bench/bench.c tests/bench/bench.h \
    tests/bench/access.c \
    tests/bench/clock.c \
    tests/bench/filled.c \
    tests/bench/goals.c \
    tests/bench/http.c \
    tests/bench/keep.c \
    tests/bench/limits.c \
    tests/bench/load.c \
    tests/bench/log.c \
    tests/bench/peers.c \
    tests/bench/postgres.c \
    tests/bench/probe.c \
    tests/bench/publish.c \
    tests/bench/read.c \
    tests/bench/recovery.c \
    tests/bench/redact.c \
    tests/bench/report.c \
    tests/bench/rows.c \
    tests/bench/server.c \
    tests/bench/shapes.c \
    tests/bench/stream.c \
    tests/bench/web.c \
    tests/bench/workload.c
tests_bench_bench_LDADD = $(STELE_ROOMS) $(STELE_LIBS)

.PHONY: bench bench-full
bench: all tests/bench/bench
	tests/bench/bench$(EXEEXT) --steled ./steled$(EXEEXT) $(BENCH_ARGS)
bench-full: all tests/bench/bench
	tests/bench/bench$(EXEEXT) --steled ./steled$(EXEEXT) --full --peers $(BENCH_ARGS)
