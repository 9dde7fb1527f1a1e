# Tests in Python: each file starts its own broker and Redis, so they run in parallel.
# `make check-unit` and `make check-integration` run one half of `make check`.

integration_support = \
    tests/conformance/client.py \
    tests/integration/harness.py

integration_tests =

TEST_EXTENSIONS = .py
PY_LOG_COMPILER = $(PYTHON)
AM_TESTS_ENVIRONMENT = \
    STELE_BUILD='$(abs_top_builddir)'; export STELE_BUILD; \
    STELE_SRC='$(abs_top_srcdir)'; export STELE_SRC; \
    PYTHONPATH='$(abs_top_srcdir)/tests/integration:$(abs_top_srcdir)/tests/conformance'; export PYTHONPATH; \
    PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE;

if HAVE_PYTHON
TESTS += $(integration_tests)
endif

EXTRA_DIST += $(integration_support) $(integration_tests) tests/run.sh tests/setup.sh

.PHONY: check-unit check-integration
check-unit: $(BUILT_SOURCES)
	$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(filter tests/unit/%,$(TESTS))"
check-integration: $(BUILT_SOURCES)
	$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(integration_tests)"
