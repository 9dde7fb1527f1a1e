/*  fork - detect that this process is a child of the one that created a client

    Threads and sockets of a client stay in the process that created it. In a child they look
    usable, and send nothing.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FORK_H_INCLUDED
#define STELE_FORK_H_INCLUDED

/*  Number of forks between the first call in the first process and this one: it differs in
    a parent and its child.                                                  */
int
    stele_fork_generation (void);

#endif
