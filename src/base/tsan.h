/*  tsan - tell ThreadSanitizer about memory handed over with a message

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_TSAN_H_INCLUDED
#define STELE_TSAN_H_INCLUDED

/*  For memory that one thread accesses before it sends a message, and another after it receives
    that: STELE_TSAN_RELEASE before sending, STELE_TSAN_ACQUIRE after receiving, with the same
    address. The messages order the accesses; ThreadSanitizer cannot see it, since libzmq is not
    built with it. No effect without ThreadSanitizer.                        */
#if defined __SANITIZE_THREAD__
#   define STELE_TSAN 1
#elif defined __has_feature
#   if __has_feature (thread_sanitizer)
#       define STELE_TSAN 1
#   endif
#endif
#ifdef STELE_TSAN
void __tsan_acquire (void *address);
void __tsan_release (void *address);
#   define STELE_TSAN_RELEASE(address) __tsan_release ((void *) (address))
#   define STELE_TSAN_ACQUIRE(address) __tsan_acquire ((void *) (address))
#else
#   define STELE_TSAN_RELEASE(address) ((void) (address))
#   define STELE_TSAN_ACQUIRE(address) ((void) (address))
#endif

#endif
