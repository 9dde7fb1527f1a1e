/*  repository_internal - the state of a repository, shared by its files

    repository.c       the folder and its lock
    segment_list.c     names, the list
    segment_format.c   frames and trailers as bytes
    segment_writer.c   the open end
    segment_read.c     lines, in order
    segment_check.c    every byte
    side_line.c        lines for what events do not say
    replay.c           lines into a ledger

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REPOSITORY_INTERNAL_H_INCLUDED
#define STELE_REPOSITORY_INTERNAL_H_INCLUDED

#include "repository/repository.h"
#include "repository/segment_format.h"

struct stele_repository {
    char *path;
    char *segments;                 // Path of that folder
    char ledger_id [40];
    int lock;                       // Descriptor; -1: open for reading only
};

//  FOLDER/NAME. Caller frees return value.
char *
    stele_repository_join (const char *folder, const char *name);

//  Name the path and the reason of a failed call. Returns STELE_ENOT_FOUND, STELE_EFULL or STELE_EIO.
int
    stele_repository_refuse (stele_refusal_t *refusal, const char *path, int error);

//  All segments, in order; those that are superseded (an open end beside the complete file) are left out.
//  Caller frees *list. Returns their number, or a code with the refusal.
int64_t
    stele_repository_list (const stele_repository_t *self, stele_segment_t **list, stele_refusal_t *refusal);

//  Open a segment. Returns the descriptor, or a code with the refusal.
int
    stele_segment_open (const stele_repository_t *self, const char *name, stele_refusal_t *refusal);

//  Name of a segment by its first position
void
    stele_segment_name (char name [48], int64_t first, bool open);

//  Put the name of a segment in front of the message of a refusal. Returns its code.
int
    stele_segment_refuse (const char *name, int64_t first, int64_t last, stele_refusal_t *refusal);

//  Write a file of the repository as a whole: a temporary file, synced, renamed, the folder synced.
//  Returns 0, STELE_EFULL or STELE_EIO with the refusal; the file before is unchanged then.
int
    stele_repository_put (const char *folder, const char *name, const void *data, size_t size,
        stele_refusal_t *refusal);

#endif
