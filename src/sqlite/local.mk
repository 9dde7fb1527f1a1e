noinst_LTLIBRARIES += src/sqlite/libsqlite.la
src_sqlite_libsqlite_la_SOURCES = \
    src/ledger/derived.h \
    src/ledger/ledger.h \
    src/ledger/process.h \
    src/ledger/reader.h \
    src/ledger/rollup.h \
    src/ledger/snapshot.h \
    src/ledger/text_index.h \
    src/sqlite/sql/file_names.h \
    src/sqlite/archiver.c \
    src/sqlite/snapshot.c \
    src/sqlite/versions.c \
    src/sqlite/sqlite_file.c src/sqlite/sqlite_file.h \
    src/sqlite/sql/codes.h \
    src/sqlite/sql/event_tables.h \
    src/sqlite/sql/id_codec.c src/sqlite/sql/id_codec.h \
    src/sqlite/sql/json_fields.c src/sqlite/sql/json_fields.h \
    src/sqlite/sql/schema.h \
    src/sqlite/sql/side_file.c src/sqlite/sql/side_file.h \
    src/sqlite/sql/sql.c src/sqlite/sql/sql.h \
    src/ledger/archive.h \
    src/ledger/compact.h \
    src/ledger/erase.h \
    src/sqlite/archive/archive_file.c src/sqlite/archive/archive_file.h \
    src/sqlite/archive/archive_snapshot.c \
    src/sqlite/archive/task_copy.c \
    src/sqlite/compress/compress_ahead.c src/sqlite/compress/compress_ahead.h \
    src/sqlite/compress/compressor.c src/sqlite/compress/compressor.h \
    src/sqlite/compress/content.c src/sqlite/compress/content.h \
    src/sqlite/compress/dictionaries.c src/sqlite/compress/dictionaries.h \
    src/sqlite/wal/checkpoint.c src/sqlite/wal/checkpoint.h \
    src/sqlite/wal/high_water.c src/sqlite/wal/high_water.h \
    src/sqlite/wal/hold.c src/sqlite/wal/hold.h \
    src/sqlite/wal/log_length.c src/sqlite/wal/log_length.h \
    src/sqlite/wal/mount.c src/sqlite/wal/mount.h \
    src/sqlite/wal/place.c src/sqlite/wal/place.h \
    src/sqlite/wal/wal_index.c src/sqlite/wal/wal_index.h \
    src/sqlite/wal/shm_vfs.c src/sqlite/wal/shm_vfs.h \
    src/sqlite/wal/wal_vfs.c src/sqlite/wal/wal_vfs.h \
    src/sqlite/write/archive.c \
    src/sqlite/write/append.c \
    src/sqlite/write/append_audit.c \
    src/sqlite/write/append_output.c \
    src/sqlite/write/append_row.c \
    src/sqlite/write/append_session.c \
    src/sqlite/write/append_task.c src/sqlite/write/append_internal.h \
    src/sqlite/write/check.c \
    src/sqlite/write/compact.c \
    src/sqlite/write/confine.c \
    src/sqlite/write/decided.c \
    src/sqlite/write/deferred.c \
    src/sqlite/write/erase.c \
    src/sqlite/write/erase_rest.c \
    src/sqlite/write/erase_rows.c src/sqlite/write/erase_rows.h \
    src/sqlite/write/intern.c src/sqlite/write/intern.h \
    src/sqlite/write/ledger.c \
    src/sqlite/write/ledger_internal.h \
    src/sqlite/write/loss.c \
    src/sqlite/write/open.c \
    src/sqlite/write/producers.c \
    src/sqlite/write/recall.c \
    src/sqlite/write/statement.c \
    src/sqlite/write/replay.c \
    src/sqlite/write/rescue.c \
    src/sqlite/write/scrub.c \
    src/sqlite/write/settle.c \
    src/sqlite/write/task_cache.c src/sqlite/write/task_cache.h \
    src/sqlite/write/zone_map.c src/sqlite/write/zone_map.h \
    src/sqlite/read/audit.c \
    src/sqlite/read/chain.c \
    src/sqlite/reader/columns.c \
    src/sqlite/read/commit_time.c \
    src/sqlite/read/commands.c \
    src/sqlite/read/derived.c \
    src/sqlite/read/erasure.c \
    src/sqlite/filter/filter.c src/sqlite/filter/filter.h \
    src/sqlite/reader/keys.c \
    src/sqlite/read/log.c \
    src/sqlite/filter/match.c src/sqlite/filter/match.h \
    src/sqlite/reader/archives.c \
    src/sqlite/reader/reader.c \
    src/sqlite/reader/reader_bounds.h \
    src/sqlite/reader/reader_internal.h \
    src/sqlite/reader/reader_over.h \
    src/sqlite/reader/scope.c \
    src/sqlite/read/redaction_key.c \
    src/sqlite/read/rejected.c \
    src/sqlite/read/report.c \
    src/sqlite/reader/event_rows.c \
    src/sqlite/read/sessions.c \
    src/sqlite/read/state.c \
    src/sqlite/read/structure.c \
    src/sqlite/read/stats.c \
    src/sqlite/read/storage.c \
    src/sqlite/filter/summary.c src/sqlite/filter/summary.h \
    src/sqlite/read/table_export.c \
    src/sqlite/read/task_as_of.c \
    src/sqlite/read/task_record.c \
    src/sqlite/filter/text_changes.c src/sqlite/filter/text_changes.h \
    src/sqlite/reader/word_cache.c src/sqlite/reader/word_cache.h \
    src/sqlite/reader/zones.c \
    src/sqlite/rollup/counts.c src/sqlite/rollup/counts.h \
    src/sqlite/rollup/fold.c src/sqlite/rollup/fold.h \
    src/sqlite/rollup/life.c src/sqlite/rollup/life.h \
    src/sqlite/rollup/rollup.c \
    src/sqlite/rollup/series.c \
    src/sqlite/rollup/store.c src/sqlite/rollup/store.h \
    src/sqlite/search/text_index.c \
    src/sqlite/filter/tokenizer.c src/sqlite/filter/tokenizer.h \
    src/sqlite/search/packed_ids.c src/sqlite/search/packed_ids.h \
    src/sqlite/list/as_of.c src/sqlite/list/as_of.h \
    src/sqlite/list/by_index.c src/sqlite/list/by_index.h \
    src/sqlite/list/by_key.c src/sqlite/list/by_key.h \
    src/sqlite/list/by_text.c src/sqlite/list/by_text.h \
    src/sqlite/list/by_zone.c src/sqlite/list/by_zone.h \
    src/sqlite/list/list.c \
    src/sqlite/list/page.c src/sqlite/list/page.h \
    src/sqlite/list/pairs.c src/sqlite/list/pairs.h \
    src/sqlite/list/total.c

# An extension for readers of a ledger with their own SQLite
pkglib_LTLIBRARIES = stele_sqlite.la
stele_sqlite_la_SOURCES = src/sqlite/extension/stele_sqlite.c
stele_sqlite_la_LIBADD = $(ZSTD_LIBS)
stele_sqlite_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -no-undefined
