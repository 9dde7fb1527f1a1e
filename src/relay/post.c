/*  post - one request to a target: headers, signature, the answer

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "base/clock.h"
#include "base/memory.h"
#include "relay/post.h"
#include "stele_library.h"

#define ANSWER_MAX 4096             // Bytes of an answer that are kept
#define CONNECT_MS 10000
#define RETRY_AFTER_MAX_S 86400

struct relay_post {
    CURL *easy;
    struct curl_slist *headers;
    const relay_target_settings_t *settings;
    void *arg;
    char error [CURL_ERROR_SIZE];
    char answer [ANSWER_MAX + 1];
    size_t size;                    // Of the answer, as far as it is kept
};

int
relay_poster_open (relay_poster_t *self, const relay_target_settings_t *settings, stele_refusal_t *refusal)
{
    self->settings = settings;
    self->multi = curl_multi_init ();
    curl_multi_setopt (self->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) settings->parallel);
    curl_multi_setopt (self->multi, CURLMOPT_MAXCONNECTS, (long) settings->parallel);
    int rc = *settings->secret? relay_secrets_load (&self->secrets, settings->secret, refusal): 0;
    return rc == 0 && *settings->headers? relay_headers_load (&self->headers, settings->headers, refusal): rc;
}

void
relay_poster_clear (relay_poster_t *self)
{
    relay_secrets_clear (&self->secrets);
    curl_slist_free_all (self->headers);
    curl_multi_cleanup (self->multi);
    memset (self, 0, sizeof *self);
}

//  Keep the beginning of the answer, and read the rest: the connection is used again
static size_t
s_receive (char *data, size_t one, size_t size, void *arg)
{
    (void) one;
    relay_post_t *self = arg;
    size_t room = ANSWER_MAX - self->size;
    memcpy (self->answer + self->size, data, size < room? size: room);
    self->size += size < room? size: room;
    return size;
}

static void
s_add_header (relay_post_t *self, const char *name, const char *value)
{
    char text [RELAY_SIGNATURE_SIZE + 64];
    snprintf (text, sizeof text, "%s: %s", name, value);
    self->headers = curl_slist_append (self->headers, text);
}

static void
s_set_headers (relay_post_t *self, const relay_poster_t *poster, const char *id, const char *body, size_t size)
{
    char timestamp [24], signature [RELAY_SIGNATURE_SIZE];
    int64_t now_s = stele_clock_us () / 1000000;
    for (const struct curl_slist *header = poster->headers; header; header = header->next)
        self->headers = curl_slist_append (self->headers, header->data);
    s_add_header (self, "Content-Type", "application/json");
    self->headers = curl_slist_append (self->headers, "Expect:");
    if (poster->secrets.count == 0)
        return;
    snprintf (timestamp, sizeof timestamp, "%" PRId64, now_s);
    relay_secrets_sign (&poster->secrets, id, now_s, body, size, signature);
    s_add_header (self, "webhook-id", id);
    s_add_header (self, "webhook-timestamp", timestamp);
    s_add_header (self, "webhook-signature", signature);
}

relay_post_t *
relay_post_start (relay_poster_t *poster, const char *id, const char *body, size_t size, void *arg)
{
    const relay_target_settings_t *settings = poster->settings;
    relay_post_t *self = STELE_NEW (relay_post_t);
    self->easy = curl_easy_init ();
    self->arg = arg;
    self->settings = settings;
    s_set_headers (self, poster, id, body, size);
    CURL *easy = self->easy;
    curl_easy_setopt (easy, CURLOPT_PRIVATE, self);
    curl_easy_setopt (easy, CURLOPT_URL, settings->url);
    curl_easy_setopt (easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt (easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
    //  Do not wait for a name server when the request is aborted
    curl_easy_setopt (easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt (easy, CURLOPT_USERAGENT, "stele-relay/" STELE_VERSION);
    curl_easy_setopt (easy, CURLOPT_HTTPHEADER, self->headers);
    curl_easy_setopt (easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) size);
    curl_easy_setopt (easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt (easy, CURLOPT_TIMEOUT_MS, (long) settings->timeout_ms);
    curl_easy_setopt (easy, CURLOPT_CONNECTTIMEOUT_MS, (long) (settings->timeout_ms < CONNECT_MS? settings->timeout_ms: CONNECT_MS));
    curl_easy_setopt (easy, CURLOPT_ERRORBUFFER, self->error);
    curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, s_receive);
    curl_easy_setopt (easy, CURLOPT_WRITEDATA, self);
    if (*settings->ca) {
        curl_easy_setopt (easy, CURLOPT_CAINFO, settings->ca);
        curl_easy_setopt (easy, CURLOPT_CAPATH, NULL);
    }
    curl_multi_add_handle (poster->multi, easy);
    return self;
}

void
relay_post_abort (relay_poster_t *poster, relay_post_t **self_p)
{
    relay_post_t *self = *self_p;
    if (!self)
        return;
    curl_multi_remove_handle (poster->multi, self->easy);
    curl_easy_cleanup (self->easy);
    curl_slist_free_all (self->headers);
    free (self);
    *self_p = NULL;
}

//  A collector takes a request, but may refuse its span: {"partialSuccess":{"rejectedSpans":"1","errorMessage":"..."}}
static bool
s_rejects_span (relay_post_t *self, relay_result_t *result)
{
    json_t *answer = json_loads (self->answer, 0, NULL);
    const json_t *partial = json_object_get (answer, "partialSuccess"), *count = json_object_get (partial, "rejectedSpans");
    const char *why = json_string_value (json_object_get (partial, "errorMessage")), *digits = json_string_value (count);
    bool rejects = json_integer_value (count) > 0 || (digits && atoll (digits) > 0);
    stele_refusal_t text;
    //  Cut, and then without what is no UTF-8
    if (rejects) {
        stele_refuse (&text, STELE_EINVALID_FIELD, NULL, "the collector rejected the span: %.200s", why? why: "no reason given");
        snprintf (result->reason, sizeof result->reason, "%.255s", text.message);
    }
    json_decref (answer);
    return rejects;
}

static relay_outcome_t
s_judge (relay_post_t *self, CURLcode code, relay_result_t *result)
{
    long status = 0;
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo (self->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo (self->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    if (code != CURLE_OK) {
        snprintf (result->reason, sizeof result->reason, "%.250s", *self->error? self->error: curl_easy_strerror (code));
        return RELAY_HOLD;
    }
    if (status >= 200 && status < 300)
        return self->settings->otlp && s_rejects_span (self, result)? RELAY_REFUSED: RELAY_DELIVERED;
    result->retry_after_ms = (int64_t) (retry_after_s < RETRY_AFTER_MAX_S? retry_after_s: RETRY_AFTER_MAX_S) * 1000;
    snprintf (result->reason, sizeof result->reason, "status %ld%s", status,
        status >= 300 && status < 400? ": redirects are not followed, set url to the final address": "");
    if (status == 410)
        return RELAY_GONE;
    if (status == 429 || (status >= 502 && status <= 504))
        return RELAY_HOLD;
    //  OTLP: a request that is wrong remains wrong. Other codes are of the settings or of what is on the way, and may change.
    return self->settings->otlp && (status == 400 || status == 413 || status == 422)? RELAY_REFUSED: RELAY_FAILED;
}

bool
relay_post_next (relay_poster_t *poster, relay_result_t *result)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read (poster->multi, &left)))
        if (message->msg == CURLMSG_DONE) {
            relay_post_t *self = NULL;
            curl_easy_getinfo (message->easy_handle, CURLINFO_PRIVATE, (char **) &self);
            *result = (relay_result_t) { .arg = self->arg };
            result->outcome = s_judge (self, message->data.result, result);
            relay_post_abort (poster, &self);
            return true;
        }
    return false;
}
