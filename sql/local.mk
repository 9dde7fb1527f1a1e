# The schema and its migrations, embedded into src/sqlite.
STELE_SQL = sql/001-ledger.sql sql/002-zones.sql sql/003-frames.sql sql/004-lives.sql sql/005-owners.sql sql/006-audit.sql sql/007-users.sql sql/008-archive.sql sql/009-erase.sql sql/010-settled.sql sql/011-sessions.sql
EXTRA_DIST += $(STELE_SQL) sql/embed.sh
BUILT_SOURCES += sql/schema.c
CLEANFILES += sql/schema.c
nodist_src_sqlite_libsqlite_la_SOURCES = sql/schema.c

sql/schema.c: $(STELE_SQL) sql/embed.sh
	$(AM_V_GEN)$(MKDIR_P) sql && $(SHELL) $(srcdir)/sql/embed.sh $(STELE_SQL:%=$(srcdir)/%) > $@.tmp && mv $@.tmp $@
