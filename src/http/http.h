/*  http - the HTTP server as a czmq actor; the program stele-http is a thin main program over it

    A client of the broker's sockets for requests and the feed, in this process or in another one:

        zactor_t *http = zactor_new (stele_http, NULL);
        zstr_sendx (http, "SET", "requests", "ipc:///run/stele/requests", NULL);
        zstr_sendx (http, "SET", "feed", "ipc:///run/stele/feed", NULL);
        zstr_sendx (http, "START", NULL);
        char *status, *text;
        zstr_recvx (http, &status, &text, NULL);        //  "READY" and the address, or "FAILED" and the reason
        ...
        zstr_send (http, "RELOAD");                     //  reads the tokens and the certificate again
        zactor_destroy (&http);                         //  stops

    Settings, before START:
      listen     ADDRESS:PORT (127.0.0.1:5580), [ADDRESS]:PORT, localhost:PORT, or unix:PATH; port 0 is any free
                 one. Without TLS and tokens only a loopback address or a unix socket.
      mode       of a unix socket, in octal (0600)
      cert       the certificate to serve HTTPS with, in PEM with its chain after it; its names are hosts, too
      cert-key   and its private key
      requests   the broker's endpoint of requests
      feed       and of the feed
      key        the file of the key to connect with over tcp, as made by 'stele key new'
      tokens     the file of the tokens of its clients, as made by 'stele token'; without it, whoever can connect may do
                 everything that the broker lets this server do
      rate       requests per second of each token, and of each address without one, where there are tokens (20)
      host       another name under which clients may address the server, or several with commas between; may be set several times

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_H_INCLUDED
#define STELE_HTTP_H_INCLUDED

#include <czmq.h>

#define STELE_HTTP_LISTEN "127.0.0.1:5580"
#define STELE_HTTP_RATE   20

/*  Actor function for zactor_new; pass NULL as args.                        */
void
    stele_http (zsock_t *pipe, void *args);

#endif
