# Fuzz targets. Without --enable-fuzz each one is a test that replays its seeds and earlier crashes.

fuzz_targets = tests/fuzz/fuzz_event tests/fuzz/fuzz_message tests/fuzz/fuzz_request \
    tests/fuzz/fuzz_json tests/fuzz/fuzz_config tests/fuzz/fuzz_key

if WITH_REDACTION
fuzz_targets += tests/fuzz/fuzz_rules
endif

if HTTP
fuzz_targets += tests/fuzz/fuzz_http tests/fuzz/fuzz_websocket
endif

if FUZZ
fuzz_main =
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_main = tests/fuzz/replay.c
fuzz_ldflags = $(AM_LDFLAGS)
TESTS += $(fuzz_targets)
endif

check_PROGRAMS += $(fuzz_targets)
tests_fuzz_fuzz_event_SOURCES = tests/fuzz/fuzz_event.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_event_LDADD = $(STELE_ROOMS) $(STELE_LIBS)
tests_fuzz_fuzz_event_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_message_SOURCES = tests/fuzz/fuzz_message.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_message_LDADD = $(STELE_ROOMS) $(STELE_LIBS)
tests_fuzz_fuzz_message_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_request_LDADD = $(STELE_ROOMS) $(STELE_LIBS)
tests_fuzz_fuzz_request_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_json_LDADD = $(STELE_ROOMS) $(STELE_LIBS)
tests_fuzz_fuzz_json_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_config_LDADD = $(STELE_ROOMS) $(STELE_LIBS)
tests_fuzz_fuzz_config_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_rules_SOURCES = tests/fuzz/fuzz_rules.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_rules_LDADD = $(STELE_ROOMS) $(STELE_LIBS)
tests_fuzz_fuzz_rules_LDFLAGS = $(fuzz_ldflags)

tests_fuzz_fuzz_key_SOURCES = tests/fuzz/fuzz_key.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_key_LDADD = $(STELE_ROOMS) $(STELE_LIBS)
tests_fuzz_fuzz_key_LDFLAGS = $(fuzz_ldflags)

tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz_http.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_http_LDADD = $(http_test_libs)
tests_fuzz_fuzz_http_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_websocket_SOURCES = tests/fuzz/fuzz_websocket.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_websocket_LDADD = $(http_test_libs)
tests_fuzz_fuzz_websocket_LDFLAGS = $(fuzz_ldflags)

EXTRA_DIST += tests/fuzz/replay.c tests/fuzz/run.sh tests/fuzz/seeds.py tests/fuzz/stele.dict \
    tests/fuzz/seeds tests/fuzz/crashes

.PHONY: fuzz fuzz-targets
fuzz-targets: $(fuzz_targets)
FUZZ_SECONDS = 60
fuzz:
	$(srcdir)/tests/fuzz/run.sh $(FUZZ_SECONDS)
