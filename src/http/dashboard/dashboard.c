/*  dashboard - the page for browsers at /, and its files under /ui

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "http/dashboard/assets.h"
#include "http/dashboard/dashboard.h"
#include "http/gzip.h"

//  Only files of this server run, and they talk to this server alone. No page may put this one into a frame.
#define POLICY "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " \
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static const http_asset_t *
s_find (const http_route_t *route, const http_target_t *target)
{
    http_span_t version = http_route_segment (route, target, "version");
    http_span_t folder = http_route_segment (route, target, "folder"), file = http_route_segment (route, target, "file");
    if (version.data && strcmp (version.data, http_assets_version) != 0)
        return NULL;
    char name [128] = "index.html";
    if (file.data)
        snprintf (name, sizeof name, "%s/%s", folder.data, file.data);
    const http_asset_t *asset = http_assets;
    while (asset->name && strcmp (asset->name, name) != 0)
        asset++;
    return asset->name? asset: NULL;
}

static void
s_send (http_conn_t *conn, const http_asset_t *asset)
{
    size_t size;
    http_conn_field (conn, "Vary", "Accept-Encoding");
    if (http_span_lists (http_conn_request (conn)->head.fields [HTTP_ACCEPT_ENCODING], "gzip")) {
        http_conn_field (conn, "Content-Encoding", "gzip");
        http_conn_answer (conn, 200, asset->type, asset->data, asset->size, false);
        return;
    }
    char *plain = http_gunzip (asset->data, asset->size, &size);
    http_conn_answer (conn, 200, asset->type, plain, size, false);
    free (plain);
}

void
http_dashboard_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    const http_request_t *request = http_conn_request (conn);
    const http_asset_t *asset = s_find (route, &request->target);
    http_span_t known = request->head.fields [HTTP_IF_NONE_MATCH];
    char etag [64];
    if (!asset) {
        http_conn_field (conn, "Cache-Control", "no-store");
        http_server_refuse (server, conn, 404, "the dashboard of this version has no such file: load / again");
        return;
    }
    snprintf (etag, sizeof etag, "W/\"%s\"", http_assets_version);
    http_conn_field (conn, "ETag", "%s", etag);
    //  The path of a file has the version in it, that of the page does not
    http_conn_field (conn, "Cache-Control", "%s", route == &http_routes [HTTP_ROUTE_DASHBOARD]? "no-cache":
        "public, max-age=31536000, immutable");
    http_conn_field (conn, "Content-Security-Policy", "%s", POLICY);
    http_conn_field (conn, "Referrer-Policy", "no-referrer");
    http_conn_field (conn, "Cross-Origin-Opener-Policy", "same-origin");
    if (http_span_is (known, "*") || http_span_lists (known, etag) || http_span_lists (known, etag + 2))
        http_conn_answer (conn, 304, "", "", 0, false);
    else
        s_send (conn, asset);
}
