/*  settings_check - check the settings of a broker together

    A start calls this before it creates anything, and steled --check-config calls only this.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/memory.h"
#include "broker/common/endpoint.h"
#include "broker/common/node.h"
#include "broker/common/settings.h"
#include "cache/redis/redis_url.h"
#include "redact/redactor.h"
#include "wire/http_address.h"

#define SHARED_MESSAGE_BYTES (128 * 1024 * 1024)    // So that a batch stays below STELE_BATCH_BYTES_MAX (log/batch.h)

static int
s_check_redis (const stele_settings_t *self, stele_refusal_t *refusal)
{
    stele_redis_url_t url;
    if (strcmp (self->redis, "none") != 0)
        return stele_redis_url_parse (&url, self->redis, refusal);
    if (strcmp (self->mode, "redis") == 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "mode", "mode redis needs Redis, but the setting redis is none");
    return 0;
}

//  What stele-http would refuse
static int
s_check_http_address (const stele_settings_t *self, stele_refusal_t *refusal)
{
    stele_http_address_t address;
    if (!*self->http)
        return 0;
    if (!*self->http_cert != !*self->http_cert_key)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "http-cert", "http-cert and http-cert-key need each other: the "
            "certificate, and its private key");
    return stele_http_address_parse (&address, "http", self->http, *self->http_cert && *self->tokens, refusal);
}

//  The file may be missing, its folder may not
static int
s_check_ledger (const stele_settings_t *self, stele_refusal_t *refusal)
{
    struct stat status;
    const char *slash = strrchr (self->ledger, '/');
    if (stat (self->ledger, &status) == 0) {
        if (!S_ISREG (status.st_mode))
            return stele_refuse (refusal, STELE_EINVALID_FIELD, "ledger", "ledger: '%s' is a %s: it takes the "
                "path of a file", self->ledger, S_ISDIR (status.st_mode)? "directory": "device, pipe or socket");
        char reason [400];
        if (access (self->ledger, R_OK | W_OK) != 0) {
            stele_file_reason (self->ledger, errno, reason, sizeof reason);
            return stele_refuse (refusal, STELE_EINVALID_FIELD, "ledger", "ledger: cannot read and write '%s': %s; the "
                "broker must be able to write the ledger and to create files beside it", self->ledger, reason);
        }
    }
    char *folder = slash? stele_memory_copy (self->ledger, (size_t) (slash - self->ledger + 1)):
        stele_memory_copy (".", 1);
    int rc = 0;
    char why [400];
    if (access (folder, W_OK | X_OK) != 0) {
        stele_file_reason (folder, errno, why, sizeof why);
        rc = stele_refuse (refusal, STELE_EINVALID_FIELD, "ledger", "ledger: cannot create files in the directory '%s': %s; "
            "the broker must be able to write the ledger and to create files beside it", folder, why);
    }
    free (folder);
    return rc;
}

static int
s_check_redaction (const stele_settings_t *self, stele_refusal_t *refusal)
{
    if (strcmp (self->redact, "off") == 0)
        return 0;
    stele_redactor_t *redactor = stele_redactor_new (*self->redact_rules? self->redact_rules: NULL, NULL, refusal);
    if (!redactor)
        return refusal->code;
    stele_redactor_destroy (&redactor);
    return 0;
}

static int
s_check_backup (const stele_settings_t *self, stele_refusal_t *refusal)
{
    int hours = -1, minutes = -1, used = 0;
    const char *at = self->backup_at;
    if (strlen (at) == 5 && sscanf (at, "%2d:%2d%n", &hours, &minutes, &used) == 2 && used == 5
    &&  at [0] != ' ' && at [3] != ' ' && at [3] != '-' && hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60)
        return 0;
    return stele_refuse (refusal, STELE_EINVALID_FIELD, "backup-at",
        "backup-at: '%s' is not a time of the day; use HH:MM (UTC), from 00:00 to 23:59", at);
}

//  What a node of a shared log cannot do yet, or must not
static int
s_check_shared_log (const stele_settings_t *self, stele_refusal_t *refusal)
{
    if (strcmp (self->shared_log, "none") == 0)
        return 0;
    if (strcmp (self->mode, "redis") == 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "mode", "with a shared-log, mode takes dual or sqlite: an ack means that the "
            "event is on two machines, for which mode redis does not wait");
    if (self->accept_loss)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "accept-loss", "with a shared-log, a node takes what its ledger lacks from "
            "the log: start without --accept-loss; if the log itself lost batches, see 'stele log heal'");
    if (self->message_bytes > SHARED_MESSAGE_BYTES)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "message-bytes", "with a shared-log, message-bytes takes at most %d, not "
            "%" PRId64 ": a batch of the log has to fit a value of PostgreSQL", SHARED_MESSAGE_BYTES, self->message_bytes);
    stele_shared_log_t *log = stele_node_log (self, refusal);
    if (!log)
        return refusal->code;
    stele_shared_log_destroy (&log);
    return 0;
}

int64_t
stele_settings_archive_after_s (const stele_settings_t *self)
{
    static const char units [] = "smhd";
    static const int64_t seconds [] = { 1, 60, 3600, 86400 };
    const char *digits = self->archive_after, *unit = digits + strspn (digits, "0123456789");
    const char *known = *unit && !unit [1]? strchr (units, *unit): NULL;
    //  Up to some centuries
    if (!known || unit == digits || unit - digits > 5)
        return 0;
    return strtol (digits, NULL, 10) * seconds [known - units];
}

static int
s_check_archive (const stele_settings_t *self, stele_refusal_t *refusal)
{
    if (!*self->archive_after || stele_settings_archive_after_s (self) > 0)
        return 0;
    return stele_refuse (refusal, STELE_EINVALID_FIELD, "archive-after", "archive-after: '%s' is not a time; use a number from "
        "1 to 99999 with a unit: 90d (days), 12h (hours), 30m (minutes), 45s (seconds)", self->archive_after);
}

int
stele_settings_check (const stele_settings_t *self, stele_refusal_t *refusal)
{
    int code = stele_endpoint_check (self, refusal);
    if (code == 0)
        code = s_check_http_address (self, refusal);
    if (code == 0)
        code = s_check_redis (self, refusal);
    if (code == 0)
        code = s_check_ledger (self, refusal);
    if (code == 0)
        code = s_check_redaction (self, refusal);
    if (code == 0)
        code = s_check_backup (self, refusal);
    if (code == 0)
        code = s_check_shared_log (self, refusal);
    if (code == 0)
        code = s_check_archive (self, refusal);
    return code;
}
