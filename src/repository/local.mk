noinst_LTLIBRARIES += src/repository/librepository.la
src_repository_librepository_la_SOURCES = \
    src/repository/archive_copies.c src/repository/archive_copies.h \
    src/repository/packed_file.c src/repository/packed_file.h \
    src/repository/replay.c src/repository/replay.h \
    src/repository/repository.c src/repository/repository.h src/repository/repository_internal.h \
    src/repository/restore.c src/repository/restore.h \
    src/repository/retention.c \
    src/repository/segment_check.c \
    src/repository/segment_format.c src/repository/segment_format.h \
    src/repository/segment_list.c \
    src/repository/segment_read.c \
    src/repository/segment_writer.c src/repository/segment_writer.h \
    src/repository/side_line.c src/repository/side_line.h \
    src/repository/snapshots.c src/repository/snapshots.h
