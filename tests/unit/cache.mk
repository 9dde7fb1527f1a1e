check_PROGRAMS += tests/unit/test_redis_url
TESTS += tests/unit/test_redis_url
tests_unit_test_redis_url_SOURCES = tests/unit/test_redis_url.c
tests_unit_test_redis_url_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_redis
TESTS += tests/unit/test_redis
tests_unit_test_redis_SOURCES = tests/unit/test_redis.c tests/unit/redis_server.h
tests_unit_test_redis_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_cache
TESTS += tests/unit/test_cache
tests_unit_test_cache_SOURCES = tests/unit/test_cache.c tests/unit/cache_fixture.h \
    tests/unit/redis_server.h
tests_unit_test_cache_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_cache_epoch
TESTS += tests/unit/test_cache_epoch
tests_unit_test_cache_epoch_SOURCES = tests/unit/test_cache_epoch.c tests/unit/cache_fixture.h \
    tests/unit/redis_server.h
tests_unit_test_cache_epoch_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_cache_check
TESTS += tests/unit/test_cache_check
tests_unit_test_cache_check_SOURCES = tests/unit/test_cache_check.c tests/unit/cache_fixture.h \
    tests/unit/redis_server.h
tests_unit_test_cache_check_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_live_record
TESTS += tests/unit/test_live_record
tests_unit_test_live_record_SOURCES = tests/unit/test_live_record.c tests/unit/cache_fixture.h \
    tests/unit/redis_server.h
tests_unit_test_live_record_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_cache_refill
TESTS += tests/unit/test_cache_refill
tests_unit_test_cache_refill_SOURCES = tests/unit/test_cache_refill.c tests/unit/cache_fixture.h \
    tests/unit/redis_server.h
tests_unit_test_cache_refill_LDADD = $(STELE_ROOMS) $(STELE_LIBS) $(CMOCKA_LIBS)
