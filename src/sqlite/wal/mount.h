/*  mount - check whether a file is a mount point

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_MOUNT_H_INCLUDED
#define STELE_MOUNT_H_INCLUDED

#include <stdbool.h>

/*  The device numbers of a file and its folder do not answer it: they are equal for a bind mount of
    the same file system, and may differ on overlayfs without any mount.     */
bool
    stele_mount_is (const char *path);

#endif
