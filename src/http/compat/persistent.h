/*  persistent - the filters of GET /api/tasks/persistent

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_COMPAT_PERSISTENT_H_INCLUDED
#define STELE_HTTP_COMPAT_PERSISTENT_H_INCLUDED

#include <jansson.h>
#include "http/server.h"

/*  Pack the filters of the query as those of task.list, into an open map; sets *limit. Returns false after an answer: one is not
    valid.                                                                   */
bool
    http_compat_persistent_pack (http_server_t *server, http_conn_t *conn, stele_pack_t *pack, int64_t *limit);

/*  The filters as they came, for "filter_applied". Caller owns return value. */
json_t *
    http_compat_persistent_filter (const http_request_t *request);

#endif
