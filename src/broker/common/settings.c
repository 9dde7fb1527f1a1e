/*  settings - what a broker can be told, in one table

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <czmq.h>
#include "broker/common/settings.h"

typedef enum { TEXT, FLAG, COUNT } s_type_t;

static const struct {
    const char *name;
    size_t offset;
    s_type_t type;
    const char *initial;
} s_settings [] = {
#define SETTING_ROW(name, member, type, initial, help) \
    { name, offsetof (stele_settings_t, member), type, initial },
    STELE_SETTINGS (SETTING_ROW)
#undef SETTING_ROW
};

//  A hello has to fit into it, and it into memory some times
#define MESSAGE_BYTES_MIN 256
#define MESSAGE_BYTES_MAX (1 << 30)

#define SETTING_COUNT (sizeof s_settings / sizeof s_settings [0])

stele_settings_t *
stele_settings_new (void)
{
    stele_settings_t *self = calloc (1, sizeof *self);
    assert (self);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        int rc = stele_settings_set (self, s_settings [i].name, s_settings [i].initial, NULL);
        assert (rc == 0);
    }
    zuuid_t *uuid = zuuid_new ();
    assert (uuid);
    snprintf (self->instance, sizeof self->instance, "%s", zuuid_str (uuid));
    zuuid_destroy (&uuid);
    return self;
}

void
stele_settings_destroy (stele_settings_t **self_p)
{
    assert (self_p);
    stele_settings_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (s_settings [i].type == TEXT)
            free (*(char **) ((char *) self + s_settings [i].offset));
    free (self);
    *self_p = NULL;
}

static int
s_parse_flag (const char *value)
{
    static const char *const yes [] = { "yes", "true", "on", "1" };
    static const char *const no [] = { "no", "false", "off", "0" };
    for (size_t i = 0; i < sizeof yes / sizeof yes [0]; i++) {
        if (strcasecmp (value, yes [i]) == 0)
            return 1;
        if (strcasecmp (value, no [i]) == 0)
            return 0;
    }
    return -1;
}

static int
s_check_word (const char *name, const char *value, stele_refusal_t *refusal)
{
    static const struct { const char *name; const char *words [4]; } closed [] = {
        { "mode", { "dual", "sqlite", "redis", NULL } },
        { "interrupted", { "owner", "all", "none", NULL } },
        { "integrity", { "quick", "full", "none", NULL } }
    };
    for (size_t i = 0; i < sizeof closed / sizeof closed [0]; i++) {
        if (strcmp (name, closed [i].name) != 0)
            continue;
        for (int word = 0; closed [i].words [word]; word++)
            if (strcmp (value, closed [i].words [word]) == 0)
                return 0;
        return stele_refuse (refusal, STELE_EINVALID_FIELD, name,
            "%s takes %s, %s or %s, not '%s'", name, closed [i].words [0],
            closed [i].words [1], closed [i].words [2], value);
    }
    return 0;
}

int
stele_settings_set (stele_settings_t *self, const char *name, const char *value,
    stele_refusal_t *refusal)
{
    size_t i = 0;
    while (i < SETTING_COUNT && strcmp (s_settings [i].name, name) != 0)
        i++;
    if (i == SETTING_COUNT)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, name,
            "there is no setting '%s': see steled.conf(5)", name);

    void *member = (char *) self + s_settings [i].offset;
    value = value? value: "";
    if (!*value && *s_settings [i].initial)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, name, "%s may not be empty", name);
    if (s_settings [i].type == TEXT) {
        if (s_check_word (name, value, refusal))
            return STELE_EINVALID_FIELD;
        free (*(char **) member);
        *(char **) member = strdup (value);
        assert (*(char **) member);
        return 0;
    }
    if (s_settings [i].type == FLAG) {
        int flag = s_parse_flag (value);
        if (flag < 0)
            return stele_refuse (refusal, STELE_EINVALID_FIELD, name,
                "%s takes yes or no, not '%s'", name, value);
        *(bool *) member = flag;
        return 0;
    }
    char *end;
    errno = 0;
    long long count = strtoll (value, &end, 10);
    if (errno || end == value || *end || count < 1)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, name,
            "%s takes a number from 1, not '%s'", name, value);
    if (strcmp (name, "message-bytes") == 0 && (count < MESSAGE_BYTES_MIN || count > MESSAGE_BYTES_MAX))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, name,
            "%s takes a number from %d to %d, not '%s'", name, MESSAGE_BYTES_MIN, MESSAGE_BYTES_MAX, value);
    *(int64_t *) member = count;
    return 0;
}

//  More than any configuration needs
#define CONFIG_BYTES_MAX (1024 * 1024)

int
stele_settings_load (stele_settings_t *self, const char *path, stele_refusal_t *refusal)
{
    if (access (path, R_OK) != 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "config",
            "cannot read the configuration '%s': %s", path, strerror (errno));
    //  Not zconfig_load, which in czmq 4.2 leaks when the text is not ZPL
    zchunk_t *text = zchunk_slurp (path, CONFIG_BYTES_MAX);
    zconfig_t *root = text? zconfig_chunk_load (text): NULL;
    zchunk_destroy (&text);
    if (!root)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "config",
            "the configuration '%s' is not a file of ZPL: a line is name = value, see steled.conf(5)",
            path);
    int rc = 0;
    for (zconfig_t *item = zconfig_child (root); item && rc == 0; item = zconfig_next (item)) {
        stele_refusal_t reason;
        if (strcmp (zconfig_name (item), "accept-loss") == 0)
            rc = stele_refuse (&reason, STELE_EINVALID_FIELD, "accept-loss",
                "accept-loss is for one start, a file would accept every loss: say --accept-loss");
        else
            rc = stele_settings_set (self, zconfig_name (item), zconfig_value (item), &reason);
        if (rc)
            stele_refuse (refusal, rc, reason.field, "%s: %s", path, reason.message);
    }
    zconfig_destroy (&root);
    return rc;
}

const char *
stele_settings_inproc (const stele_settings_t *self, const char *name, char *buffer)
{
    snprintf (buffer, 80, "inproc://stele-%s-%s", self->instance, name);
    return buffer;
}
