# stele-relay: webhooks and traces, a client of the broker. Built if there is libcurl.
if RELAY
sbin_PROGRAMS += stele-relay
endif

stele_relay_SOURCES = \
    src/relay/commands.c src/relay/commands.h \
    src/relay/filter.c src/relay/filter.h \
    src/relay/main.c \
    src/relay/otlp.c src/relay/otlp.h \
    src/relay/post.c src/relay/post.h \
    src/relay/queue.c src/relay/queue.h \
    src/relay/run.c src/relay/run.h \
    src/relay/secret.c src/relay/secret.h \
    src/relay/settings.c src/relay/settings.h \
    src/relay/source.c src/relay/source.h \
    src/relay/span.c src/relay/span.h \
    src/relay/state.c src/relay/state.h \
    src/relay/status.c src/relay/status.h \
    src/relay/intake.c src/relay/target_internal.h \
    src/relay/target.c src/relay/target.h \
    src/broker/common/log.c src/broker/common/log.h
stele_relay_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) -DSTELE_RELAY_CONFIG_FILE='"$(sysconfdir)/stele/relay.conf"'
# No code of the broker or of the ledger; its own state is a file of SQLite
stele_relay_LDADD = src/cli/libcli.la src/client/libclient.la src/redact/libredact.la src/wire/libwire.la src/model/libmodel.la \
    src/base/libbase.la $(STELE_FAULT_ROOM) $(CURL_LIBS) $(CZMQ_LIBS) $(ZMQ_LIBS) $(SQLITE_LIBS) $(MSGPACK_LIBS) $(JANSSON_LIBS) \
    $(ZLIB_LIBS) $(PCRE2_LIBS) $(CRYPTO_LIBS) -lm
