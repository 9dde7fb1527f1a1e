noinst_LTLIBRARIES += src/repository/librepository.la
src_repository_librepository_la_SOURCES = \
    src/repository/replay.c src/repository/replay.h \
    src/repository/repository.c src/repository/repository.h src/repository/repository_internal.h \
    src/repository/segment_check.c \
    src/repository/segment_format.c src/repository/segment_format.h \
    src/repository/segment_list.c \
    src/repository/segment_read.c \
    src/repository/segment_writer.c src/repository/segment_writer.h \
    src/repository/side_line.c src/repository/side_line.h
