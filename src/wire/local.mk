noinst_LTLIBRARIES += src/wire/libwire.la
src_wire_libwire_la_SOURCES = \
    src/wire/address.c src/wire/address.h \
    src/wire/base64.c src/wire/base64.h \
    src/wire/checksum.c src/wire/checksum.h \
    src/wire/event/decisions.c src/wire/event/decisions.h \
    src/wire/event/event_codec.h \
    src/wire/event/event_decode.c \
    src/wire/event/event_encode.c \
    src/wire/event/message.c src/wire/event/message.h \
    src/wire/http_address.c src/wire/http_address.h \
    src/wire/json/json.h \
    src/wire/json/json_event.c \
    src/wire/json/json_map.c \
    src/wire/json/json_read.c \
    src/wire/json/json_quick.c src/wire/json/json_quick.h \
    src/wire/json/json_skip.c src/wire/json/json_skip.h \
    src/wire/json/json_write.c src/wire/json/json_writer.h \
    src/wire/json/value_pack.c \
    src/wire/key_file.c src/wire/key_file.h \
    src/wire/map.c src/wire/map.h \
    src/wire/pack.c src/wire/pack.h \
    src/wire/quote.c src/wire/quote.h \
    src/wire/scan.c src/wire/scan.h \
    src/wire/time.c src/wire/time.h \
    src/wire/utf8.c
