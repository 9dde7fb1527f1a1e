/*  tls - HTTPS: the certificate, the rules of TLS, and connections that use them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include "base/clock.h"
#include "base/memory.h"
#include "broker/common/log.h"
#include "cli/files/certificate.h"
#include "cli/view/findings.h"
#include "http/tls.h"
#include "wire/time.h"

//  Of TLS 1.2; those of 1.3 are all good
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
#define DAY_MS 86400000LL
#define TIME_TEXT 32

struct http_tls {
    char *certificate_path, *key_path;
    SSL_CTX *context;
    X509 *leaf;
    int64_t not_after_us;
    int64_t warned_ms;              // Steady clock; 0: not yet
};

//  The one protocol that is spoken. A client that offers others only is refused (RFC 7301).
static int
s_on_alpn (SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in, unsigned in_size, void *arg)
{
    static const unsigned char ours [] = "\x08http/1.1";
    (void) ssl;
    (void) arg;
    return SSL_select_next_proto ((unsigned char **) out, out_size, ours, sizeof ours - 1, in, in_size)
        == OPENSSL_NPN_NEGOTIATED? SSL_TLSEXT_ERR_OK: SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *
s_new_context (const cli_certificate_t *certificate, const char *path, stele_refusal_t *refusal)
{
    SSL_CTX *context = SSL_CTX_new (TLS_server_method ());
    assert (context);
    SSL_CTX_set_security_level (context, 2);
    SSL_CTX_set_min_proto_version (context, TLS1_2_VERSION);
    SSL_CTX_set_options (context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET
        | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_cache_mode (context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets (context, 0);
    //  A buffer of libevent may have moved when a write is tried again; an idle connection keeps no buffers
    SSL_CTX_set_mode (context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb (context, s_on_alpn, NULL);
    if (SSL_CTX_set_cipher_list (context, CIPHERS) == 1
    &&  SSL_CTX_use_cert_and_key (context, certificate->leaf, certificate->key, certificate->chain, 1) == 1)
        return context;
    const char *reason = ERR_reason_error_string (ERR_peek_last_error ());
    stele_refuse (refusal, STELE_EINVALID_FIELD, NULL, "the certificate '%.200s' cannot be used: %s", path, reason? reason: "?");
    ERR_clear_error ();
    SSL_CTX_free (context);
    return NULL;
}

static void
s_clear (http_tls_t *self)
{
    SSL_CTX_free (self->context);
    X509_free (self->leaf);
}

static int
s_load (http_tls_t *self, stele_refusal_t *refusal)
{
    cli_certificate_t certificate;
    int code = cli_certificate_load (&certificate, self->certificate_path, self->key_path, refusal);
    if (code)
        return code;
    SSL_CTX *context = s_new_context (&certificate, self->certificate_path, refusal);
    if (context) {
        s_clear (self);             // Connections keep the one that they have
        self->context = context;
        self->leaf = certificate.leaf;
        certificate.leaf = NULL;
        self->not_after_us = certificate.not_after_us;
        self->warned_ms = 0;
    }
    cli_certificate_clear (&certificate);
    return context? 0: refusal->code;
}

http_tls_t *
http_tls_new (const char *certificate, const char *key, stele_refusal_t *refusal)
{
    http_tls_t *self = STELE_NEW (http_tls_t);
    self->certificate_path = stele_memory_copy (certificate, strlen (certificate));
    self->key_path = stele_memory_copy (key, strlen (key));
    if (s_load (self, refusal) != 0)
        http_tls_destroy (&self);
    return self;
}

void
http_tls_destroy (http_tls_t **self_p)
{
    http_tls_t *self = *self_p;
    if (!self)
        return;
    s_clear (self);
    free (self->certificate_path);
    free (self->key_path);
    free (self);
    *self_p = NULL;
}

void
http_tls_reload (http_tls_t *self)
{
    stele_refusal_t refusal;
    char end [TIME_TEXT];
    if (s_load (self, &refusal) != 0) {
        stele_time_print (self->not_after_us, end, sizeof end);
        stele_log_error ("certificate_refused", "certificate: the earlier one stays, which ends at %s: %s", end, refusal.message);
        return;
    }
    stele_time_print (self->not_after_us, end, sizeof end);
    stele_log_info ("certificate", "certificate: read again, ends at %s", end);
}

//  -- its end -------------------------------------------------------------------------------------

int64_t
http_tls_not_after_us (const http_tls_t *self)
{
    return self->not_after_us;
}

static bool
s_ends_soon (const http_tls_t *self, int64_t now_us, char end [TIME_TEXT])
{
    stele_time_print (self->not_after_us, end, TIME_TEXT);
    return self->not_after_us - now_us < HTTP_TLS_WARN_DAYS * DAY_MS * 1000;
}

void
http_tls_tick (http_tls_t *self)
{
    char end [TIME_TEXT];
    int64_t now_us = stele_clock_us (), now_ms = stele_clock_steady_ms ();
    if ((self->warned_ms && now_ms < self->warned_ms + DAY_MS) || !s_ends_soon (self, now_us, end))
        return;
    self->warned_ms = now_ms;
    stele_log_warning ("certificate_expires", "the certificate %s %s: %s: renew it, then send SIGHUP", self->certificate_path,
        now_us < self->not_after_us? "ends at": "has expired at", end);
}

void
http_tls_find (const http_tls_t *self, json_t *findings)
{
    char end [TIME_TEXT];
    int64_t now_us = stele_clock_us ();
    if (s_ends_soon (self, now_us, end))
        cli_finding_add (findings, "certificate_expires", CLI_LEVEL_DEGRADED, now_us, -1, "renew it, then send SIGHUP to steled or "
            "stele-http", "the certificate of stele-http %s %s", now_us < self->not_after_us? "ends at": "has expired at", end);
}

//  -- names ---------------------------------------------------------------------------------------

bool
http_tls_names (const http_tls_t *self, http_span_t host)
{
    char name [256];
    http_span_t part = host;
    const char *end = part.size && *part.data == '['? memchr (part.data, ']', part.size): NULL;
    const char *colon = end? NULL: memchr (part.data, ':', part.size);
    if (end)
        part = (http_span_t) { part.data + 1, (size_t) (end - part.data - 1) };
    if (colon)
        part.size = (size_t) (colon - part.data);
    if (part.size == 0 || part.size >= sizeof name)
        return false;
    memcpy (name, part.data, part.size);
    name [part.size] = 0;
    bool named = X509_check_ip_asc (self->leaf, name, 0) == 1
        || (!end && X509_check_host (self->leaf, name, part.size, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1);
    ERR_clear_error ();
    return named;
}

//  -- connections ---------------------------------------------------------------------------------

struct bufferevent *
http_tls_accept (http_tls_t *self, struct event_base *base, evutil_socket_t socket)
{
    SSL *ssl = SSL_new (self->context);
    return ssl? bufferevent_openssl_socket_new (base, socket, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE): NULL;
}

void
http_tls_end (struct bufferevent *stream)
{
    SSL *ssl = bufferevent_openssl_get_ssl (stream);
    if (ssl && SSL_is_init_finished (ssl))
        SSL_shutdown (ssl);
    //  What is left in the queue would count as an error of another connection
    ERR_clear_error ();
}

void
http_tls_explain (struct bufferevent *stream)
{
    static const char plain [] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 38\r\n"
        "Connection: close\r\n\r\nthis port speaks HTTPS: use https://\r\n";
    if (bufferevent_openssl_get_ssl (stream)
    &&  ERR_GET_REASON (bufferevent_get_openssl_error (stream)) == SSL_R_HTTP_REQUEST) {
        char rest [16384];
        ssize_t sent = send (bufferevent_getfd (stream), plain, sizeof plain - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void) sent;
        //  A close with bytes that were not read would reset the connection, and lose the answer
        while (recv (bufferevent_getfd (stream), rest, sizeof rest, MSG_DONTWAIT) == sizeof rest);
    }
}
