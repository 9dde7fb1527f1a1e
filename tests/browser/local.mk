# Tests of the dashboard in a real browser, run by `make check-browser` (a minute): Chromium, driven by Selenium

browser_tests = \
    tests/browser/test_large.py \
    tests/browser/test_pages.py \
    tests/browser/test_actions.py \
    tests/browser/test_hostile.py \
    tests/browser/test_recovery.py \
    tests/browser/test_zones.py \
    tests/browser/test_control.py

browser_support = \
    tests/browser/VENDORED \
    tests/browser/axe.min.js \
    tests/browser/axe.LICENSE-3RD-PARTY.txt \
    tests/browser/browser.py \
    tests/browser/stories.py

EXTRA_DIST += $(browser_tests) $(browser_support)

# BROWSER_TESTS="tests/browser/test_control.py" runs one file. Screenshots and logs are then in browser/.
BROWSER_TESTS = $(browser_tests)
.PHONY: check-browser
check-browser: all
	@chromium --version >/dev/null && chromedriver --version >/dev/null && $(PYTHON) -c 'import selenium' || \
	    { echo "check-browser needs the packages chromium, chromium-driver and python3-selenium"; exit 1; }
	@$(AM_TESTS_ENVIRONMENT) STELE_FAULT_LOGS='$(abs_top_builddir)/browser'; export STELE_FAULT_LOGS; \
	    $(PYTHON) $(srcdir)/tests/fault/run.py --time-out 300 $(addprefix $(srcdir)/,$(BROWSER_TESTS))

distclean-local: distclean-browser
.PHONY: distclean-browser
distclean-browser:
	rm -rf browser
