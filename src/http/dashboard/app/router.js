// router - the address: #/tasks/ID?at=5
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { store } from "./lib.js";

const ADDRESS_MS = 250;             // Browsers refuse to change the address more than some times per second
let pending;

function parse(hash) {
    const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
    let parts;
    try {
        parts = path.split("/").filter(Boolean).map(decodeURIComponent);
    } catch {
        parts = ["not-found"];      // A percent sign that encodes nothing
    }
    return { page: parts[0] || "", id: parts[1], params: Object.fromEntries(new URLSearchParams(query)) };
}

// {page, id, params}: of "#/task/a%2Fb?at=5": "task", "a/b", {at: "5"}
export const route = store(parse(location.hash));
addEventListener("hashchange", () => {
    clearTimeout(pending);
    route.set(parse(location.hash));
});

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
    clearTimeout(pending);
    if (!replace) {
        location.hash = to;
        return;
    }
    pending = setTimeout(() => history.replaceState(null, "", to), ADDRESS_MS);
    route.set(parse(to));
}

// Change some parameters of the page that is shown
export const setParams = (change, replace = true) => {
    const { page, id, params } = route.get(), next = parse(location.hash);
    // Someone has gone to another page, which is not shown yet
    if (next.page !== page || next.id !== id)
        return;
    go(page, id, { ...params, ...change }, replace);
};
