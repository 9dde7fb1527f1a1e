/*  settings - set a broker's settings by name, and from a file

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <czmq.h>
#include "base/memory.h"
#include "broker/common/denied.h"
#include "broker/common/presence.h"
#include "broker/common/settings.h"
#include "broker/common/standing.h"

typedef enum { TEXT, OPTIONAL, WORD, FLAG, COUNT } s_type_t;
typedef enum { FILE_, LIVE_, OPTION_ } s_where_t;

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
#ifndef STELE_WITH_REDACTION
    stele_settings_set (self, "redact", "off", NULL);
#endif
    zuuid_t *uuid = zuuid_new ();
    assert (uuid);
    snprintf (self->instance, sizeof self->instance, "%s", zuuid_str (uuid));
    zuuid_destroy (&uuid);
    self->standing = STELE_NEW (stele_standing_t);
    self->presence = stele_presence_new ();
    self->denied = stele_denied_new ();
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
    free (self->standing);
    stele_presence_destroy (&self->presence);
    stele_denied_destroy (&self->denied);
    free (self);
    *self_p = NULL;
}

//  The words of the argument, as "dual, sqlite or redis"
static int
s_refuse_word (const s_setting_t *setting, const char *value, stele_refusal_t *refusal)
{
    char takes [160] = "";
    size_t used = 0;
    const char *words = setting->argument;
    while (true) {
        int size = (int) strcspn (words, "|");
        const char *lead = words == setting->argument? "": words [size]? ", ": " or ";
        used += (size_t) snprintf (takes + used, sizeof takes - used, "%s%.*s", lead, size, words);
        assert (used < sizeof takes);
        if (!words [size])
            return stele_refuse (refusal, STELE_EINVALID_FIELD, setting->name,
                "%s takes %s, not '%s'", setting->name, takes, value);
        words += size + 1;
    }
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
            return s_refuse_word (setting, value, refusal);
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
    bool valid = !errno && end != value && !*end;
    if (strcmp (setting->name, "message-bytes") == 0) {
        if (!valid || count < MESSAGE_BYTES_MIN || count > MESSAGE_BYTES_MAX)
            return stele_refuse (refusal, STELE_EINVALID_FIELD, setting->name, "%s takes an integer from %d to %d, not '%s'",
                setting->name, MESSAGE_BYTES_MIN, MESSAGE_BYTES_MAX, value);
    }
    else
    if (!valid || count < 1)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, setting->name,
            "%s takes an integer of at least 1, not '%s'", setting->name, value);
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
            "unknown setting '%s'; see steled.conf(5)", name);
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

//  The number of the line that sets this name, as the parser of ZPL reads it. 'skip' counts the
//  earlier lines that set it too.
static int
s_line_of (const char *text, const char *name, int skip)
{
    size_t size = strlen (name);
    int number = 1;
    for (; *text; text += strcspn (text, "\n"), text += *text == '\n', number++) {
        const char *start = text + strspn (text, " \t");
        if (strncmp (start, name, size) == 0 && strchr (" \t\r\n=", start [size]) && skip-- == 0)
            break;
    }
    return number;
}

static int
s_set_item (stele_settings_t *self, zconfig_t *item, stele_refusal_t *refusal)
{
    const char *name = zconfig_name (item);
    const s_setting_t *setting = s_find (name);
    //  ZPL has sections, which steled does not use: what they contain would be ignored
    if (zconfig_child (item))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, name,
            "the line after '%s' is indented: start every setting at the start of its line", name);
    //  In a file it would apply to every later start, and hide every later loss
    if (setting && setting->where == OPTION_)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, name,
            "%s is for one start and not allowed in a file: use the option --%s", name, name);
    return stele_settings_set (self, name, zconfig_value (item), refusal);
}

static int
s_set_all (stele_settings_t *self, zconfig_t *root, const char *path, const char *text,
    stele_refusal_t *refusal)
{
    for (zconfig_t *item = zconfig_child (root); item; item = zconfig_next (item)) {
        stele_refusal_t reason;
        int rc = s_set_item (self, item, &reason);
        if (rc == 0)
            continue;
        int skip = 0;
        for (zconfig_t *other = zconfig_child (root); other != item; other = zconfig_next (other))
            skip += strcmp (zconfig_name (other), zconfig_name (item)) == 0;
        int line = s_line_of (text, zconfig_name (item), skip);
        return stele_refuse (refusal, rc, reason.field, "%.200s: line %d: %s", path, line, reason.message);
    }
    return 0;
}

int
stele_settings_load (stele_settings_t *self, const char *path, stele_refusal_t *refusal)
{
    if (access (path, R_OK) != 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "config",
            "cannot read the configuration '%s': %s", path, strerror (errno));
    //  zconfig_load of czmq 4.2 leaks memory if the text is not ZPL
    zchunk_t *chunk = zchunk_slurp (path, CONFIG_BYTES_MAX);
    char *text = chunk? stele_memory_copy (zchunk_data (chunk), zchunk_size (chunk)): NULL;
    zconfig_t *root = chunk? zconfig_chunk_load (chunk): NULL;
    zchunk_destroy (&chunk);
    int rc = root? s_set_all (self, root, path, text, refusal):
        stele_refuse (refusal, STELE_EINVALID_FIELD, "config",
            "the configuration '%s' is not valid ZPL: write one name = value per line, see steled.conf(5)",
            path);
    zconfig_destroy (&root);
    free (text);
    return rc;
}

static bool
s_differs (const s_setting_t *setting, const stele_settings_t *self, const stele_settings_t *other)
{
    const char *mine = (const char *) self + setting->offset;
    const char *others = (const char *) other + setting->offset;
    switch (setting->type) {
        case FLAG:
            return *(const bool *) mine != *(const bool *) others;
        case COUNT:
            return *(const int64_t *) mine != *(const int64_t *) others;
        default:
            return strcmp (*(char *const *) mine, *(char *const *) others) != 0;
    }
}

bool
stele_settings_reload (stele_settings_t *self, const stele_settings_t *fresh, char *others, size_t size)
{
    size_t used = 0;
    bool changed = false;
    *others = 0;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const s_setting_t *setting = &s_settings [i];
        if (!s_differs (setting, self, fresh))
            continue;
        if (setting->where == LIVE_) {
            //  All of them are texts
            const char *value = *(char *const *) ((const char *) fresh + setting->offset);
            int rc = stele_settings_set (self, setting->name, value, NULL);
            assert (rc == 0);
            changed = true;
        }
        else
        if (used < size)
            used += (size_t) snprintf (others + used, size - used, "%s%s", used? ", ": "", setting->name);
    }
    return changed;
}

const char *
stele_settings_inproc (const stele_settings_t *self, const char *name, char *buffer)
{
    snprintf (buffer, 80, "inproc://stele-%s-%s", self->instance, name);
    return buffer;
}
