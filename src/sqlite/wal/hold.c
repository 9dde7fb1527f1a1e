/*  hold - keep database files open, so that no close drops the locks of SQLite

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // F_OFD_SETLK
#endif

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/file.h"
#include "sqlite/wal/hold.h"

#define LOCK_BYTE ((off_t) 1 << 62)

struct stele_hold {
    stele_hold_t *next;
    dev_t device;
    ino_t inode;
    int handle;
    int users;
    bool locked;
};

static pthread_mutex_t s_mutex = PTHREAD_MUTEX_INITIALIZER;
static stele_hold_t *s_holds;

stele_hold_t *
stele_hold_take (const char *path)
{
    struct stat status;
    if (stat (path, &status) != 0)
        return NULL;
    pthread_mutex_lock (&s_mutex);
    stele_hold_t *self = s_holds;
    while (self && !stele_hold_is (self, &status))
        self = self->next;
    if (!self && (self = calloc (1, sizeof *self))) {
        self->next = s_holds;
        self->device = status.st_dev;
        self->inode = status.st_ino;
        self->handle = -1;
        s_holds = self;
    }
    if (self)
        self->users++;
    pthread_mutex_unlock (&s_mutex);
    return self;
}

void
stele_hold_release (stele_hold_t **self_p)
{
    assert (self_p);
    stele_hold_t *self = *self_p;
    if (!self)
        return;
    pthread_mutex_lock (&s_mutex);
    if (--self->users == 0) {
        stele_hold_t **link = &s_holds;
        while (*link != self)
            link = &(*link)->next;
        *link = self->next;
        if (self->handle >= 0)
            close (self->handle);
        free (self);
    }
    pthread_mutex_unlock (&s_mutex);
    *self_p = NULL;
}

static int
s_set_lock (int handle, short type)
{
    struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = LOCK_BYTE, .l_len = 1 };
    return fcntl (handle, F_OFD_SETLK, &lock);
}

//  Open the file that is held. Returns 0, or -1 with errno.
static int
s_open (stele_hold_t *self, const char *path)
{
    if (self->handle >= 0)
        return 0;
    int handle = stele_file_open (path, O_RDWR, 0);
    struct stat status;
    if (handle < 0)
        return -1;
    if (fstat (handle, &status) != 0 || !stele_hold_is (self, &status)) {
        close (handle);
        errno = ESTALE;
        return -1;
    }
    self->handle = handle;
    return 0;
}

int
stele_hold_lock (stele_hold_t *self, const char *path)
{
    pthread_mutex_lock (&s_mutex);
    int rc = -1;
    errno = EAGAIN;
    if (!self->locked)
        rc = s_open (self, path);
    if (rc == 0)
        rc = s_set_lock (self->handle, F_WRLCK);
    int error = errno == EACCES && self->handle >= 0? EAGAIN: errno;
    self->locked = self->locked || rc == 0;
    pthread_mutex_unlock (&s_mutex);
    errno = error;
    return rc;
}

void
stele_hold_unlock (stele_hold_t *self)
{
    pthread_mutex_lock (&s_mutex);
    if (self->locked)
        s_set_lock (self->handle, F_UNLCK);
    self->locked = false;
    pthread_mutex_unlock (&s_mutex);
}

int
stele_hold_handle (const stele_hold_t *self)
{
    return self->handle;
}

bool
stele_hold_is (const stele_hold_t *self, const struct stat *status)
{
    return self->device == status->st_dev && self->inode == status->st_ino;
}
