// prefs - preferences of this browser: time zone, theme, columns
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { store } from "./lib.js";

const KEY = "stele";
const DEFAULTS = { zone: "local", theme: "auto", columns: {} };

function load() {
    try {
        return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY)) };
    } catch {
        return DEFAULTS;            // No storage, or not ours
    }
}

export const prefs = store(load());

export function setPref(name, value) {
    prefs.set({ ...prefs.get(), [name]: value });
    try {
        localStorage.setItem(KEY, JSON.stringify(prefs.get()));
    } catch {
        // Kept until the page is closed
    }
}

function applyTheme() {
    const theme = prefs.get().theme;
    if (theme === "auto")
        delete document.documentElement.dataset.theme;
    else
        document.documentElement.dataset.theme = theme;
}

// Another tab changes them
addEventListener("storage", (event) => event.key === KEY && prefs.set(load()));
prefs.watch(applyTheme);
applyTheme();
