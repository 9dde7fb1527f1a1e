// lib - Preact, its hooks and htm under one name, and a value that components can watch
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { h, render, Fragment } from "../vendor/preact.mjs";
import { useEffect, useState } from "../vendor/hooks.mjs";
import htm from "../vendor/htm.mjs";

export * from "../vendor/hooks.mjs";
export { h, render, Fragment };
export const html = htm.bind(h);

// For a file that cannot be loaded: after an upgrade of the server, the files of an open page are gone. Loads the page again, once.
// Not while the server is away: the browser would show an error instead of the page.
export async function reloadOnce() {
    if (sessionStorage.getItem("reloaded") === import.meta.url || !await fetch("healthz").then((answer) => answer.ok, () => false))
        return;
    sessionStorage.setItem("reloaded", import.meta.url);
    location.reload();
}

// A value outside of components: get, set, watch
export function store(value) {
    const watchers = new Set();
    return {
        get: () => value,
        set(next) {
            if (Object.is(next, value))
                return;
            value = next;
            for (const watcher of [...watchers])
                watcher(value);
        },
        watch(watcher) {
            watchers.add(watcher);
            return () => watchers.delete(watcher);
        },
    };
}

// The value of a store; the component renders again when it changes
export function useStore(from) {
    const [value, setValue] = useState(from.get());
    useEffect(() => {
        setValue(() => from.get());
        return from.watch((next) => setValue(() => next));
    }, [from]);
    return value;
}
