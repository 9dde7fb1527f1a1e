/*  test_access - tests of identities, of the keyring, and of the ZAP actor in programs that embed the broker

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <czmq.h>
#include "broker/access/access.h"
#include "broker/access/zap.h"
#include "stele_broker.h"

typedef struct {
    char folder [64];
    zcert_t *server, *client;
} s_world_t;

static void
s_save (s_world_t *self, zcert_t *cert, const char *name, bool secret)
{
    char path [160];
    snprintf (path, sizeof path, "%s/keys/%s", self->folder, name);
    assert_int_equal (secret? zcert_save_secret (cert, path): zcert_save_public (cert, path), 0);
    assert_int_equal (chmod (path, 0600), 0);
}

static int
s_set_up (void **state)
{
    s_world_t *self = calloc (1, sizeof *self);
    char path [160];
    snprintf (self->folder, sizeof self->folder, "/tmp/stele-access-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    snprintf (path, sizeof path, "%s/keys", self->folder);
    assert_int_equal (mkdir (path, 0700), 0);
    self->server = zcert_new ();
    self->client = zcert_new ();
    s_save (self, self->server, "server.key_secret", true);
    zcert_set_meta (self->client, "name", "alice");
    zcert_set_meta (self->client, "roles", "publish query");
    s_save (self, self->client, "alice.key", false);
    *state = self;
    return 0;
}

static int
s_tear_down (void **state)
{
    s_world_t *self = *state;
    char command [128];
    snprintf (command, sizeof command, "rm -r '%s'", self->folder);
    assert_int_equal (system (command), 0);
    zcert_destroy (&self->server);
    zcert_destroy (&self->client);
    free (self);
    return 0;
}

//  -- identities --------------------------------------------------------------------

static stele_span_t
s_span (const char *text)
{
    return (stele_span_t) { text, strlen (text) };
}

static void
test_access_patterns_of_producers (void **state)
{
    (void) state;
    static const struct { const char *pattern, *name; bool matches; } cases [] = {
        { "ci", "ci", true }, { "ci", "ci2", false }, { "ci", "c", false }, { "build-*", "build-", true },
        { "build-*", "build-7", true }, { "build-*", "rebuild-7", false }, { "*-7", "build-7", true },
        { "a*b*c", "a-b-b-c", true }, { "a*b*c", "a-c-b", false }, { "*", "", true }, { "**", "x", true }, { "", "x", false }
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases [0]; i++) {
        stele_span_t pattern = s_span (cases [i].pattern);
        stele_identity_t identity = { .producers = &pattern, .producer_count = 1 };
        assert_int_equal (stele_identity_may_publish_as (&identity, cases [i].name, strlen (cases [i].name)), cases [i].matches);
    }
    assert_true (stele_identity_may_publish_as (&stele_identity_local, "x", 1));
}

static void
test_access_roles_include_others (void **state)
{
    (void) state;
    stele_identity_t identity = { .roles = stele_role_bits (STELE_ROLE_ADMIN) };
    for (stele_role_t role = 0; role < STELE_ROLE_COUNT; role++)
        assert_int_equal (stele_identity_may (&identity, role), role != STELE_ROLE_GATEWAY);
    identity.roles = stele_role_bits (STELE_ROLE_OPERATE);
    assert_true (stele_identity_may (&identity, STELE_ROLE_METRICS));
    assert_false (stele_identity_may (&identity, STELE_ROLE_PUBLISH));
    identity.not_after_us = 1;
    assert_false (stele_identity_may (&identity, STELE_ROLE_ANY));
}

//  -- the keyring -------------------------------------------------------------------

//  czmq writes what the keyring reads
static void
test_access_reads_certificates_of_czmq (void **state)
{
    s_world_t *self = *state;
    char folder [160];
    stele_refusal_t refusal;
    snprintf (folder, sizeof folder, "%s/keys", self->folder);
    stele_keyring_t *keyring = stele_keyring_load (folder, &refusal);
    assert_non_null (keyring);
    assert_int_equal (stele_keyring_size (keyring), 1);
    const stele_identity_t *alice = stele_keyring_find (keyring, zcert_public_txt (self->client));
    assert_string_equal (alice->name, "alice");
    assert_true (stele_identity_may (alice, STELE_ROLE_PUBLISH));
    assert_false (stele_identity_may (alice, STELE_ROLE_FEED));
    assert_null (stele_keyring_find (keyring, zcert_public_txt (self->server)));
    stele_keyring_destroy (&keyring);
}

//  -- the ZAP actor -----------------------------------------------------------------

static void
s_expect (zactor_t *actor, const char *status, const char *text)
{
    char *got = NULL, *detail = NULL;
    assert_true (zstr_recvx (actor, &got, &detail, NULL) >= 1);
    assert_string_equal (got, status);
    if (text)
        assert_non_null (strstr (detail, text));
    zstr_free (&got);
    zstr_free (&detail);
}

//  A broker with keys that has been sent START
static zactor_t *
s_broker (s_world_t *self, int number)
{
    char text [160];
    zactor_t *broker = zactor_new (stele_broker, NULL);
    zstr_sendx (broker, "SET", "log-level", "error", NULL);
    zstr_sendx (broker, "SET", "redis", "none", NULL);
    zstr_sendx (broker, "SET", "events", "tcp://127.0.0.1:*", NULL);
    zstr_sendx (broker, "SET", "requests", "tcp://127.0.0.1:*", NULL);
    zstr_sendx (broker, "SET", "feed", "tcp://127.0.0.1:*", NULL);
    snprintf (text, sizeof text, "%s/%d.db", self->folder, number);
    zstr_sendx (broker, "SET", "ledger", text, NULL);
    snprintf (text, sizeof text, "%s/keys", self->folder);
    zstr_sendx (broker, "SET", "keys", text, NULL);
    zstr_sendx (broker, "START", NULL);
    return broker;
}

static void
test_access_a_process_has_one_zap_handler (void **state)
{
    s_world_t *self = *state;
    zsock_t *own = zsock_new (ZMQ_REP);
    assert_int_equal (zsock_bind (own, "inproc://zeromq.zap.01"), 0);
    zactor_t *broker = s_broker (self, 1);
    s_expect (broker, "FAILED", "ZAP handler already");
    zactor_destroy (&broker);
    zsock_unbind (own, "inproc://zeromq.zap.01");
    zsock_destroy (&own);
    broker = s_broker (self, 1);
    s_expect (broker, "READY", NULL);
    zactor_t *second = s_broker (self, 2);
    s_expect (second, "FAILED", "ZAP handler already");
    zactor_destroy (&second);
    zactor_destroy (&broker);
    broker = s_broker (self, 1);
    s_expect (broker, "READY", NULL);
    zactor_destroy (&broker);
}

//  What is connected stays connected, but is nobody once the actor has ended
static void
test_access_nobody_is_known_without_the_actor (void **state)
{
    s_world_t *self = *state;
    char folder [160];
    stele_refusal_t refusal;
    snprintf (folder, sizeof folder, "%s/keys", self->folder);
    stele_access_t *access = stele_access_new (folder, &refusal);
    assert_non_null (access);
    zactor_t *zap = zactor_new (stele_zap, access);
    s_expect (zap, "READY", NULL);
    zsock_t *server = zsock_new (ZMQ_PULL), *client = zsock_new (ZMQ_PUSH);
    assert_ptr_equal (stele_access_guard (access, server, "tcp://127.0.0.1:*", STELE_ACCESS_MESSAGES), access);
    assert_null (stele_access_guard (access, client, "ipc:///tmp/x", STELE_ACCESS_MESSAGES));
    assert_true (zsock_bind (server, "tcp://127.0.0.1:*") > 0);
    zcert_apply (self->client, client);
    zsock_set_curve_serverkey (client, zcert_public_txt (self->server));
    char *endpoint = zsock_last_endpoint (server);
    assert_int_equal (zsock_connect (client, "%s", endpoint), 0);
    for (int pass = 0; pass < 2; pass++) {
        zstr_send (client, "hello");
        zframe_t *frame = zframe_recv (server);
        const stele_identity_t *sender = stele_access_sender (access, zframe_meta (frame, "User-Id"));
        assert_int_equal (stele_identity_may (sender, STELE_ROLE_PUBLISH), pass == 0);
        assert_int_equal (stele_access_check (access, sender, STELE_ROLE_ANY, "ping", &refusal),
            pass == 0? 0: STELE_EUNAUTHORIZED);
        zframe_destroy (&frame);
        zactor_destroy (&zap);
    }
    zstr_free (&endpoint);
    zsock_destroy (&client);
    zsock_destroy (&server);
    stele_access_destroy (&access);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_access_patterns_of_producers),
        cmocka_unit_test (test_access_roles_include_others),
        cmocka_unit_test_setup_teardown (test_access_reads_certificates_of_czmq, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (test_access_a_process_has_one_zap_handler, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (test_access_nobody_is_known_without_the_actor, s_set_up, s_tear_down)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
