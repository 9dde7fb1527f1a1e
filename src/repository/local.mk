noinst_LTLIBRARIES += src/repository/librepository.la
src_repository_librepository_la_SOURCES = \
    src/repository/no_segments.c \
    src/repository/packed_file.c src/repository/packed_file.h \
    src/repository/replay.h \
    src/repository/repository.h \
    src/repository/restore.c src/repository/restore.h \
    src/repository/retention.c \
    src/repository/snapshots.c src/repository/snapshots.h
