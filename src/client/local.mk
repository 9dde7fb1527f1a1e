noinst_LTLIBRARIES += src/client/libclient.la
src_client_libclient_la_SOURCES = \
    src/client/event.c
