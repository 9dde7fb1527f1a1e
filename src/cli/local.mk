# The programs. What they share is in a library of their own, which knows of
# nothing but its own files and the public headers.
noinst_LTLIBRARIES += src/cli/libcli.la
src_cli_libcli_la_SOURCES = \
    src/cli/format.c src/cli/format.h \
    src/cli/interrupt.c src/cli/interrupt.h \
    src/cli/lines.c src/cli/lines.h \
    src/cli/options.c src/cli/options.h \
    src/cli/table.c src/cli/table.h \
    src/cli/tally.c src/cli/tally.h \
    src/cli/text.c src/cli/text.h

sbin_PROGRAMS += steled
steled_SOURCES = src/cli/steled.c
steled_LDADD = src/cli/libcli.la libstele.la $(CZMQ_LIBS) $(ZMQ_LIBS)
