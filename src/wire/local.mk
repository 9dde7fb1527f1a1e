noinst_LTLIBRARIES += src/wire/libwire.la
src_wire_libwire_la_SOURCES =
