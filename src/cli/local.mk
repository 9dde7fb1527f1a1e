# The programs. libcli has what both use or what has unit tests; it depends on base and the public
# headers only.
noinst_LTLIBRARIES += src/cli/libcli.la
src_cli_libcli_la_SOURCES = \
    src/cli/transfer/publish_counts.c src/cli/transfer/publish_counts.h \
    src/cli/terminal/format.c src/cli/terminal/format.h \
    src/cli/terminal/options.c src/cli/terminal/options.h \
    src/cli/terminal/sparkline.c src/cli/terminal/sparkline.h \
    src/cli/terminal/table.c src/cli/terminal/table.h \
    src/cli/terminal/text.c src/cli/terminal/text.h \
    src/cli/files/descriptors.c src/cli/files/descriptors.h \
    src/cli/files/interrupt.c src/cli/files/interrupt.h \
    src/cli/files/lines.c src/cli/files/lines.h
src_cli_libcli_la_LIBADD = src/base/libbase.la

sbin_PROGRAMS += steled
steled_SOURCES = src/cli/accept.c src/cli/http_child.c src/cli/http_child.h src/cli/service.c src/cli/service.h src/cli/steled.c \
    src/cli/files/certificate.c src/cli/files/certificate.h src/cli/files/token_file.c src/cli/files/token_file.h \
    src/sqlite/process.c
# The program shares the log and the settings with the broker, so it does not use the shared library
steled_LDADD = src/cli/libcli.la $(STELE_ROOMS) $(STELE_LIBS)

bin_PROGRAMS += stele
stele_SOURCES = \
    src/cli/stele.c \
    src/cli/shared/ask.c src/cli/shared/ask.h \
    src/cli/shared/cli.h \
    src/cli/view/cell.c src/cli/view/cell.h \
    src/cli/transfer/export_tables.c src/cli/transfer/export_tables.h \
    src/cli/shared/id.c src/cli/shared/id.h \
    src/cli/transfer/kinds.c src/cli/transfer/kinds.h \
    src/cli/view/findings.c src/cli/view/findings.h \
    src/cli/view/page.c src/cli/view/page.h \
    src/cli/view/prometheus.c src/cli/view/prometheus.h \
    src/cli/view/relay_findings.c \
    src/cli/shared/pages.c src/cli/shared/pages.h \
    src/cli/transfer/push.c src/cli/transfer/push.h \
    src/cli/transfer/push_report.c src/cli/transfer/push_internal.h \
    src/cli/shared/reach.c src/cli/shared/reach.h \
    src/cli/transfer/scope.c src/cli/transfer/scope.h \
    src/cli/view/screen.c src/cli/view/screen.h \
    src/cli/view/owner.c src/cli/view/owner.h \
    src/cli/view/series_table.c src/cli/view/series_table.h \
    src/cli/view/task_page.c src/cli/view/task_page.h \
    src/cli/view/task_table.c src/cli/view/task_table.h \
    src/cli/shared/time_option.c src/cli/shared/time_option.h \
    src/cli/view/value.c src/cli/view/value.h \
    src/cli/shared/words.c src/cli/shared/words.h \
    src/cli/terminal/message.c src/cli/terminal/message.h \
    src/cli/terminal/progress.c src/cli/terminal/progress.h \
    src/cli/files/csv.c src/cli/files/csv.h \
    src/cli/files/expand.c src/cli/files/expand.h \
    src/cli/files/digest.c src/cli/files/digest.h \
    src/cli/files/key_folder.c src/cli/files/key_folder.h \
    src/cli/files/seal_key_file.c src/cli/files/seal_key_file.h \
    src/cli/files/outfile.c src/cli/files/outfile.h \
    src/cli/files/rejects.c src/cli/files/rejects.h \
    src/cli/files/rows.c src/cli/files/rows.h \
    src/cli/files/token_file.c src/cli/files/token_file.h \
    src/cli/run/child.c src/cli/run/child.h \
    src/cli/run/queue.c src/cli/run/queue.h \
    src/cli/run/recorder.c src/cli/run/recorder.h \
    src/cli/run/relay_status.c src/cli/run/relay_status.h \
    src/cli/run/slots.c src/cli/run/slots.h \
    src/cli/run/stream.c src/cli/run/stream.h \
    src/cli/run/task_events.c src/cli/run/task_events.h \
    src/cli/run/task_id.c src/cli/run/task_id.h \
    src/cli/commands/tasks/erase.c \
    src/cli/commands/tasks/get.c \
    src/cli/commands/tasks/history.c \
    src/cli/commands/tasks/list.c \
    src/cli/commands/tasks/metrics.c \
    src/cli/commands/tasks/outputs.c \
    src/cli/commands/tasks/run.c \
    src/cli/commands/tasks/sessions.c \
    src/cli/commands/tasks/show.c \
    src/cli/commands/tasks/status.c \
    src/cli/commands/tasks/stuck.c \
    src/cli/commands/events/export.c \
    src/cli/commands/events/follow.c \
    src/cli/commands/events/import.c \
    src/cli/commands/events/migrate.c \
    src/cli/commands/events/publish.c \
    src/cli/commands/events/rejected.c \
    src/cli/commands/events/replay.c \
    src/cli/commands/broker/audit.c \
    src/cli/commands/events/scan.c \
    src/cli/commands/broker/backup.c \
    src/cli/commands/broker/check.c \
    src/cli/commands/broker/completion.c \
    src/cli/commands/broker/health.c \
    src/cli/commands/broker/info.c \
    src/cli/commands/broker/key.c \
    src/cli/commands/broker/mode.c \
    src/cli/commands/broker/ping.c \
    src/cli/commands/broker/compact.c \
    src/cli/commands/broker/recover.c \
    src/cli/commands/broker/log.c \
    src/cli/commands/broker/nodes.c \
    src/cli/commands/broker/restore.c \
    src/cli/commands/broker/prove.c \
    src/cli/commands/broker/verify.c \
    src/cli/proof/difference.c src/cli/proof/difference.h \
    src/cli/proof/history.c src/cli/proof/history.h \
    src/cli/proof/tiles.c src/cli/proof/tiles.h \
    src/cli/commands/broker/stats.c \
    src/cli/commands/broker/storage.c \
    src/cli/commands/broker/token.c \
    src/cli/commands/broker/top.c
# The migration from earlier systems is not in the library, so the folders that it needs are linked here; of the broker
# only the reader of keys
stele_LDADD = src/cli/libcli.la src/migrate/libmigrate.la libstele.la src/broker/libbroker.la src/cache/libcache.la \
    src/repository/librepository.la src/log/liblog.la src/proof/libproof.la src/sqlite/libsqlite.la src/redact/libredact.la src/wire/libwire.la src/model/libmodel.la src/base/libbase.la $(STELE_FAULT_ROOM) $(STELE_LIBS)

# Completion scripts, which ask the program
EXTRA_DIST += src/cli/completion/stele src/cli/completion/_stele src/cli/completion/stele.fish
if INSTALL_BASH_COMPLETION
bashcompletion_DATA = src/cli/completion/stele
endif
if INSTALL_ZSH_COMPLETION
zshcompletion_DATA = src/cli/completion/_stele
endif
if INSTALL_FISH_COMPLETION
fishcompletion_DATA = src/cli/completion/stele.fish
endif
