/*  outfile - an output file that is complete or absent

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/memory.h"
#include "cli/files/outfile.h"
#include "cli/terminal/message.h"

struct cli_outfile {
    FILE *stream;
    char *path;                     // NULL: stdout, or not a regular file
    char *temporary;                // NULL: none, or renamed
    bool force;
};

//  -- signals -------------------------------------------------------------------------

//  The file that a signal removes. The programs write one file at a time.
static char *volatile s_leftover;

static void
s_remove_leftover (int number)
{
    if (s_leftover)
        unlink (s_leftover);
    signal (number, SIG_DFL);
    raise (number);
}

//  Signals that the program handles itself, or that it was told to ignore, keep their action
static void
s_remove_at_signals (char *path)
{
    static const int numbers [] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGQUIT };
    s_leftover = path;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers [0]; i++) {
        struct sigaction action;
        if (sigaction (numbers [i], NULL, &action) == 0 && action.sa_handler == SIG_DFL)
            signal (numbers [i], s_remove_leftover);
    }
}

//  -- the file ------------------------------------------------------------------------

static int
s_open_temporary (cli_outfile_t *self, const char *path)
{
    if (asprintf (&self->temporary, "%s.XXXXXX.part", path) < 0)
        abort ();
    sigset_t all, before;
    sigfillset (&all);
    //  No signal between the creation and the handler
    pthread_sigmask (SIG_BLOCK, &all, &before);
    int fd = mkstemps (self->temporary, (int) strlen (".part"));
    int why = errno;
    if (fd >= 0)
        s_remove_at_signals (self->temporary);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    if (fd < 0) {
        free (self->temporary);
        self->temporary = NULL;
        errno = why;
        return -1;
    }
    //  mkstemp creates it private; the umask decides
    mode_t mask = umask (0);
    umask (mask);
    fchmod (fd, 0666 & ~mask);
    self->stream = fdopen (fd, "wb");
    assert (self->stream);
    return 0;
}

//  A pipe or a device; not a file that has just taken its place
static void
s_open_special (cli_outfile_t *self, const char *path)
{
    struct stat status;
    int fd = open (path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0 && fstat (fd, &status) == 0 && S_ISREG (status.st_mode)) {
        close (fd);
        errno = EEXIST;
    }
    else
    if (fd >= 0)
        self->stream = fdopen (fd, "wb");
}

cli_outfile_t *
cli_outfile_open (const char *path, bool force)
{
    cli_outfile_t *self = STELE_NEW (cli_outfile_t);
    self->force = force;
    struct stat status;
    bool exists = strcmp (path, "-") != 0 && stat (path, &status) == 0;
    if (strcmp (path, "-") == 0)
        self->stream = stdout;
    else
    if (exists && !S_ISREG (status.st_mode))
        s_open_special (self, path);
    else
    if (exists && !force)
        errno = EEXIST;
    else {
        self->path = stele_memory_copy (path, strlen (path));
        s_open_temporary (self, path);
    }
    if (!self->stream) {
        int why = errno;
        cli_outfile_close (&self);
        errno = why;
    }
    return self;
}

FILE *
cli_outfile_stream (cli_outfile_t *self)
{
    return self->stream;
}

int
cli_outfile_flush (cli_outfile_t *self)
{
    if (self->stream == stdout) {
        cli_flush_stdout ();
        return 0;
    }
    return fflush (self->stream) || ferror (self->stream)? -1: 0;
}

int
cli_outfile_finish (cli_outfile_t *self)
{
    if (cli_outfile_flush (self))
        return -1;
    if (!self->temporary)
        return 0;
    if (fsync (fileno (self->stream)))
        return -1;
    //  link() does not replace a file that was created in the meantime
    if (self->force? rename (self->temporary, self->path): link (self->temporary, self->path)) {
        if (self->force || (errno != EPERM && errno != EOPNOTSUPP))
            return -1;
        //  A file system without links: the check when it was opened must do
        if (rename (self->temporary, self->path))
            return -1;
    }
    else
    if (!self->force)
        unlink (self->temporary);
    //  Ignore failures: the file itself is synced, and a folder with search permission only cannot
    //  be opened
    stele_file_sync_folder (self->path);
    s_leftover = NULL;
    free (self->temporary);
    self->temporary = NULL;
    return 0;
}

void
cli_outfile_close (cli_outfile_t **self_p)
{
    cli_outfile_t *self = *self_p;
    if (!self)
        return;
    if (self->stream && self->stream != stdout)
        fclose (self->stream);
    if (self->temporary)
        unlink (self->temporary);
    s_leftover = NULL;
    free (self->temporary);
    free (self->path);
    free (self);
    *self_p = NULL;
}
