/*  settings - read and check the configuration of stele-relay

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <czmq.h>
#include <curl/curl.h>
#include "base/memory.h"
#include "model/vocabulary.h"
#include "relay/settings.h"
#include "stele_library.h"

#define BYTES_MAX (1024 * 1024)     // Of the file

typedef enum { TEXT, LIST, COUNT } s_kind_t;

typedef struct {
    const char *name;
    size_t offset;
    s_kind_t kind;
    const char *initial;
    int64_t minimum, maximum;
} s_setting_t;

#define ROW(type, name, member, kind, initial, minimum, maximum) { name, offsetof (type, member), kind, initial, minimum, maximum },
#define RELAY_ROW(name, member, kind, initial, minimum, maximum, help) ROW (relay_settings_t, name, member, kind, initial, minimum, maximum)
#define TARGET_ROW(name, member, kind, initial, minimum, maximum, help) \
    ROW (relay_target_settings_t, name, member, kind, initial, minimum, maximum)

static const s_setting_t s_relay [] = { RELAY_SETTINGS (RELAY_ROW) { .name = NULL } };
static const s_setting_t s_target [] = { RELAY_TARGET_SETTINGS (TARGET_ROW) { .name = NULL } };

//  The words of a list: separated by commas, without the spaces around them
static void
s_set_list (cli_list_t *list, const char *value)
{
    while (*value) {
        value += strspn (value, ", \t");
        size_t size = strcspn (value, ",");
        while (size > 0 && strchr (" \t", value [size - 1]))
            size--;
        if (size > 0)
            cli_list_append (list, value, size);
        value += strcspn (value, ",");
    }
}

static int
s_set (const s_setting_t *setting, void *object, const char *value, stele_refusal_t *refusal)
{
    void *member = (char *) object + setting->offset;
    char *end = NULL;
    long long count;
    switch (setting->kind) {
        case TEXT:
            free (*(char **) member);
            *(char **) member = stele_memory_copy (value, strlen (value));
            return 0;
        case LIST:
            s_set_list (member, value);
            return 0;
        case COUNT:
            errno = 0;
            count = strtoll (value, &end, 10);
            if (errno || end == value || *end || count < setting->minimum || count > setting->maximum)
                return stele_refuse (refusal, STELE_EINVALID_FIELD, setting->name, "%s takes an integer from %" PRId64 " to %" PRId64
                    ", not '%.100s'", setting->name, setting->minimum, setting->maximum, value);
            *(int64_t *) member = count;
            return 0;
    }
    return 0;
}

static void
s_set_initial (const s_setting_t *settings, void *object)
{
    for (; settings->name; settings++)
        s_set (settings, object, settings->initial, NULL);
}

static void
s_clear (const s_setting_t *settings, void *object)
{
    for (; settings->name; settings++) {
        void *member = (char *) object + settings->offset;
        if (settings->kind == TEXT)
            free (*(char **) member);
        if (settings->kind == LIST)
            cli_list_clear (member);
    }
}

static int
s_set_item (const s_setting_t *settings, void *object, zconfig_t *item, stele_refusal_t *refusal)
{
    const char *name = zconfig_name (item), *value = zconfig_value (item);
    for (zconfig_t *other = zconfig_next (item); other; other = zconfig_next (other))
        if (streq (zconfig_name (other), name))
            return stele_refuse (refusal, STELE_EINVALID_FIELD, name, "%s is set twice", name);
    for (; settings->name; settings++)
        if (streq (settings->name, name)) {
            if (zconfig_child (item))
                return stele_refuse (refusal, STELE_EINVALID_FIELD, name, "the line after '%s' is indented too far", name);
            return s_set (settings, object, value? value: "", refusal);
        }
    return stele_refuse (refusal, STELE_EINVALID_FIELD, name, "unknown setting '%.100s'; see stele-relay(8)", name);
}

//  -- a target --------------------------------------------------------------------------------

static bool
s_is_word (const char *word, const char *first, const char *second)
{
    return streq (word, first) || streq (word, second);
}

//  NULL, or what is wrong with the URL
static const char *
s_check_url (const char *text)
{
    CURLU *url = curl_url ();
    char *scheme = NULL, *user = NULL;
    const char *why = NULL;
    if (!*text || curl_url_set (url, CURLUPART_URL, text, 0) != CURLUE_OK)
        why = "set url to where the events are posted, for example https://example.org/stele";
    else
    if (curl_url_get (url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK || !s_is_word (scheme, "https", "http"))
        why = "url takes https or http";
    else
    if (curl_url_get (url, CURLUPART_USER, &user, 0) == CURLUE_OK)
        why = "url must not have a user or a password, which logs would show: write an Authorization header into a file, and set "
            "headers to it";
    curl_free (scheme);
    curl_free (user);
    curl_url_cleanup (url);
    return why;
}

//  The words of the lists that are closed sets
static int
s_check_filters (const relay_target_settings_t *self, stele_refusal_t *refusal)
{
    for (size_t i = 0; i < self->types.count; i++) {
        const char *word = self->types.items [i];
        size_t size = strlen (word);
        bool known = false;
        for (int code = 1; code < STELE_EVENT_TYPE_END; code++) {
            const char *type = stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, code);
            known |= type && (streq (type, word) || (word [size - 1] == '*' && strncmp (type, word, size - 1) == 0));
        }
        if (!known)
            return stele_refuse (refusal, STELE_EINVALID_FIELD, "types", "types: '%.100s' is not a type of event; use "
                "task.state_changed, task.*, session.* and so on (doc/PROTOCOL.md section 3)", word);
    }
    for (size_t i = 0; i < self->states.count; i++) {
        const char *word = self->states.items [i];
        if (stele_vocabulary_code (STELE_VOCABULARY_TASK_STATE, word, strlen (word)) == 0
        &&  stele_vocabulary_code (STELE_VOCABULARY_SESSION_STATE, word, strlen (word)) == 0)
            return stele_refuse (refusal, STELE_EINVALID_FIELD, "states", "states: '%.100s' is not a state of tasks or sessions", word);
    }
    return 0;
}

static int
s_check_target (relay_target_settings_t *self, stele_refusal_t *refusal)
{
    const char *why = s_check_url (self->url);
    self->otlp = streq (self->kind, "otlp");
    if (!s_is_word (self->kind, "webhook", "otlp"))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "kind", "kind takes webhook or otlp, not '%.100s'", self->kind);
    if (why)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "url", "%s", why);
    if (!s_is_word (self->from, "now", "beginning"))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "from", "from takes now or beginning, not '%.100s'", self->from);
    if (!self->otlp && !*self->secret)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "secret", "a webhook is signed: set secret to a file, which "
            "'umask 077; stele-relay secret > FILE' makes");
    if (self->otlp && (*self->secret || self->types.count || self->states.count))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "kind", "traces have no secret, types and states: remove them, or set kind "
            "to webhook");
    if (self->retry_min_ms > self->retry_max_ms)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "retry-min-ms", "retry-min-ms is greater than retry-max-ms");
    return s_check_filters (self, refusal);
}

static int
s_add_target (relay_settings_t *self, zconfig_t *item, stele_refusal_t *refusal)
{
    static const char characters [] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    const char *name = zconfig_name (item);
    if (strlen (name) > RELAY_TARGET_NAME || name [strspn (name, characters)])
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "target", "'%.100s' is not a name of a target: use at most %d letters, "
            "digits, '-', '_' and '.'", name, RELAY_TARGET_NAME);
    if (relay_settings_find (self, name))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "target", "there are two targets '%s'", name);
    if (self->count == RELAY_TARGETS_MAX)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "target", "more than %d targets: run a second stele-relay with a state of "
            "its own", RELAY_TARGETS_MAX);
    self->targets = stele_array_must_grow (self->targets, &self->room, self->count + 1, sizeof *self->targets);
    relay_target_settings_t *target = &self->targets [self->count++];
    memset (target, 0, sizeof *target);
    strcpy (target->name, name);
    s_set_initial (s_target, target);
    stele_refusal_t reason = { 0 };
    for (zconfig_t *setting = zconfig_child (item); setting && reason.code == 0; setting = zconfig_next (setting))
        s_set_item (s_target, target, setting, &reason);
    if (reason.code == 0)
        s_check_target (target, &reason);
    return reason.code? stele_refuse (refusal, reason.code, reason.field, "target %s: %s", name, reason.message): 0;
}

//  -- the file ----------------------------------------------------------------------------------

static int
s_read (relay_settings_t *self, zconfig_t *root, stele_refusal_t *refusal)
{
    int rc = 0;
    for (zconfig_t *item = zconfig_child (root); item && rc == 0; item = zconfig_next (item)) {
        if (!streq (zconfig_name (item), "target"))
            rc = s_set_item (s_relay, self, item, refusal);
        else
            for (zconfig_t *target = zconfig_child (item); target && rc == 0; target = zconfig_next (target))
                rc = s_add_target (self, target, refusal);
    }
    if (rc != 0)
        return rc;
    if (!s_is_word (self->log, "text", "json"))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "log", "log takes text or json, not '%.100s'", self->log);
    if (!s_is_word (self->log_level, "error", "warning") && !s_is_word (self->log_level, "info", "debug"))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "log-level", "log-level takes error, warning, info or debug, not '%.100s'",
            self->log_level);
    if (!*self->state)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "state", "state must not be empty");
    return self->count > 0? 0: stele_refuse (refusal, STELE_EINVALID_FIELD, "target", "there is no target; see stele-relay(8)");
}

//  Given value, variable of the environment, or default
static void
s_default (char **member, const char *variable, const char *otherwise)
{
    const char *set = getenv (variable);
    if (**member)
        return;
    free (*member);
    set = set && *set? set: otherwise;
    *member = stele_memory_copy (set, strlen (set));
}

int
relay_settings_load (relay_settings_t *self, const char *path, stele_refusal_t *refusal)
{
    s_set_initial (s_relay, self);
    if (access (path, R_OK) != 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "config", "cannot read the configuration '%.200s': %s", path,
            strerror (errno));
    //  zconfig_load of czmq 4.2 leaks memory if the text is not ZPL
    zchunk_t *chunk = zchunk_slurp (path, BYTES_MAX);
    zconfig_t *root = chunk? zconfig_chunk_load (chunk): NULL;
    stele_refusal_t reason;
    zchunk_destroy (&chunk);
    int rc = root? s_read (self, root, &reason): stele_refuse (&reason, STELE_EINVALID_FIELD, "config",
        "it is not valid ZPL: write one name = value per line, see stele-relay(8)");
    zconfig_destroy (&root);
    if (rc != 0)
        return stele_refuse (refusal, rc, reason.field, "%.200s: %s", path, reason.message);
    s_default (&self->requests, "STELE_REQUESTS", STELE_DEFAULT_REQUESTS);
    s_default (&self->feed, "STELE_FEED", STELE_DEFAULT_FEED);
    return 0;
}

void
relay_settings_clear (relay_settings_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        s_clear (s_target, &self->targets [i]);
    free (self->targets);
    s_clear (s_relay, self);
    memset (self, 0, sizeof *self);
}

const relay_target_settings_t *
relay_settings_find (const relay_settings_t *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp (self->targets [i].name, name) == 0)
            return &self->targets [i];
    return NULL;
}
