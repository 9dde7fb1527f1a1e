noinst_LTLIBRARIES += src/client/libclient.la
src_client_libclient_la_SOURCES = \
    src/client/client.c \
    src/client/dialog.c src/client/dialog.h src/client/dialog_internal.h \
    src/client/dialog_answer.c \
    src/client/event.c \
    src/client/follow.c src/client/follow.h \
    src/client/link.c src/client/link.h \
    src/client/notice.c src/client/notice.h \
    src/client/outbox.c src/client/outbox.h \
    src/client/peer.c src/client/peer.h \
    src/client/publisher.c src/client/publisher.h \
    src/client/request.c src/client/request.h \
    src/client/sender.c src/client/sender.h \
    src/client/spool.c src/client/spool.h src/client/spool_internal.h \
    src/client/spool_format.c src/client/spool_format.h \
    src/client/spool_open.c \
    src/client/wait.c src/client/wait.h
