# Examples. Those in C are built with the tests, against the library as users link it.
check_PROGRAMS += examples/publish_event examples/follow_changes examples/embed_broker examples/pipeline/stage
examples_publish_event_SOURCES = examples/publish_event.c
examples_publish_event_LDADD = libstele.la $(CZMQ_LIBS) $(ZMQ_LIBS)
examples_follow_changes_SOURCES = examples/follow_changes.c
examples_follow_changes_LDADD = libstele.la $(CZMQ_LIBS) $(ZMQ_LIBS)
examples_embed_broker_SOURCES = examples/embed_broker.c
examples_embed_broker_LDADD = libstele.la $(CZMQ_LIBS) $(ZMQ_LIBS)
examples_pipeline_stage_SOURCES = examples/pipeline/stage.c
examples_pipeline_stage_LDADD = libstele.la $(CZMQ_LIBS) $(ZMQ_LIBS)

EXTRA_DIST += \
    examples/quickstart.sh \
    examples/sample.jsonl \
    examples/check_proof.py \
    examples/publish.py \
    examples/query.py \
    examples/resume.py \
    examples/webhook_receiver.py \
    examples/cluster/run.sh \
    examples/cluster/publish.py \
    examples/cluster/compare.py \
    examples/monitoring/README.md \
    examples/monitoring/prometheus.yml \
    examples/monitoring/stele.rules.yml \
    examples/monitoring/stele-relay.rules.yml \
    examples/monitoring/stele-relay.rules.test.yml \
    examples/monitoring/stele.rules.test.yml \
    examples/monitoring/stele-board.json \
    examples/pipeline/README.md \
    examples/pipeline/produce.py \
    examples/pipeline/consume.py \
    examples/pipeline/run.sh
