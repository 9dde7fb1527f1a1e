# The programs. What stele and steled share is in a library of their own, which
# knows of nothing but its own files and the public headers.
noinst_LTLIBRARIES += src/cli/libcli.la
src_cli_libcli_la_SOURCES = \
    src/cli/options.c src/cli/options.h
