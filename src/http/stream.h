/*  stream - one stream of events or changed tasks to a client (Server-Sent Events)

    A stream is either live, and then gets what the hub delivers, or behind, and then reads the log in pages,
    each after its client has read most of the previous one. That of an actor bound to users is never live: the feed says only that
    there is more, and the broker, asked for the actor, answers with what belongs to these users. So its client gets every event once and in
    order, and no client can make this process keep more than about a page and HTTP_STREAM_UNREAD bytes for it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_STREAM_H_INCLUDED
#define STELE_HTTP_STREAM_H_INCLUDED

#include <czmq.h>
#include "http/server.h"
#include "wire/map.h"

#define HTTP_STREAM_UNREAD 1048576  // Bytes: a client that leaves more unread is behind
#define HTTP_STREAM_RESUME   50000  // Events: one that is further behind starts again at the head
#define HTTP_CONTENT_MAX     65536  // Bytes: larger content is left out, as in the feed

/*  What a stream of another form than Server-Sent Events does               */
typedef struct {
    void (*greet) (http_stream_t *stream);      // The position is known at which it starts; again after a reset
    void (*take) (http_stream_t *stream, const stele_map_t *event);
    void (*keep_alive) (http_stream_t *stream); // Nothing was sent for some time
    void (*end) (http_stream_t *stream, const char *why);   // Its client may read no more: say so, and finish
    void (*gone) (http_stream_t *stream);       // It ends: free form_state
} http_stream_form_t;

typedef enum {
    HTTP_STREAM_BEHIND,             // Reads the log, as soon as it is its turn
    HTTP_STREAM_READING,            // A page is requested
    HTTP_STREAM_FULL,               // Behind, and its client has to read first
    HTTP_STREAM_LIVE,               // Has what the hub has
    HTTP_STREAM_STATS,              // Sends statistics, and no events: it never has a position
    HTTP_STREAM_FOLLOWING           // Of an actor that is bound to users: has read the log to its end, and reads on when the hub has more
} http_stream_state_t;

struct http_stream {
    http_server_t *server;
    http_conn_t *conn;
    const http_actor_t *actor;      // Whose it is; NULL: there are no tokens
    int64_t session;                // By which it was begun (session.h); 0: none
    http_stream_t *next, *previous; // Of all streams of the hub
    http_stream_state_t state;
    int64_t position;               // Every event up to this was sent, or does not pass; -1: start at the head
    int64_t token;                  // Of the requested page; 0: none
    int64_t sent_ms;                // Steady clock: when something was sent
    bool greeted;                   // hello was sent
    bool caught_up;                 // Bound to users: was FOLLOWING since it began, or was reset
    bool of_tasks;                  // view=tasks
    char *types, *task_ids, *states, *roles;    // Each word between commas, ",a,b,"; NULL: all pass
    zhash_t *changed;               // of_tasks: ids of tasks that changed since they were last sent
    zhash_t *sending;               // of_tasks: those whose records are being fetched; NULL: none
    bool sending_shared;            // of_tasks: those of the round that all open streams share are being fetched
    int64_t sending_to;             // of_tasks: changes up to this position are among them
    bool wants_stats;               // Statistics, each second
    int64_t stats_ms;               // Steady clock: when they were sent
    char ledger [64];               // That the client knows; "": none
    const http_stream_form_t *form; // NULL: Server-Sent Events
    void *form_state;
};

void
    http_stream_start (http_server_t *server, http_conn_t *conn, const http_route_t *route);

/*  Start a stream of another form at the head, of events of these types (",a,b,"). The form answers the request when it is
    greeted. Takes ownership of 'state'.                                     */
void
    http_stream_open (http_server_t *server, http_conn_t *conn, const char *types, const http_stream_form_t *form, void *state);

/*  What streams select an event by, read once for all of them; "" if it has none. Lists of streams have each word
    between commas, so these have both forms.                                */
typedef struct {
    const stele_map_t *event;
    char type [66];                 // ",TYPE,"
    char task_id [256], listed_id [258];
} http_event_words_t;

void
    http_event_words (const stele_map_t *event, http_event_words_t *words);

/*  Would the stream send this event?                                        */
bool
    http_stream_passes (const http_stream_t *self, const http_event_words_t *words);

/*  Does it send every event as it is? Then it shares the hub's block.       */
bool
    http_stream_is_plain (const http_stream_t *self);

/*  Does it follow all tasks, and may see each? Then it shares the set of changed tasks of the task view. */
bool
    http_stream_is_open (const http_stream_t *self);

/*  Take an event that passed: send its text, or remember the task that changed. */
void
    http_stream_take (http_stream_t *self, const http_event_words_t *words, const char *text, size_t size);

/*  Send a message: "event: NAME", an id unless it is below 0, and data.     */
void
    http_stream_say (http_stream_t *self, const char *name, int64_t id, const char *format, ...) STELE_PRINTF (4, 5);

/*  Its client may read no more: say why, and end it.                        */
void
    http_stream_end (http_stream_t *self, const char *why);

/*  Its client leaves too much unread: it falls behind until that is read.   */
void
    http_stream_set_full (http_stream_t *self);

/*  Request the next page, for a stream that is behind. Returns false if the broker cannot be asked now. */
bool
    http_stream_read (http_stream_t *self);

/*  of_tasks: forget which tasks have changed                                */
void
    http_stream_forget_changes (http_stream_t *self);

/*  The positions it has are void: continue at the head.                     */
void
    http_stream_reset (http_stream_t *self, const char *reason);

/*  An event as a message of the stream: "id: POSITION", "data: JSON" and an empty line. Caller frees return value
    with free(). NULL: it is not valid.                                      */
char *
    http_stream_text (const stele_map_t *event, int64_t position, stele_pack_t *pack, size_t *size);

//  -- of the hub, for streams -----------------------------------------------------------------

void
    http_hub_add (http_hub_t *self, http_stream_t *stream);
void
    http_hub_remove (http_hub_t *self, http_stream_t *stream);

/*  A page reached that head: may this stream be live now? Then it is.       */
bool
    http_hub_join (http_hub_t *self, http_stream_t *stream, int64_t head);

#endif
