# Faults on purpose: only in builds with --enable-fault-points is any of it compiled.
# In the others fault.h alone is used, and it is empty there.
STELE_FAULT_ROOM =
if FAULT_POINTS
noinst_LTLIBRARIES += src/fault/libfault.la
STELE_FAULT_ROOM += src/fault/libfault.la
src_fault_libfault_la_SOURCES = \
    src/fault/disk.c \
    src/fault/fault.c
endif
EXTRA_DIST += src/fault/fault.h src/fault/points.h src/fault/fault.c \
    src/fault/disk.h src/fault/disk.c
