# The Python package, its tests, and what pip needs to install it.
python_tests = \
    python/tests/test_client.py \
    python/tests/test_adapters.py \
    python/tests/test_celery.py \
    python/tests/test_keys.py \
    python/tests/test_spool.py \
    python/tests/test_tasks.py

# They start no program of the sources: in a build with sanitizers they would find nothing
pure_python_tests = \
    python/tests/test_package.py \
    python/tests/test_dialog.py \
    python/tests/test_vectors.py

EXTRA_DIST += \
    python/LICENSE \
    python/README.md \
    python/pyproject.toml \
    python/stele_client/__init__.py \
    python/stele_client/adapters/__init__.py \
    python/stele_client/adapters/celery.py \
    python/stele_client/adapters/futures.py \
    python/stele_client/adapters/langchain.py \
    python/stele_client/adapters/logging.py \
    python/stele_client/adapters/openai_agents.py \
    python/stele_client/adapters/spans.py \
    python/stele_client/adapters/subprocess.py \
    python/stele_client/aio.py \
    python/stele_client/aio_client.py \
    python/stele_client/aio_operations.py \
    python/stele_client/client.py \
    python/stele_client/default.py \
    python/stele_client/dialog.py \
    python/stele_client/errors.py \
    python/stele_client/events.py \
    python/stele_client/follower.py \
    python/stele_client/keys.py \
    python/stele_client/nodes.py \
    python/stele_client/operations.py \
    python/stele_client/order.py \
    python/stele_client/publisher.py \
    python/stele_client/py.typed \
    python/stele_client/records.py \
    python/stele_client/redact.py \
    python/stele_client/refusals.py \
    python/stele_client/spool.py \
    python/stele_client/tasks.py \
    python/stele_client/trouble.py \
    python/stele_client/wire.py
