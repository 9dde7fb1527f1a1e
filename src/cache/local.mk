noinst_LTLIBRARIES += src/cache/libcache.la
src_cache_libcache_la_SOURCES = \
    src/cache/batch.c src/cache/batch.h \
    src/cache/cache.c src/cache/cache.h \
    src/cache/cache_apply.c \
    src/cache/cache_check.c \
    src/cache/cache_internal.h \
    src/cache/cache_rebuild.c \
    src/cache/cache_recover.c \
    src/cache/cache_scrub.c \
    src/cache/cache_sweep.c \
    src/cache/compare.c src/cache/compare.h \
    src/cache/detour.c src/cache/detour.h \
    src/cache/layout.c src/cache/layout.h \
    src/cache/legacy.c src/cache/legacy.h \
    src/cache/live.c \
    src/cache/look.c src/cache/look.h \
    src/cache/parts.c src/cache/parts.h \
    src/cache/redis.c src/cache/redis.h \
    src/cache/redis_url.c src/cache/redis_url.h \
    src/cache/witness.c
