noinst_LTLIBRARIES += src/base/libbase.la
src_base_libbase_la_SOURCES = \
    src/base/character.c src/base/character.h \
    src/base/clock.h \
    src/base/file.c src/base/file.h \
    src/base/log_buckets.h \
    src/base/memory.c src/base/memory.h \
    src/base/thread.h \
    src/base/tsan.h
