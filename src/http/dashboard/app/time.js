// time - times in the chosen zone, and back
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useStore } from "./lib.js";
import { prefs } from "./prefs.js";

const formatters = new Map();
const LOCAL = Intl.DateTimeFormat().resolvedOptions().timeZone;   // Takes long to ask

export const zoneName = () => {
    const zone = prefs.get().zone;
    return zone === "local" ? LOCAL : zone;
};

export const zones = () => ["local", "UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];

function formatter(zone) {
    if (!formatters.has(zone))
        formatters.set(zone, new Intl.DateTimeFormat("sv-SE", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit",
            hour: "2-digit", minute: "2-digit", second: "2-digit" }));
    return formatters.get(zone);
}

const ms = (time) => typeof time === "number" ? time : Date.parse(time);

// "2026-03-02 09:00:08" in the chosen zone; with 'precise' also milliseconds. 'time' is RFC 3339, or milliseconds since 1970.
export function formatTime(time, precise = false) {
    const at = ms(time);
    if (!Number.isFinite(at))
        return "";
    const text = formatter(zoneName()).format(at);
    return precise ? text + "." + String(Math.floor(((at % 1000) + 1000) % 1000)).padStart(3, "0") : text;
}

// "2026-03-02T09:00:08.123456Z", as it came
const formatUtc = (time) => typeof time === "string" ? time : Number.isFinite(time) ? new Date(time).toISOString() : "";

// "+09:00" of the chosen zone at that time
export function formatOffset(time) {
    const minutes = offsetOf(ms(time));
    const sign = minutes < 0 ? "-" : "+", size = Math.abs(minutes), two = (number) => String(number).padStart(2, "0");
    return `${sign}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

// Minutes by which the clocks of the chosen zone are ahead of UTC
function offsetOf(at) {
    const local = Date.parse(formatter(zoneName()).format(at).replace(" ", "T") + "Z");
    return Math.round((local - Math.floor(at / 1000) * 1000) / 60000);
}

// The instant of "2026-03-02 09:00" or "2026-03-02T09:00:08" in the chosen zone, as RFC 3339; "" if it is none.
// A time that a change of the clocks skips is that much later.
export function parseTime(text) {
    if (/:.*(z|[+-]\d\d:\d\d)$/i.test(text.trim()) && Number.isFinite(Date.parse(text)))
        return new Date(text).toISOString();
    const wanted = Date.parse(text.trim().replace(" ", "T") + (text.includes(":") ? "" : "T00:00") + "Z");
    if (!Number.isFinite(wanted))
        return "";
    let at = wanted - offsetOf(wanted) * 60000;
    at = wanted - offsetOf(at) * 60000;
    return new Date(at).toISOString();
}

// A field for a time; onChange gets an instant, or ""
export const TimeField = ({ label, value, onChange }) => html`<label>${label} <input size="17" placeholder="2026-03-02 09:00" title="In the zone ${zoneName()}"
    value=${value ? formatTime(value) : ""} onChange=${({ target }) => {
        const at = parseTime(target.value);
        target.setCustomValidity(target.value && !at ? "Write 2026-03-02 09:00" : "");
        if (target.reportValidity())
            onChange(at);
    }} /></label>`;

// A time, with UTC when the pointer rests on it
export function Time({ at, precise }) {
    useStore(prefs);
    if (at === undefined || at === null || at === "")
        return null;
    return html`<time dateTime=${formatUtc(at)} title="${formatUtc(at)} (UTC)">${formatTime(at, precise)}</time>`;
}
