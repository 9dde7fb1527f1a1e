# files of this room
include $(srcdir)/tests/unit/cli.mk
