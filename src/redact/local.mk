noinst_LTLIBRARIES += src/redact/libredact.la
if WITH_REDACTION
src_redact_libredact_la_SOURCES = \
    src/redact/keywords.c src/redact/keywords.h \
    src/redact/redact_event.c \
    src/redact/redactor.c src/redact/redactor.h src/redact/redactor_internal.h \
    src/redact/rules.c src/redact/rules.h
nodist_src_redact_libredact_la_SOURCES = src/redact/default_rules.c
BUILT_SOURCES += src/redact/default_rules.c
CLEANFILES += src/redact/default_rules.c
else
src_redact_libredact_la_SOURCES = src/redact/redactor.h src/redact/without.c
endif
EXTRA_DIST += src/redact/embed.sh
dist_pkgdata_DATA += src/redact/redact.rules

src/redact/default_rules.c: src/redact/redact.rules src/redact/embed.sh
	$(AM_V_GEN)$(MKDIR_P) src/redact && $(SHELL) $(srcdir)/src/redact/embed.sh $(srcdir)/src/redact/redact.rules > $@.tmp && mv $@.tmp $@
