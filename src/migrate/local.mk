# Records of an earlier system, converted into events. Part of the program stele, not of the library.
noinst_LTLIBRARIES += src/migrate/libmigrate.la
src_migrate_libmigrate_la_SOURCES = \
    src/migrate/convert.c src/migrate/convert.h \
    src/migrate/convert_field.c \
    src/migrate/convert_time.c \
    src/migrate/convert_value.c \
    src/migrate/convert_word.c \
    src/migrate/delta.c src/migrate/delta.h \
    src/migrate/duplicates.c src/migrate/duplicates.h \
    src/migrate/event_sort.c src/migrate/event_sort.h \
    src/migrate/source/from_redis.c \
    src/migrate/source/from_sqlite.c \
    src/migrate/migrate.c src/migrate/migrate.h \
    src/migrate/source/sqlite_sessions.c \
    src/migrate/source/sqlite_source.h \
    src/migrate/source/sqlite_tasks.c \
    src/migrate/subject.c src/migrate/subject.h \
    src/migrate/timeline.c src/migrate/timeline.h \
    src/migrate/verify/verify.c src/migrate/verify/verify.h \
    src/migrate/verify/verify_value.c src/migrate/verify/verify_value.h
