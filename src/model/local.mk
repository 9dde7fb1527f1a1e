noinst_LTLIBRARIES += src/model/libmodel.la
src_model_libmodel_la_SOURCES = \
    src/model/error.c \
    src/model/field.c src/model/field.h \
    src/model/fingerprint.c src/model/fingerprint.h \
    src/model/lifecycle.c src/model/lifecycle.h \
    src/model/record.c src/model/record.h \
    src/model/refusal.c src/model/refusal.h \
    src/model/vocabulary.c src/model/vocabulary.h
