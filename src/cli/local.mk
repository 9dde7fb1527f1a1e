# The programs. What they share is in a library of their own, which knows of
# nothing but its own files and the public headers.
noinst_LTLIBRARIES += src/cli/libcli.la
src_cli_libcli_la_SOURCES = \
    src/cli/format.c src/cli/format.h \
    src/cli/interrupt.c src/cli/interrupt.h \
    src/cli/lines.c src/cli/lines.h \
    src/cli/options.c src/cli/options.h \
    src/cli/sparkline.c src/cli/sparkline.h \
    src/cli/table.c src/cli/table.h \
    src/cli/tally.c src/cli/tally.h \
    src/cli/text.c src/cli/text.h

sbin_PROGRAMS += steled
steled_SOURCES = src/cli/accept.c src/cli/steled.c
steled_LDADD = src/cli/libcli.la libstele.la $(CZMQ_LIBS) $(ZMQ_LIBS) $(SQLITE_LIBS)

bin_PROGRAMS += stele
stele_SOURCES = \
    src/cli/stele.c src/cli/cli.c src/cli/cli.h \
    src/cli/ask.c src/cli/ask.h \
    src/cli/csv.c src/cli/csv.h \
    src/cli/digest.c src/cli/digest.h \
    src/cli/outfile.c src/cli/outfile.h \
    src/cli/page.c src/cli/page.h \
    src/cli/progress.c src/cli/progress.h \
    src/cli/push.c src/cli/push.h \
    src/cli/rows.c src/cli/rows.h \
    src/cli/scope.c src/cli/scope.h \
    src/cli/screen.c src/cli/screen.h \
    src/cli/task.c src/cli/task.h \
    src/cli/tasks.c src/cli/tasks.h \
    src/cli/value.c src/cli/value.h \
    src/cli/cmd_check.c \
    src/cli/cmd_completion.c \
    src/cli/cmd_export.c \
    src/cli/cmd_follow.c \
    src/cli/cmd_get.c \
    src/cli/cmd_history.c \
    src/cli/cmd_import.c \
    src/cli/cmd_info.c \
    src/cli/cmd_list.c \
    src/cli/cmd_metrics.c \
    src/cli/cmd_migrate.c \
    src/cli/cmd_mode.c \
    src/cli/cmd_outputs.c \
    src/cli/cmd_ping.c \
    src/cli/cmd_publish.c \
    src/cli/cmd_recover.c \
    src/cli/cmd_rejected.c \
    src/cli/cmd_replay.c \
    src/cli/cmd_sessions.c \
    src/cli/cmd_show.c \
    src/cli/cmd_stats.c \
    src/cli/cmd_status.c \
    src/cli/cmd_stuck.c \
    src/cli/cmd_top.c
# What reads the stores of earlier systems is not in the library, so the rooms that it needs are linked here
stele_LDADD = src/cli/libcli.la src/migrate/libmigrate.la libstele.la src/cache/libcache.la \
    src/ledger/libledger.la src/wire/libwire.la src/model/libmodel.la $(STELE_FAULT_ROOM) $(STELE_LIBS)
