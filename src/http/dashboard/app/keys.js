// keys - keys: those of the page that is shown, and of all pages
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { useEffect } from "./lib.js";

const layers = [];                  // Of {key: [what it does, function]}; the last one wins
let prefix = "";

const isField = (element) => element?.closest?.("input, select, textarea, [contenteditable]");

// Keys while the component is there, and as long as when(): {"j": ["next row", fn], "g o": […]}
export function useKeys(keys, when = () => true) {
    useEffect(() => {
        const layer = { keys, when };
        layers.push(layer);
        return () => layers.splice(layers.indexOf(layer), 1);
    });
}

export const allKeys = () => Object.entries(Object.assign({}, ...layers.map((one) => one.keys))).map(([key, [what]]) => [key, what]);

addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented)
        return;
    if (isField(event.target)) {
        if (event.key === "Escape")
            event.target.blur();
        return;
    }
    if (document.querySelector("dialog[open]"))
        return;
    const key = prefix + event.key;
    const layer = layers.findLast((one) => key in one.keys && one.when());
    prefix = !layer && layers.some((one) => Object.keys(one.keys).some((name) => name.startsWith(event.key + " "))) ? event.key + " " : "";
    if (!layer)
        return;
    // Enter on a link or a button is theirs
    if (event.key === "Enter" && event.target.closest?.("a, button, summary"))
        return;
    event.preventDefault();
    layer.keys[key][1](event);
});
