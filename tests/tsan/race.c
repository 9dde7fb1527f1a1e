/*  race - two threads that write the same counter: ThreadSanitizer has to report it

    The control of the tests under ThreadSanitizer: were it silent here, with the same
    suppressions and with the same libraries, its silence elsewhere would mean nothing.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>

static int s_counter;

static void
s_count (zsock_t *pipe, void *args)
{
    (void) args;
    zsock_signal (pipe, 0);
    for (int i = 0; i < 100000; i++)
        s_counter++;
    char *command = zstr_recv (pipe);
    zstr_free (&command);
}

int
main (void)
{
    zactor_t *actor = zactor_new (s_count, NULL);
    for (int i = 0; i < 100000; i++)
        s_counter++;
    zactor_destroy (&actor);
    printf ("%d\n", s_counter);
    return 0;
}
