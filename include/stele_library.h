/*  stele_library - version, default endpoints and symbol visibility

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LIBRARY_H_INCLUDED
#define STELE_LIBRARY_H_INCLUDED

#define STELE_VERSION_MAJOR 0
#define STELE_VERSION_MINOR 2
#define STELE_VERSION_PATCH 0
#define STELE_VERSION "0.2.0"

/*  Version of the wire protocol (doc/PROTOCOL.md)                           */
#define STELE_PROTOCOL 1

#if defined(__GNUC__)
#   define STELE_EXPORT __attribute__ ((visibility ("default")))
#   define STELE_PRINTF(f, a) __attribute__ ((format (printf, f, a)))
#else
#   define STELE_EXPORT
#   define STELE_PRINTF(f, a)
#endif

/*  Version of the library that the program runs with; the macros above are that of the headers it
    was built with. An argument may be NULL.                                 */
#ifdef __cplusplus
extern "C" {
#endif
STELE_EXPORT void
    stele_version (int *major, int *minor, int *patch);
#ifdef __cplusplus
}
#endif

/*  Default endpoints (doc/PROTOCOL.md section 1)                            */
#define STELE_DEFAULT_EVENTS   "tcp://127.0.0.1:5570"
#define STELE_DEFAULT_REQUESTS "tcp://127.0.0.1:5571"
#define STELE_DEFAULT_FEED     "tcp://127.0.0.1:5572"

#endif
