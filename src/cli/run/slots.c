/*  slots - spools of stele run: one per command that runs at the same time

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/memory.h"
#include "cli/run/slots.h"
#include "wire/address.h"
#include "wire/key_file.h"

#define SLOTS_MAX 1000
#define LEASE_MS 30000              // A run that was killed is interrupted after this time
#define SPOOL_BYTES_MAX 335544320   // 256 MiB of outputs (recorder.c), and room for everything else
#define EMPTY_BYTES 12288           // Size of a spool without events

//  -- the folder ----------------------------------------------------------------------

static bool
s_make_folders (char *path)
{
    for (char *slash = path + 1; (slash = strchr (slash, '/')); slash++) {
        *slash = 0;
        bool made = mkdir (path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            return false;
    }
    return mkdir (path, 0700) == 0 || errno == EEXIST;
}

//  The name of the key, also of one that cannot be read: the end of its path without .key_secret
static void
s_key_name (const char *key, char *name, size_t size)
{
    stele_refusal_t refusal;
    stele_key_file_t *file = stele_key_file_load (key, &refusal);
    const char *given = file? stele_key_file_get (file, "name"): NULL;
    const char *slash = strrchr (key, '/');
    snprintf (name, size, "%s", given? given: slash? slash + 1: key);
    char *end = given? NULL: strstr (name, ".key_secret");
    if (end)
        *end = 0;
    stele_key_file_destroy (&file);
}

static char *
s_folder (const char *place, const char *endpoint, const char *key, char *error, size_t error_size)
{
    char name [80] = "";
    if (key && *key && strncmp (endpoint, "tcp:", 4) == 0)
        s_key_name (key, name, sizeof name);
    const char *state = getenv ("XDG_STATE_HOME");
    const char *home = getenv ("HOME");
    char path [4096];
    int size;
    if (place)
        size = snprintf (path, sizeof path, "%s/", place);
    else
    if (state && *state == '/')
        size = snprintf (path, sizeof path, "%s/stele/run/", state);
    else
    if (home && *home == '/')
        size = snprintf (path, sizeof path, "%s/.local/state/stele/run/", home);
    else {
        snprintf (error, error_size, "there is no place for a spool: neither XDG_STATE_HOME nor HOME is set; use --spool");
        return NULL;
    }
    if (size < 0 || (size_t) size + strlen (endpoint) + sizeof name >= sizeof path || strlen (endpoint) > 200) {
        snprintf (error, error_size, "the path of the spool is too long");
        return NULL;
    }
    for (const char *c = endpoint; *c; c++)
        path [size++] = strchr ("/:*@", *c)? '_': *c;
    //  What one key could not send is not sent with another one: it would belong to the users of that one
    if (*name)
        path [size++] = '@';
    for (const char *c = name; *c; c++)
        path [size++] = strchr ("/:*@", *c)? '_': *c;
    path [size] = 0;
    if (!s_make_folders (path)) {
        snprintf (error, error_size, "cannot create the folder of the spool, %s: %s", path, strerror (errno));
        return NULL;
    }
    return stele_memory_copy (path, strlen (path));
}

char *
cli_slots_folder (const char *place, const char *endpoints, const char *key, char *error, size_t error_size)
{
    //  Nodes can be added to a list: what was spooled before is sent by the next run
    char *first = stele_address_take (&endpoints);
    char *folder = s_folder (place, first? first: "", key, error, error_size);
    free (first);
    return folder;
}

//  -- clients -------------------------------------------------------------------------

static void
s_random_name (char *name, size_t size)
{
    char host [40] = "";
    gethostname (host, sizeof host - 1);
    uint64_t random = 0;
    if (getrandom (&random, sizeof random, 0) != sizeof random)
        random = (uint64_t) stele_clock_us () << 16 ^ (uint64_t) getpid ();
    snprintf (name, size, "run-%s-%012" PRIx64, host, random & 0xffffffffffff);
}

static stele_client_t *
s_client (const cli_t *cli, const char *producer, const char *spool)
{
    stele_client_t *client = stele_client_new (producer);
    stele_client_set_events_endpoint (client, cli->events);
    stele_client_set_requests_endpoint (client, cli->requests);
    stele_client_set_lease (client, LEASE_MS);
    if (spool) {
        stele_client_set_spool (client, spool);
        stele_client_set_spool_max (client, SPOOL_BYTES_MAX);
    }
    //  Without its key the events still reach the spool
    if (stele_client_set_key (client, cli->key)) {
        cli_warn ("%s", stele_client_error (client));
        stele_client_set_key (client, NULL);
    }
    return client;
}

stele_client_t *
cli_slots_client_unspooled (const cli_t *cli)
{
    char name [80];
    s_random_name (name, sizeof name);
    return s_client (cli, name, NULL);
}

//  Path of a spool: NUMBER.spool, or NAME-NUMBER.spool with a slash in NAME as %2f
static char *
s_path (const char *folder, const char *name, int number)
{
    size_t room = strlen (folder) + 3 * strlen (name? name: "") + 40;
    char *path = stele_memory_new (room);
    size_t size = (size_t) snprintf (path, room, "%s/", folder);
    for (const char *c = name; c && *c; c++)
        size += (size_t) snprintf (path + size, room - size, *c == '/' || *c == '%' || *c == '.'? "%%%02x": "%c", *c);
    snprintf (path + size, room - size, "%s%d.spool", name? "-": "", number);
    return path;
}

static void
s_producer (const char *path, const char *name, int number, char *producer, size_t size)
{
    char *owner = stele_client_spool_producer (path);
    if (owner)
        snprintf (producer, size, "%s", owner);
    else
    if (name)
        snprintf (producer, size, number > 1? "%s/%d": "%s", name, number);
    else
        s_random_name (producer, size);
    free (owner);
}

stele_client_t *
cli_slots_client (const cli_t *cli, const char *folder, const char *name, bool accept_loss,
    char **path_p, char *error, size_t error_size)
{
    int64_t rc = STELE_EBUSY;
    for (int number = 1; number <= SLOTS_MAX && rc == STELE_EBUSY; number++) {
        char producer [300];
        char *path = s_path (folder, name, number);
        s_producer (path, name, number, producer, sizeof producer);
        stele_client_t *client = s_client (cli, producer, path);
        if (accept_loss)
            stele_client_set_accept_loss (client);
        rc = stele_client_poll (client);
        if (rc >= 0) {
            *path_p = path;
            return client;
        }
        snprintf (error, error_size, "%s", stele_client_error (client));
        stele_client_destroy (&client);
        //  Another run has just created it with its own name, or it is damaged: leave it alone
        if ((rc == STELE_EINVALID_FIELD || rc == STELE_EIO) && access (path, F_OK) == 0)
            rc = STELE_EBUSY;
        free (path);
    }
    return NULL;
}

static void
s_send (const cli_t *cli, const char *path, int timeout_ms)
{
    char *producer = stele_client_spool_producer (path);
    if (!producer)
        return;
    stele_client_t *client = s_client (cli, producer, path);
    stele_client_close (client, false, timeout_ms);
    stele_client_destroy (&client);
    free (producer);
}

void
cli_slots_send_others (const cli_t *cli, const char *folder, const char *path, int timeout_ms)
{
    int64_t deadline = stele_clock_steady_ms () + timeout_ms;
    DIR *listing = opendir (folder);
    const struct dirent *entry;
    while (listing && (entry = readdir (listing)) && stele_clock_steady_ms () < deadline) {
        size_t size = strlen (entry->d_name);
        if (size < 6 || strcmp (entry->d_name + size - 6, ".spool"))
            continue;
        char other [4400];
        struct stat status;
        snprintf (other, sizeof other, "%s/%s", folder, entry->d_name);
        if (strcmp (other, path) && stat (other, &status) == 0 && status.st_size > EMPTY_BYTES)
            s_send (cli, other, (int) (deadline - stele_clock_steady_ms ()));
    }
    if (listing)
        closedir (listing);
}
