/*  test_client_key - clients with keys: key files, and connections that a broker refuses

    The other side is a ROUTER and an XPUB with CURVE, and a handler that knows one key, so that every reason
    for which a handshake fails can be produced.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include "talk.h"
#include "stele_client.h"
#include "wire/key_file.h"

#define TIMEOUT_MS 60000
#define ENFORCE_DOMAIN 93

typedef struct {
    char public_key [STELE_KEY_TEXT], secret_key [STELE_KEY_TEXT];
} pair_t;

static char s_folder [] = "/tmp/test_client_key.XXXXXX";
static pair_t s_server, s_alice, s_other;
static uint8_t s_known [32];            // The key that the handler accepts
static atomic_bool s_accepting;

//  -- a broker with keys ------------------------------------------------------------

//  A ZAP handler that accepts one key
static void
s_handler (zsock_t *pipe, void *args)
{
    (void) args;
    zsock_t *socket = zsock_new_rep ("inproc://zeromq.zap.01");
    assert_non_null (socket);
    zpoller_t *poller = zpoller_new (pipe, socket, NULL);
    zsock_signal (pipe, 0);
    while (zpoller_wait (poller, -1) == socket) {
        zmsg_t *request = zmsg_recv (socket);
        zframe_t *version = zmsg_pop (request), *id = zmsg_pop (request);
        zframe_t *key = zmsg_last (request);
        bool known = atomic_load (&s_accepting) && zframe_size (key) == 32
            && memcmp (zframe_data (key), s_known, 32) == 0;
        zmsg_t *answer = zmsg_new ();
        zmsg_append (answer, &version);
        zmsg_append (answer, &id);
        zmsg_addstr (answer, known? "200": "400");
        zmsg_addstr (answer, known? "OK": "unknown key");
        zmsg_addstr (answer, known? "alice": "");
        zmsg_addstr (answer, "");
        zmsg_send (&answer, socket);
        zmsg_destroy (&request);
    }
    zpoller_destroy (&poller);
    zsock_destroy (&socket);
}

typedef struct {
    const pair_t *pair;                 // NULL: without keys
    zsock_t *router, *feed;
    zactor_t *actor;
    char endpoint [64], feed_endpoint [64];
} broker_t;

static void
s_open (zsock_t *socket, const broker_t *broker, char *endpoint)
{
    void *handle = zsock_resolve (socket);
    int on = 1;
    zsock_set_linger (socket, 0);
    if (broker->pair) {
        zsock_set_zap_domain (socket, "stele");
        zmq_setsockopt (handle, ENFORCE_DOMAIN, &on, sizeof on);
        zmq_setsockopt (handle, ZMQ_CURVE_SERVER, &on, sizeof on);
        zmq_setsockopt (handle, ZMQ_CURVE_SECRETKEY, broker->pair->secret_key, STELE_KEY_TEXT);
    }
    assert_true (zsock_bind (socket, "tcp://127.0.0.1:*") > 0);
    snprintf (endpoint, 64, "%s", zsock_endpoint (socket));
}

static void
s_answer (zsock_t *router, zmsg_t *message)
{
    zframe_t *body = zmsg_last (message);
    json_t *request = talk_unpack (zframe_data (body), zframe_size (body));
    const char *op = talk_text (request, "op");
    stele_pack_t *pack = NULL;
    if (strcmp (op, "hello") == 0)
        pack = talk_pack ("{'op':'welcome','protocol':1,'ledger':'L','sequence':0,'window':1000,'max_bytes':100000,"
            "'heartbeat_ms':500}");
    else
    if (strcmp (op, "publish") == 0)
        pack = talk_pack ("{'op':'ack','sequence':%d,'position':1}",
            (int) (talk_number (request, "sequence") + (int64_t) json_array_size (talk_at (request, "events")) - 1));
    else
    if (zmsg_size (message) > 2)
        pack = talk_pack ("{'ok':true,'position':0}");
    if (pack) {
        zmsg_remove (message, body);
        zframe_destroy (&body);
        zmsg_addmem (message, stele_pack_data (pack), stele_pack_size (pack));
        zmsg_send (&message, router);
    }
    zmsg_destroy (&message);
    stele_pack_destroy (&pack);
    json_decref (request);
}

static void
s_broker (zsock_t *pipe, void *args)
{
    broker_t *broker = (broker_t *) args;
    zpoller_t *poller = zpoller_new (pipe, broker->router, NULL);
    zsock_signal (pipe, 0);
    while (zpoller_wait (poller, -1) == broker->router)
        s_answer (broker->router, zmsg_recv (broker->router));
    zpoller_destroy (&poller);
}

static void
s_broker_start (broker_t *broker, const pair_t *pair)
{
    broker->pair = pair;
    broker->router = zsock_new (ZMQ_ROUTER);
    broker->feed = zsock_new (ZMQ_XPUB);
    s_open (broker->router, broker, broker->endpoint);
    s_open (broker->feed, broker, broker->feed_endpoint);
    broker->actor = zactor_new (s_broker, broker);
}

static void
s_broker_stop (broker_t *broker)
{
    zactor_destroy (&broker->actor);
    zsock_destroy (&broker->router);
    zsock_destroy (&broker->feed);
}

//  -- key files -----------------------------------------------------------------------

static const char *
s_path (const char *name)
{
    static char path [128];
    snprintf (path, sizeof path, "%s/%s", s_folder, name);
    return path;
}

static const char *
s_write (const char *name, const char *text, mode_t mode)
{
    const char *path = s_path (name);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
    assert_int_equal (chmod (path, mode), 0);
    return path;
}

static const char *
s_write_key (const char *name, const pair_t *pair, const char *server_key)
{
    char text [512];
    snprintf (text, sizeof text, "#  A key\n\nmetadata\n    name = \"%s\"\n    server-key = \"%s\"\ncurve\n"
        "    public-key = \"%s\"\n    secret-key = \"%s\"\n", name, server_key, pair->public_key, pair->secret_key);
    return s_write (name, text, 0600);
}

//  -- connections ------------------------------------------------------------------------

static stele_client_t *
s_client (const broker_t *broker, const char *key)
{
    stele_client_t *client = stele_client_new ("p");
    stele_client_set_events_endpoint (client, broker->endpoint);
    stele_client_set_requests_endpoint (client, broker->endpoint);
    stele_client_set_feed_endpoint (client, broker->feed_endpoint);
    assert_int_equal (stele_client_set_key (client, key), 0);
    return client;
}

static int64_t
s_publish (stele_client_t *client)
{
    stele_event_t *event = stele_event_new ("task.updated");
    stele_event_set_string (event, "task_id", "t");
    return stele_client_publish (client, &event, TIMEOUT_MS);
}

static int
s_ping (stele_client_t *client)
{
    char *answer = NULL;
    int rc = stele_client_request_json (client, "{\"op\":\"ping\"}", TIMEOUT_MS, &answer);
    free (answer);
    return rc;
}

//  Every way to connect reports the refusal, with a text that has these words
static void
s_expect_refused (const broker_t *broker, const char *key, const char *what, const char *way_out)
{
    stele_client_t *client = s_client (broker, key);
    stele_event_t *event = NULL;
    int64_t number = s_publish (client);
    assert_int_equal (number, 1);
    int rc [] = {
        s_ping (client), stele_client_ready (client, TIMEOUT_MS), stele_client_wait (client, number, TIMEOUT_MS),
        stele_client_flush (client, TIMEOUT_MS), (int) stele_client_poll (client),
        stele_client_follow (client, "", -1), stele_client_next (client, TIMEOUT_MS, &event),
        stele_client_next (client, TIMEOUT_MS, &event), s_ping (client)
    };
    for (size_t i = 0; i < sizeof rc / sizeof rc [0]; i++)
        assert_int_equal (rc [i], i == 5? 0: STELE_EUNAUTHORIZED);
    if (!strstr (stele_client_error (client), what) || !strstr (stele_client_error (client), way_out))
        fail_msg ("'%s' has not '%s' and '%s'", stele_client_error (client), what, way_out);
    assert_null (event);
    stele_client_destroy (&client);
}

static void
test_client_with_known_key_publishes_and_asks (void **state)
{
    (void) state;
    broker_t broker;
    s_broker_start (&broker, &s_server);
    stele_client_t *client = s_client (&broker, s_write_key ("alice", &s_alice, s_server.public_key));
    assert_int_equal (s_ping (client), 0);
    assert_int_equal (stele_client_ready (client, TIMEOUT_MS), 0);
    assert_int_equal (stele_client_wait (client, s_publish (client), TIMEOUT_MS), 0);
    stele_client_destroy (&client);
    s_broker_stop (&broker);
}

static void
test_client_key_of_environment_is_used_unless_another_is_chosen (void **state)
{
    (void) state;
    broker_t broker;
    s_broker_start (&broker, &s_server);
    setenv ("STELE_KEY", s_write_key ("alice", &s_alice, s_server.public_key), 1);
    stele_client_t *client = stele_client_new (NULL);
    stele_client_set_requests_endpoint (client, broker.endpoint);
    assert_int_equal (s_ping (client), 0);
    stele_client_destroy (&client);
    client = s_client (&broker, NULL);
    assert_int_equal (s_ping (client), STELE_EUNAUTHORIZED);
    stele_client_destroy (&client);
    setenv ("STELE_KEY", s_path ("missing"), 1);
    client = stele_client_new ("p");
    assert_int_equal (s_ping (client), STELE_EIO);
    assert_int_equal (s_publish (client), STELE_EIO);
    assert_int_equal (stele_client_follow (client, "", 0), STELE_EIO);
    assert_non_null (strstr (stele_client_error (client), "missing"));
    stele_client_destroy (&client);
    unsetenv ("STELE_KEY");
    s_broker_stop (&broker);
}

static void
test_client_with_unknown_key_is_refused (void **state)
{
    (void) state;
    broker_t broker;
    s_broker_start (&broker, &s_server);
    s_expect_refused (&broker, s_write_key ("mallory", &s_other, s_server.public_key), "does not accept the key mallory",
        "stele key new");
    s_broker_stop (&broker);
}

static void
test_client_without_key_is_refused_by_broker_with_keys (void **state)
{
    (void) state;
    broker_t broker;
    s_broker_start (&broker, &s_server);
    s_expect_refused (&broker, NULL, "needs a key", "stele key new");
    s_broker_stop (&broker);
}

static void
test_client_with_key_refuses_broker_without_keys (void **state)
{
    (void) state;
    broker_t broker;
    s_broker_start (&broker, NULL);
    s_expect_refused (&broker, s_write_key ("alice", &s_alice, s_server.public_key), "uses no keys", "STELE_KEY unset");
    s_broker_stop (&broker);
}

static void
test_client_with_key_of_another_broker_is_refused (void **state)
{
    (void) state;
    broker_t broker;
    s_broker_start (&broker, &s_server);
    s_expect_refused (&broker, s_write_key ("alice", &s_alice, s_other.public_key), "is not the server-key", "server.pub");
    s_broker_stop (&broker);
}

static void
test_client_refused_publishes_when_its_key_is_added (void **state)
{
    (void) state;
    broker_t broker;
    s_broker_start (&broker, &s_server);
    atomic_store (&s_accepting, false);
    stele_client_t *client = s_client (&broker, s_write_key ("alice", &s_alice, s_server.public_key));
    int64_t number = s_publish (client);
    assert_int_equal (stele_client_wait (client, number, TIMEOUT_MS), STELE_EUNAUTHORIZED);
    atomic_store (&s_accepting, true);
    assert_int_equal (s_ping (client), 0);
    zsock_t *socket = stele_client_socket (client);
    zpoller_t *poller = zpoller_new (socket, NULL);
    while (stele_client_poll (client) != 0)
        assert_ptr_equal (zpoller_wait (poller, TIMEOUT_MS), socket);
    assert_int_equal (stele_client_wait (client, number, TIMEOUT_MS), 0);
    zpoller_destroy (&poller);
    stele_client_destroy (&client);
    s_broker_stop (&broker);
}

static void
test_client_refused_with_full_window_keeps_the_event (void **state)
{
    (void) state;
    broker_t broker;
    s_broker_start (&broker, &s_server);
    stele_client_t *client = s_client (&broker, NULL);
    assert_int_equal (stele_client_ready (client, TIMEOUT_MS), STELE_EUNAUTHORIZED);
    //  An event of this size waits for the first welcome
    char *large = zmalloc (70000);
    memset (large, 'x', 69999);
    stele_event_t *event = stele_event_new ("task.updated");
    stele_event_set_string (event, "task_id", "t");
    stele_event_set_string (event, "description", large);
    assert_int_equal (stele_client_publish (client, &event, -1), STELE_EUNAUTHORIZED);
    assert_non_null (event);
    stele_event_destroy (&event);
    free (large);
    stele_client_destroy (&client);
    s_broker_stop (&broker);
}

static void
test_client_key_is_not_used_over_ipc (void **state)
{
    (void) state;
    broker_t broker = { .router = zsock_new (ZMQ_ROUTER), .feed = NULL };
    snprintf (broker.endpoint, sizeof broker.endpoint, "ipc://%s/r", s_folder);
    assert_true (zsock_bind (broker.router, "%s", broker.endpoint) >= 0);
    broker.actor = zactor_new (s_broker, &broker);
    stele_client_t *client = s_client (&broker, s_write_key ("alice", &s_alice, s_server.public_key));
    assert_int_equal (s_ping (client), 0);
    stele_client_destroy (&client);
    s_broker_stop (&broker);
}

//  -- files that are no key ------------------------------------------------------------------

static void
s_expect_bad (const char *path, int code, const char *what)
{
    stele_client_t *client = stele_client_new (NULL);
    int rc = stele_client_set_key (client, path);
    if (rc != code || !strstr (stele_client_error (client), what) || !strstr (stele_client_error (client), path))
        fail_msg ("%d, '%s' instead of %d with '%s'", rc, stele_client_error (client), code, what);
    stele_client_destroy (&client);
}

static void
test_client_key_file_that_is_wrong_is_refused_with_reason (void **state)
{
    (void) state;
    char text [1024];
    s_expect_bad (s_path ("none"), STELE_EIO, "No such file");
    s_expect_bad (s_folder, STELE_EINVALID_FIELD, "not a regular file");
    s_expect_bad (s_write ("a", "", 0600), STELE_EINVALID_FIELD, "no public-key");
    s_expect_bad (s_write ("a", "Hello!\n", 0600), STELE_EINVALID_FIELD, "line 1");
    s_expect_bad (s_write ("a", "curve\n  public-key = \"short\"\n", 0600), STELE_EINVALID_FIELD, "not a CURVE key");
    snprintf (text, sizeof text, "curve\n  public-key = '%s'\n", s_alice.public_key);
    s_expect_bad (s_write ("a", text, 0644), STELE_EINVALID_FIELD, "no secret-key");
    snprintf (text, sizeof text, "curve\n public-key = \"%s\"\n secret-key = \"%s\"\n", s_alice.public_key,
        s_alice.secret_key);
    s_expect_bad (s_write ("a", text, 0600), STELE_EINVALID_FIELD, "no server-key");
    s_expect_bad (s_write ("a", text, 0640), STELE_EINVALID_FIELD, "no server-key");
    s_expect_bad (s_write ("a", text, 0644), STELE_EUNAUTHORIZED, "mode 644");
    s_expect_bad (s_write ("a", text, 0620), STELE_EUNAUTHORIZED, "chmod 600");
    snprintf (text, sizeof text, "curve\n public-key = \"%s\"\n secret-key = \"%s\"\n", s_other.public_key,
        s_alice.secret_key);
    s_expect_bad (s_write ("a", text, 0600), STELE_EINVALID_FIELD, "not that of its secret-key");
    snprintf (text, sizeof text, "curve\n public-key = \"%s\"\n public-key = \"%s\"\n", s_other.public_key,
        s_alice.public_key);
    s_expect_bad (s_write ("a", text, 0600), STELE_EINVALID_FIELD, "line 3");
    assert_int_equal (truncate (s_write ("a", "", 0600), 65537), 0);
    s_expect_bad (s_path ("a"), STELE_EINVALID_FIELD, "64 KiB");
}

//  Any bytes give a file or a refusal
static void
test_key_file_parse_of_changed_bytes_is_safe (void **state)
{
    (void) state;
    const char *path = s_write_key ("alice", &s_alice, s_server.public_key);
    zfile_t *file = zfile_new (NULL, path);
    zfile_input (file);
    zchunk_t *chunk = zfile_read (file, 4096, 0);
    zfile_close (file);
    size_t size = zchunk_size (chunk);
    unsigned seed = 1;
    int parsed = 0, refused = 0;
    for (int round = 0; round < 20000; round++) {
        char *text = zmalloc (size);    // Of the exact size, so that a read behind it is detected
        memcpy (text, zchunk_data (chunk), size);
        size_t cut = round % 3? size: (size_t) rand_r (&seed) % size;
        static const char bytes [] = "\"'#=\n \t\0a";
        for (int change = round % 5; change >= 0; change--)
            text [(size_t) rand_r (&seed) % size] = round % 2? bytes [rand_r (&seed) % 9]: (char) rand_r (&seed);
        char *exact = zmalloc (cut + 1);
        memcpy (exact, text, cut);
        stele_refusal_t refusal = { 0 };
        stele_key_file_t *key = stele_key_file_parse ("x", exact, cut, &refusal);
        parsed += key != NULL;
        refused += refusal.code == STELE_EINVALID_FIELD;
        stele_key_file_destroy (&key);
        free (exact);
        free (text);
    }
    assert_int_equal (parsed + refused, 20000);
    assert_true (parsed > 100 && refused > 100);
    zchunk_destroy (&chunk);
    zfile_destroy (&file);
}

static void
test_key_file_of_czmq_is_read (void **state)
{
    (void) state;
    zcert_t *cert = zcert_new ();
    zcert_set_meta (cert, "name", "%s", "bob");
    zcert_set_meta (cert, "server-key", "%s", s_server.public_key);
    assert_int_equal (zcert_save_secret (cert, s_path ("bob")), 0);
    chmod (s_path ("bob"), 0600);
    stele_client_t *client = stele_client_new (NULL);
    if (stele_client_set_key (client, s_path ("bob")))
        fail_msg ("%s", stele_client_error (client));
    stele_client_destroy (&client);
    zcert_destroy (&cert);
}

static zactor_t *s_zap;

static int
s_setup (void **state)
{
    (void) state;
    unsetenv ("STELE_KEY");
    if (!mkdtemp (s_folder))
        return -1;
    zmq_curve_keypair (s_server.public_key, s_server.secret_key);
    zmq_curve_keypair (s_alice.public_key, s_alice.secret_key);
    zmq_curve_keypair (s_other.public_key, s_other.secret_key);
    zmq_z85_decode (s_known, s_alice.public_key);
    atomic_store (&s_accepting, true);
    s_zap = zactor_new (s_handler, NULL);
    return 0;
}

static int
s_teardown (void **state)
{
    (void) state;
    zactor_destroy (&s_zap);
    zsys_shutdown ();
    zdir_t *folder = zdir_new (s_folder, NULL);
    zdir_remove (folder, true);
    zdir_destroy (&folder);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_client_with_known_key_publishes_and_asks),
        cmocka_unit_test (test_client_key_of_environment_is_used_unless_another_is_chosen),
        cmocka_unit_test (test_client_with_unknown_key_is_refused),
        cmocka_unit_test (test_client_without_key_is_refused_by_broker_with_keys),
        cmocka_unit_test (test_client_with_key_refuses_broker_without_keys),
        cmocka_unit_test (test_client_with_key_of_another_broker_is_refused),
        cmocka_unit_test (test_client_refused_publishes_when_its_key_is_added),
        cmocka_unit_test (test_client_refused_with_full_window_keeps_the_event),
        cmocka_unit_test (test_client_key_is_not_used_over_ipc),
        cmocka_unit_test (test_client_key_file_that_is_wrong_is_refused_with_reason),
        cmocka_unit_test (test_key_file_parse_of_changed_bytes_is_safe),
        cmocka_unit_test (test_key_file_of_czmq_is_read)
    };
    return cmocka_run_group_tests (tests, s_setup, s_teardown);
}
