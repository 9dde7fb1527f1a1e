noinst_LTLIBRARIES += src/wire/libwire.la
src_wire_libwire_la_SOURCES = \
    src/wire/address.c src/wire/address.h \
    src/wire/base64.c src/wire/base64.h \
    src/wire/checksum.c src/wire/checksum.h \
    src/wire/event_codec.h \
    src/wire/event_decode.c \
    src/wire/event_encode.c \
    src/wire/json.h \
    src/wire/json_map.c \
    src/wire/json_read.c \
    src/wire/json_write.c src/wire/json_writer.h \
    src/wire/map.c src/wire/map.h \
    src/wire/message.c src/wire/message.h \
    src/wire/pack.c src/wire/pack.h \
    src/wire/quote.c src/wire/quote.h \
    src/wire/scan.c src/wire/scan.h \
    src/wire/time.c \
    src/wire/utf8.c
