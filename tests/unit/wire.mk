# Tests of src/wire, src/model, src/redact, stele_event, and the settings and the log of the broker

check_PROGRAMS += tests/unit/test_scan
TESTS += tests/unit/test_scan
tests_unit_test_scan_SOURCES = tests/unit/test_scan.c
tests_unit_test_scan_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_time
TESTS += tests/unit/test_time
tests_unit_test_time_SOURCES = tests/unit/test_time.c
tests_unit_test_time_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_json
TESTS += tests/unit/test_json
tests_unit_test_json_SOURCES = tests/unit/test_json.c
tests_unit_test_json_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_wire_event
TESTS += tests/unit/test_wire_event
tests_unit_test_wire_event_SOURCES = tests/unit/test_wire_event.c
tests_unit_test_wire_event_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_event
TESTS += tests/unit/test_event
tests_unit_test_event_SOURCES = tests/unit/test_event.c
tests_unit_test_event_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_fingerprint
TESTS += tests/unit/test_fingerprint
tests_unit_test_fingerprint_SOURCES = tests/unit/test_fingerprint.c
tests_unit_test_fingerprint_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_lifecycle
TESTS += tests/unit/test_lifecycle
tests_unit_test_lifecycle_SOURCES = tests/unit/test_lifecycle.c
tests_unit_test_lifecycle_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_settings
TESTS += tests/unit/test_settings
tests_unit_test_settings_SOURCES = tests/unit/test_settings.c
tests_unit_test_settings_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_vectors
TESTS += tests/unit/test_vectors
tests_unit_test_vectors_SOURCES = tests/unit/test_vectors.c
tests_unit_test_vectors_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
EXTRA_DIST += tests/vectors/README.md tests/vectors/make.py tests/vectors/events.json tests/vectors/messages.json

check_PROGRAMS += tests/unit/test_pack
TESTS += tests/unit/test_pack
tests_unit_test_pack_SOURCES = tests/unit/test_pack.c
tests_unit_test_pack_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_address
TESTS += tests/unit/test_address
tests_unit_test_address_SOURCES = tests/unit/test_address.c
tests_unit_test_address_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_log
TESTS += tests/unit/test_log
tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_producer_news
TESTS += tests/unit/test_producer_news
tests_unit_test_producer_news_SOURCES = tests/unit/test_producer_news.c
tests_unit_test_producer_news_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_broker
TESTS += tests/unit/test_broker
tests_unit_test_broker_SOURCES = tests/unit/test_broker.c
tests_unit_test_broker_LDADD = libstele.la $(CZMQ_LIBS) $(ZMQ_LIBS) $(CMOCKA_LIBS)

if WITH_REDACTION
check_PROGRAMS += tests/unit/test_redactor
TESTS += tests/unit/test_redactor
endif
tests_unit_test_redactor_SOURCES = tests/unit/test_redactor.c
tests_unit_test_redactor_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
