/*  settings - what can be set of a broker, in one table

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
#include "base/memory.h"
#include "broker/common/presence.h"
#include "broker/common/settings.h"

typedef enum { TEXT, OPTIONAL, WORD, FLAG, COUNT } s_type_t;
typedef enum { FILE_, OPTION_ } s_where_t;

typedef struct {
    const char *name;
    size_t offset;
    s_type_t type;
    const char *initial;
    const char *argument;           // The words of a WORD, separated by |
    s_where_t where;
} s_setting_t;

static const s_setting_t s_settings [] = {
#define SETTING_ROW(name, member, type, initial, argument, where, help) \
    { name, offsetof (stele_settings_t, member), type, initial, argument, where##_ },
    STELE_SETTINGS (SETTING_ROW)
#undef SETTING_ROW
};

//  Large enough for a hello; small enough for several copies in memory
#define MESSAGE_BYTES_MIN 256
#define MESSAGE_BYTES_MAX (1 << 30)

#define SETTING_COUNT (sizeof s_settings / sizeof s_settings [0])

stele_settings_t *
stele_settings_new (void)
{
    stele_settings_t *self = STELE_NEW (stele_settings_t);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        int rc = stele_settings_set (self, s_settings [i].name, s_settings [i].initial, NULL);
        assert (rc == 0);
    }
    zuuid_t *uuid = zuuid_new ();
    assert (uuid);
    snprintf (self->instance, sizeof self->instance, "%s", zuuid_str (uuid));
    zuuid_destroy (&uuid);
    self->presence = stele_presence_new ();
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
        if (s_settings [i].type < FLAG)
            free (*(char **) ((char *) self + s_settings [i].offset));
    stele_presence_destroy (&self->presence);
    free (self);
    *self_p = NULL;
}

static int
s_set_text (const s_setting_t *setting, char **member, const char *value, stele_refusal_t *refusal)
{
    const char *words = setting->type == WORD? setting->argument: NULL;
    size_t size = strlen (value);
    while (words) {
        if (strcspn (words, "|") == size && strncmp (words, value, size) == 0)
            break;
        words += strcspn (words, "|");
        if (!*words++)
            return stele_refuse (refusal, STELE_EINVALID_FIELD, setting->name,
                "%s takes %s, not '%s'", setting->name, setting->argument, value);
    }
    free (*member);
    *member = stele_memory_copy (value, size);
    return 0;
}

static int
s_set_flag (const s_setting_t *setting, bool *member, const char *value, stele_refusal_t *refusal)
{
    static const char *const words [] = { "no", "yes", "false", "true", "off", "on", "0", "1" };
    for (size_t i = 0; i < sizeof words / sizeof words [0]; i++)
        if (strcasecmp (value, words [i]) == 0) {
            *member = i % 2 == 1;
            return 0;
        }
    return stele_refuse (refusal, STELE_EINVALID_FIELD, setting->name,
        "%s takes yes or no, not '%s'", setting->name, value);
}

static int
s_set_count (const s_setting_t *setting, int64_t *member, const char *value, stele_refusal_t *refusal)
{
    char *end;
    errno = 0;
    long long count = strtoll (value, &end, 10);
    if (errno || end == value || *end || count < 1)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, setting->name,
            "%s takes a number from 1, not '%s'", setting->name, value);
    if (strcmp (setting->name, "message-bytes") == 0 && (count < MESSAGE_BYTES_MIN || count > MESSAGE_BYTES_MAX))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, setting->name,
            "%s takes a number from %d to %d, not '%s'", setting->name, MESSAGE_BYTES_MIN, MESSAGE_BYTES_MAX, value);
    *member = count;
    return 0;
}

static const s_setting_t *
s_find (const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strcmp (s_settings [i].name, name) == 0)
            return &s_settings [i];
    return NULL;
}

int
stele_settings_set (stele_settings_t *self, const char *name, const char *value,
    stele_refusal_t *refusal)
{
    const s_setting_t *setting = s_find (name);
    if (!setting)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, name,
            "unknown setting '%s': see steled.conf(5)", name);
    void *member = (char *) self + setting->offset;
    value = value? value: "";
    if (!*value && setting->type != OPTIONAL)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, name, "%s must not be empty", name);
    switch (setting->type) {
        case FLAG:
            return s_set_flag (setting, member, value, refusal);
        case COUNT:
            return s_set_count (setting, member, value, refusal);
        default:
            return s_set_text (setting, member, value, refusal);
    }
}

//  More than any configuration needs
#define CONFIG_BYTES_MAX (1024 * 1024)

int
stele_settings_load (stele_settings_t *self, const char *path, stele_refusal_t *refusal)
{
    if (access (path, R_OK) != 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "config",
            "cannot read the configuration '%s': %s", path, strerror (errno));
    //  zconfig_load of czmq 4.2 leaks memory if the text is not ZPL
    zchunk_t *text = zchunk_slurp (path, CONFIG_BYTES_MAX);
    zconfig_t *root = text? zconfig_chunk_load (text): NULL;
    zchunk_destroy (&text);
    if (!root)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "config",
            "the configuration '%s' is not valid ZPL: write one name = value per line, see steled.conf(5)",
            path);
    int rc = 0;
    for (zconfig_t *item = zconfig_child (root); item && rc == 0; item = zconfig_next (item)) {
        stele_refusal_t reason;
        const char *name = zconfig_name (item);
        const s_setting_t *setting = s_find (name);
        //  In a file it would apply to every later start, and hide every later loss
        if (setting && setting->where == OPTION_)
            rc = stele_refuse (&reason, STELE_EINVALID_FIELD, name,
                "%s is for one start and not allowed in a file: use the option --%s", name, name);
        else
            rc = stele_settings_set (self, name, zconfig_value (item), &reason);
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
