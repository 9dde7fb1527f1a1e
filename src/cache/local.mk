noinst_LTLIBRARIES += src/cache/libcache.la
src_cache_libcache_la_SOURCES = \
    src/cache/cache.h
