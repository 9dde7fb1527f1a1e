noinst_LTLIBRARIES += src/broker/libbroker.la
src_broker_libbroker_la_SOURCES = \
    src/broker/histogram.c src/broker/histogram.h \
    src/broker/settings.c src/broker/settings.h
