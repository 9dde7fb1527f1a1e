# Examples. Those in C join when the library is complete.

EXTRA_DIST += \
    examples/sample.jsonl \
    examples/publish_event.c \
    examples/follow_changes.c \
    examples/embed_broker.c \
    examples/publish.py \
    examples/query.py \
    examples/pipeline/README.md \
    examples/pipeline/produce.py \
    examples/pipeline/consume.py \
    examples/pipeline/run.sh
