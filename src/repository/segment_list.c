/*  segment_list - the segments of a repository, by their names and trailers

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/memory.h"
#include "repository/repository_internal.h"

#define NAME_DIGITS 16
#define SUFFIX ".jsonl.zst"

void
stele_segment_name (char name [48], int64_t first, bool open)
{
    snprintf (name, 48, "%0*" PRId64 "%s" SUFFIX, NAME_DIGITS, first, open? ".open": "");
}

int
stele_segment_refuse (const char *name, int64_t first, int64_t last, stele_refusal_t *refusal)
{
    if (!refusal)
        return STELE_ELEDGER;
    char message [sizeof refusal->message];
    snprintf (message, sizeof message, "%s", refusal->message);
    if (last < first)
        return stele_refuse (refusal, refusal->code, "backup", "%s, from position %" PRId64 " on, %s", name, first, message);
    return stele_refuse (refusal, refusal->code, "backup", "%s, positions %" PRId64 " to %" PRId64 ", %s", name, first, last,
        message);
}

int
stele_segment_open (const stele_repository_t *self, const char *name, stele_refusal_t *refusal)
{
    char *path = stele_repository_join (self->segments, name);
    int fd = stele_file_open (path, O_RDONLY, 0);
    //  A broker may have completed the open end since it was listed
    char *open = fd < 0 && errno == ENOENT? strstr (path, ".open" SUFFIX): NULL;
    if (open) {
        memmove (open, open + 5, strlen (open + 5) + 1);
        fd = stele_file_open (path, O_RDONLY, 0);
    }
    int code = fd < 0? stele_repository_refuse (refusal, path, errno): fd;
    free (path);
    return code;
}

//  Is it the name of a segment? Then set its first position and whether it is the open end
static bool
s_is_segment (const char *name, stele_segment_t *segment)
{
    char again [48];
    if (strlen (name) < NAME_DIGITS || strspn (name, "0123456789") != NAME_DIGITS)
        return false;
    memset (segment, 0, sizeof *segment);
    segment->first = strtoll (name, NULL, 10);
    segment->last = segment->first - 1;
    segment->open = strstr (name, ".open") != NULL;
    stele_segment_name (again, segment->first, segment->open);
    snprintf (segment->name, sizeof segment->name, "%s", again);
    return strcmp (name, again) == 0 && segment->first > 0;
}

static void
s_describe (const stele_repository_t *self, stele_segment_t *segment)
{
    struct stat status;
    stele_refusal_t refusal;
    stele_trailer_t trailer = { .count = 0 };
    int fd = stele_segment_open (self, segment->name, &refusal);
    if (fd >= 0 && fstat (fd, &status) == 0) {
        segment->bytes = status.st_size;
        segment->written_us = status.st_mtim.tv_sec * INT64_C (1000000) + status.st_mtim.tv_nsec / 1000;
    }
    segment->readable = fd >= 0 && stele_trailer_read (fd, &trailer, &refusal) == 0
        && trailer.first == segment->first && trailer.complete != segment->open
        && strcmp (trailer.ledger_id, self->ledger_id) == 0;
    if (segment->readable) {
        segment->last = trailer.last;
        snprintf (segment->digest, sizeof segment->digest, "%s", trailer.digest);
        snprintf (segment->previous, sizeof segment->previous, "%s", trailer.previous);
    }
    stele_trailer_clear (&trailer);
    if (fd >= 0)
        close (fd);
}

static int
s_compare (const void *one, const void *other)
{
    const stele_segment_t *a = one, *b = other;
    return a->first != b->first? (a->first > b->first) - (a->first < b->first): a->open - b->open;
}

int64_t
stele_repository_list (const stele_repository_t *self, stele_segment_t **list, stele_refusal_t *refusal)
{
    DIR *folder = opendir (self->segments);
    if (!folder && errno == ENOENT) {
        *list = NULL;
        return 0;
    }
    if (!folder)
        return stele_repository_refuse (refusal, self->segments, errno);
    stele_segment_t *found = NULL, segment;
    size_t count = 0, room = 0, kept = 0;
    struct dirent *entry;
    while ((entry = readdir (folder)))
        if (s_is_segment (entry->d_name, &segment)) {
            found = stele_array_must_grow (found, &room, count + 1, sizeof *found);
            found [count++] = segment;
        }
    closedir (folder);
    if (count)
        qsort (found, count, sizeof *found, s_compare);
    for (size_t i = 0; i < count; i++) {
        //  A crash between the rename of a complete file and the removal of its open end
        if (kept && found [i].open && found [kept - 1].first == found [i].first)
            continue;
        found [kept] = found [i];
        s_describe (self, &found [kept++]);
    }
    *list = found;
    return (int64_t) kept;
}

int
stele_repository_segments (const stele_repository_t *self, stele_segment_fn *fn, void *arg,
    stele_refusal_t *refusal)
{
    stele_segment_t *list = NULL;
    int64_t count = stele_repository_list (self, &list, refusal);
    int rc = count < 0? (int) count: 0;
    for (int64_t i = 0; i < count && rc == 0; i++)
        rc = fn (&list [i], arg);
    free (list);
    return rc < 0? rc: 0;
}

int64_t
stele_repository_last (const stele_repository_t *self, int64_t after, char broken [48], stele_refusal_t *refusal)
{
    stele_segment_t *list = NULL;
    int64_t count = stele_repository_list (self, &list, refusal), at = 0, last = 0;
    //  What is missing or damaged before it does not matter
    while (at + 1 < count && list [at + 1].first <= after + 1)
        at++;
    for (; at < count && list [at].readable && (last == 0 || list [at].first == last + 1); at++)
        last = list [at].last;
    snprintf (broken, 48, "%s", at < count? list [at].name: "");
    free (list);
    return count < 0? count: last;
}

int64_t
stele_repository_committed (const stele_repository_t *self, int64_t *time_us, stele_refusal_t *refusal)
{
    stele_segment_t *list = NULL;
    stele_trailer_t trailer = { .count = 0 };
    stele_refusal_t unread;
    int64_t count = stele_repository_list (self, &list, refusal), committed = 0;
    int fd = count > 0 && list [count - 1].readable? stele_segment_open (self, list [count - 1].name, &unread): -1;
    if (fd >= 0 && stele_trailer_read (fd, &trailer, &unread) == 0) {
        committed = trailer.committed;
        *time_us = trailer.committed_at;
    }
    stele_trailer_clear (&trailer);
    if (fd >= 0)
        close (fd);
    free (list);
    return count < 0? count: committed;
}
