noinst_LTLIBRARIES += src/client/libclient.la
src_client_libclient_la_SOURCES = \
    src/client/client.c \
    src/client/asker.c src/client/asker.h \
    src/client/event.c src/client/event.h \
    src/client/connection/endpoints.c src/client/connection/endpoints.h \
    src/client/connection/fork.c src/client/connection/fork.h \
    src/client/connection/handle.c src/client/connection/handle.h \
    src/client/connection/handshake.c src/client/connection/handshake.h \
    src/client/connection/key.c src/client/connection/key.h \
    src/client/connection/link.c src/client/connection/link.h \
    src/client/connection/permission.c src/client/connection/permission.h \
    src/client/request.c src/client/request.h \
    src/client/sessions.c src/client/sessions.h \
    src/client/subscription.c src/client/subscription.h \
    src/client/trouble.c src/client/trouble.h \
    src/client/version.c \
    src/client/topic.c src/client/topic.h \
    src/client/connection/wait.c src/client/connection/wait.h \
    src/client/publish/dialog.c src/client/publish/dialog.h \
    src/client/publish/dialog_receive.c \
    src/client/publish/dialog_internal.h \
    src/client/publish/notice.c src/client/publish/notice.h \
    src/client/publish/outbox.c src/client/publish/outbox.h \
    src/client/publish/publisher.c src/client/publish/publisher.h \
    src/client/publish/refusals.c src/client/publish/refusals.h \
    src/client/publish/sender.c src/client/publish/sender.h \
    src/client/spool/spool.c src/client/spool/spool.h \
    src/client/spool/spool_file.c \
    src/client/spool/spool_aside.c \
    src/client/spool/spool_format.c src/client/spool/spool_format.h \
    src/client/spool/spool_internal.h \
    src/client/spool/spool_open.c
