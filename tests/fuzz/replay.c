/*  replay - run a fuzz target once over every file of the folders given

    Replaces libFuzzer's main, so that seeds and earlier crashes are regression
    tests in any build. Fails if there is no file.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <dirent.h>
#include <sys/stat.h>
#include "fuzz.h"

static int
s_replay_file (const char *path)
{
    struct stat info;
    if (stat (path, &info) || !S_ISREG (info.st_mode))
        return 0;
    FILE *file = fopen (path, "rb");
    if (!file) {
        perror (path);
        exit (1);
    }
    //  Allocate exactly the size, so that a read beyond the end is detected
    uint8_t *data = malloc (info.st_size? (size_t) info.st_size: 1);
    FUZZ_HOLDS (data && fread (data, 1, (size_t) info.st_size, file) == (size_t) info.st_size);
    fclose (file);
    LLVMFuzzerTestOneInput (data, (size_t) info.st_size);
    free (data);
    return 1;
}

static int
s_replay_folder (const char *path)
{
    DIR *folder = opendir (path);
    if (!folder)
        return 0;
    int count = 0;
    for (struct dirent *entry; (entry = readdir (folder)); ) {
        char file [4096];
        snprintf (file, sizeof file, "%s/%s", path, entry->d_name);
        count += s_replay_file (file);
    }
    closedir (folder);
    return count;
}

//  The program's name, fuzz_event or lt-fuzz_event, gives the folder of its seeds
static int
s_replay_own (const char *program)
{
    const char *root = getenv ("STELE_SRC");
    const char *name = strstr (strrchr (program, '/')? strrchr (program, '/'): program, "fuzz_");
    FUZZ_HOLDS (name);
    char path [4096];
    snprintf (path, sizeof path, "%s/tests/fuzz/seeds/%s", root? root: ".", name + 5);
    int count = s_replay_folder (path);
    snprintf (path, sizeof path, "%s/tests/fuzz/crashes/%s", root? root: ".", name + 5);
    return count + s_replay_folder (path);
}

int
main (int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++)
        count += s_replay_folder (argv [i]) + s_replay_file (argv [i]);
    if (argc == 1)
        count = s_replay_own (argv [0]);
    printf ("%d inputs\n", count);
    return count? 0: 1;
}
