noinst_LTLIBRARIES += src/cache/libcache.la
src_cache_libcache_la_SOURCES = \
    src/cache/records/record_batch.c src/cache/records/record_batch.h \
    src/cache/cache.c src/cache/cache.h \
    src/cache/cache_align.c \
    src/cache/cache_apply.c \
    src/cache/cache_background_check.c \
    src/cache/cache_check.c \
    src/cache/cache_error.c \
    src/cache/cache_internal.h \
    src/cache/cache_rebuild.c \
    src/cache/cache_recover.c \
    src/cache/cache_request.c \
    src/cache/cache_sweep.c \
    src/cache/cache_write.c \
    src/cache/last_position.c \
    src/cache/records/layout.c src/cache/records/layout.h \
    src/cache/live_record.c \
    src/cache/page_check.c src/cache/page_check.h \
    src/cache/records/pending_list.c src/cache/records/pending_list.h \
    src/cache/records/record_check.c src/cache/records/record_check.h \
    src/cache/redis/redis_cause.c src/cache/redis/redis_cause.h \
    src/cache/redis/redis.c src/cache/redis/redis.h \
    src/cache/redis/redis_keys.c src/cache/redis/redis_keys.h \
    src/cache/redis/redis_url.c src/cache/redis/redis_url.h
