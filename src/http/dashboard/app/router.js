// router - the address: #/tasks/ID?at=5
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { store } from "./lib.js";

function parse() {
    const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
    let parts;
    try {
        parts = path.split("/").filter(Boolean).map(decodeURIComponent);
    } catch {
        parts = ["not-found"];      // A percent sign that encodes nothing
    }
    return { page: parts[0] || "", id: parts[1], params: Object.fromEntries(new URLSearchParams(query)) };
}

// {page, id, params}: of "#/task/a%2Fb?at=5": "task", "a/b", {at: "5"}
export const route = store(parse());
addEventListener("hashchange", () => route.set(parse()));

export function href(page, id, params = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(params))
        if (value !== undefined && value !== null && value !== "" && value !== false)
            query.set(name, value);
    const text = query.toString();
    return "#/" + page + (id === undefined || id === null ? "" : "/" + encodeURIComponent(id)) + (text ? "?" + text : "");
}

// 'replace' leaves no step in the history of the browser: for what changes while someone types or drags
export function go(page, id, params, replace = false) {
    const to = href(page, id, params);
    if (!replace)
        location.hash = to;
    else {
        history.replaceState(null, "", to);
        route.set(parse());
    }
}

// Change some parameters of the page that is shown
export const setParams = (change, replace = true) => {
    const { page, id, params } = parse(), shown = route.get();
    // Someone has gone to another page, which is not shown yet
    if (page !== shown.page || id !== shown.id)
        return;
    go(page, id, { ...params, ...change }, replace);
};
