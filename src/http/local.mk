# The HTTP server: a client of the broker. libhttp has what its unit tests use; built if there is libevent.
if HTTP
noinst_LTLIBRARIES += src/http/libhttp.la
sbin_PROGRAMS += stele-http
endif

http_sources = \
    src/http/access.c src/http/access.h \
    src/http/call.c src/http/call.h \
    src/http/compat/body.c src/http/compat/body.h \
    src/http/compat/compat.c src/http/compat/compat.h \
    src/http/compat/list.c \
    src/http/compat/messages.c \
    src/http/compat/persistent.c src/http/compat/persistent.h \
    src/http/compat/preferences.c \
    src/http/compat/publish.c \
    src/http/compat/record.c src/http/compat/record.h \
    src/http/compat/routes.h \
    src/http/compat/sessions.c \
    src/http/compat/socket.c \
    src/http/compat/stats.c \
    src/http/compat/tasks.c \
    src/http/conn.c src/http/conn.h src/http/conn_answer.c src/http/conn_internal.h \
    src/http/counts.c src/http/counts.h \
    src/http/gate.c src/http/gate.h \
    src/http/dashboard/assets.h \
    src/http/dashboard/dashboard.c src/http/dashboard/dashboard.h \
    src/http/greeting.c src/http/greeting.h \
    src/http/gzip.c src/http/gzip.h \
    src/http/health.c src/http/health.h \
    src/http/hosts.c src/http/hosts.h \
    src/http/http.c src/http/http.h \
    src/http/hub.c src/http/hub.h \
    src/http/listen.c src/http/listen.h \
    src/http/metrics.c src/http/metrics.h \
    src/http/openapi.c src/http/openapi.h \
    src/http/output.c src/http/output.h \
    src/http/params.c src/http/params.h \
    src/http/peers.c src/http/peers.h \
    src/http/pulse.c src/http/pulse.h \
    src/http/rate.h \
    src/http/reply.c src/http/reply.h \
    src/http/routes.c src/http/routes.h \
    src/http/scan.c src/http/scan.h \
    src/http/server.c src/http/server.h \
    src/http/session.c src/http/session.h \
    src/http/status.c \
    src/http/stats.c src/http/stats.h \
    src/http/stream.c src/http/stream.h \
    src/http/table.c src/http/table.h \
    src/http/target.c src/http/target.h \
    src/http/task_view.c src/http/task_view.h \
    src/http/tls.c src/http/tls.h \
    src/http/upstream.c src/http/upstream.h \
    src/http/upstream_link.c src/http/upstream_link.h \
    src/http/websocket.c src/http/websocket.h
src_http_libhttp_la_SOURCES = $(http_sources) \
    src/broker/common/log.c src/broker/common/log.h \
    src/cli/files/certificate.c src/cli/files/certificate.h \
    src/cli/files/token_file.c src/cli/files/token_file.h \
    src/cli/view/findings.c src/cli/view/findings.h \
    src/cli/view/prometheus.c src/cli/view/prometheus.h
src_http_libhttp_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)

stele_http_SOURCES = src/http/main.c
stele_http_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS)
# No code of the broker or of the ledger
stele_http_LDADD = src/http/libhttp.la src/cli/libcli.la src/client/libclient.la src/wire/libwire.la src/model/libmodel.la \
    src/base/libbase.la $(STELE_FAULT_ROOM) $(LIBEVENT_LIBS) $(CZMQ_LIBS) $(ZMQ_LIBS) $(MSGPACK_LIBS) $(JANSSON_LIBS) \
    $(ZLIB_LIBS) $(CRYPTO_LIBS) -lm

# The dashboard. Its modules, each after those that it imports, become app/main.js; src/http/dashboard/README has the rules.
dashboard_app = app/lib.js app/prefs.js app/time.js app/format.js app/router.js app/api.js app/keys.js app/widgets.js app/pager.js app/log.js \
    app/live.js app/table.js app/chart.js app/export.js app/ansi.js app/task_filters.js app/task_list.js app/moment.js \
    app/output_window.js app/task_outputs.js app/task_timeline.js app/task_parts.js
# One line for each page, so that pages can be added apart
dashboard_pages = \
    pages/overview.js \
    pages/tasks.js \
    pages/asof.js \
    pages/task.js \
    pages/failures.js \
    pages/producers.js \
    pages/stuck.js \
    pages/sessions.js \
    pages/rejected.js \
    pages/storage.js \
    pages/audit.js \
    pages/settings.js
dashboard_vendor = vendor/preact.mjs vendor/hooks.mjs vendor/htm.mjs
dashboard_modules = $(dashboard_vendor) $(dashboard_app) app/pages.js $(dashboard_pages) app/shell.js app/main.js
# What is served
dashboard_files = index.html app/style.css app/main.js app/live_worker.js app/live_stream.js $(dashboard_vendor) vendor/uPlot.iife.min.js \
    vendor/uPlot.min.css
dashboard_sources = $(dashboard_modules) app/live_worker.js app/live_stream.js app/style.css index.html vendor/uPlot.iife.min.js vendor/uPlot.min.css embed.sh squeeze.awk join.awk
EXTRA_DIST += $(dashboard_sources:%=src/http/dashboard/%) src/http/dashboard/README src/http/dashboard/vendor/README \
    src/http/dashboard/vendor/SHA256SUMS $(dashboard_licences)
# Installed with what is embedded
dashboard_licences = src/http/dashboard/vendor/LICENSE.preact src/http/dashboard/vendor/LICENSE.htm src/http/dashboard/vendor/LICENSE.uPlot
licensedir = $(docdir)
if HTTP
license_DATA = $(dashboard_licences)
BUILT_SOURCES += src/http/dashboard/assets.c
CLEANFILES += src/http/dashboard/assets.c
nodist_src_http_libhttp_la_SOURCES = src/http/dashboard/assets.c
endif

src/http/dashboard/assets.c: $(dashboard_sources:%=$(srcdir)/src/http/dashboard/%)
	$(AM_V_GEN)$(MKDIR_P) src/http/dashboard && $(SHELL) $(srcdir)/src/http/dashboard/embed.sh $(srcdir)/src/http/dashboard \
	    "$(dashboard_modules)" $(dashboard_files) > $@.tmp && mv $@.tmp $@
