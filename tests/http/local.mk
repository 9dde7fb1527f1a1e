# Tests of stele-http

http_test_libs = src/http/libhttp.la src/cli/libcli.la src/client/libclient.la src/wire/libwire.la src/model/libmodel.la \
    src/base/libbase.la $(STELE_FAULT_ROOM) $(LIBEVENT_LIBS) $(CZMQ_LIBS) $(ZMQ_LIBS) $(MSGPACK_LIBS) $(JANSSON_LIBS) \
    $(ZLIB_LIBS) $(CRYPTO_LIBS)

http_tests = tests/http/test_malformed.py tests/http/test_routes.py tests/http/test_stream.py tests/http/test_child.py \
    tests/http/test_keys.py tests/http/test_tokens.py tests/http/test_compat.py tests/http/test_websocket.py \
    tests/http/test_monitoring.py tests/http/test_dashboard.py tests/http/test_slow.py tests/http/test_tls.py tests/http/test_limits.py

# Alerts are evaluated by promtool, of the package prometheus
promtool_tests = tests/http/test_alerts.py tests/http/test_promtool.py

if HTTP
check_PROGRAMS += tests/unit/test_http_peers tests/unit/test_http_scan tests/unit/test_http_websocket
TESTS += tests/unit/test_http_peers tests/unit/test_http_scan tests/unit/test_http_websocket
if HAVE_PYTHON
if HAVE_PROMTOOL
TESTS += $(promtool_tests)
endif
TESTS += $(http_tests)
endif
endif
tests_unit_test_http_peers_SOURCES = tests/unit/test_http_peers.c
tests_unit_test_http_peers_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
tests_unit_test_http_peers_LDADD = $(http_test_libs) $(CMOCKA_LIBS)
tests_unit_test_http_scan_SOURCES = tests/unit/test_http_scan.c
tests_unit_test_http_scan_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
tests_unit_test_http_scan_LDADD = $(http_test_libs) $(CMOCKA_LIBS)
tests_unit_test_http_websocket_SOURCES = tests/unit/test_http_websocket.c
tests_unit_test_http_websocket_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
tests_unit_test_http_websocket_LDADD = $(http_test_libs) $(CMOCKA_LIBS)

EXTRA_DIST += tests/http/web.py tests/http/alerts.py $(http_tests) $(promtool_tests)
