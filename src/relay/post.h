/*  post - one request to a target: headers, signature, the answer

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_POST_H_INCLUDED
#define STELE_RELAY_POST_H_INCLUDED

#include "relay/secret.h"
#include "relay/settings.h"

typedef struct relay_post relay_post_t;

/*  What is needed to post to a target; shared by its requests              */
typedef struct {
    const relay_target_settings_t *settings;    // Borrowed
    relay_secrets_t secrets;                    // Of a webhook
    struct curl_slist *headers;
    CURLM *multi;
} relay_poster_t;

/*  Read the files of the target. Returns 0, or a code with a refusal. Cleared by the caller in any case, after all posts. */
int
    relay_poster_open (relay_poster_t *self, const relay_target_settings_t *settings, stele_refusal_t *refusal);
void
    relay_poster_clear (relay_poster_t *self);

typedef enum {
    RELAY_DELIVERED,                // 2xx
    RELAY_FAILED,                   // Try it again later
    RELAY_HOLD,                     // The target is away or busy: no event can be delivered
    RELAY_REFUSED,                  // Never try it again
    RELAY_GONE                      // 410: post nothing more
} relay_outcome_t;

typedef struct {
    void *arg;                      // Of relay_post_start
    relay_outcome_t outcome;
    int64_t retry_after_ms;         // As the target requests; 0: it does not
    char reason [256];              // "": delivered
} relay_result_t;

/*  Start to post a body, which is borrowed until the end. 'id' is the id of the webhook, at most 200 bytes. Caller owns return
    value until relay_post_next has returned its result.                     */
relay_post_t *
    relay_post_start (relay_poster_t *poster, const char *id, const char *body, size_t size, void *arg);

/*  The result of a post that has ended, which it destroys. False: none.     */
bool
    relay_post_next (relay_poster_t *poster, relay_result_t *result);

/*  Abort and destroy.                                                       */
void
    relay_post_abort (relay_poster_t *poster, relay_post_t **self_p);

#endif
