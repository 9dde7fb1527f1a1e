noinst_LTLIBRARIES += src/proof/libproof.la
src_proof_libproof_la_SOURCES = \
    src/proof/derive.c src/proof/derive.h src/proof/derive_internal.h \
    src/proof/derive_batch.c src/proof/derive_compare.c \
    src/proof/erased.c src/proof/erased.h \
    src/proof/line.c src/proof/line.h \
    src/proof/note.c src/proof/note.h \
    src/proof/seal_key.c src/proof/seal_key.h \
    src/proof/sealer.c src/proof/sealer.h \
    src/proof/seals.c src/proof/seals.h \
    src/proof/tree.c src/proof/tree.h \
    src/proof/verifier.c src/proof/verifier.h
