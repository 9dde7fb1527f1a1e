// format - numbers, durations and sizes as text
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

// Exact, with separators: 1,234,567. A number beyond 2^53 arrives as its digits (api.js).
export function num(value) {
    if (value === undefined || value === null)
        return "";
    if (typeof value === "object")      // NaN and the infinities: {"$float": "NaN"}
        return value.$float ?? JSON.stringify(value);
    const text = String(value), [, sign, whole, rest] = /^(-?)(\d+)(.*)$/.exec(text) || [];
    return whole === undefined ? text : sign + whole.replace(/\B(?=(\d{3})+$)/g, ",") + rest;
}

export const plural = (count, one, many = one + "s") => `${num(count)} ${count === 1 ? one : many}`;

const three = (value) => value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

// "12.3 ms", "44.8 s", "2 h 05 min" from microseconds
export function duration(us) {
    if (us === undefined || us === null || !Number.isFinite(us))
        return "";
    if (us < 0)
        return "-" + duration(-us);
    if (us < 1000)
        return Math.round(us) + " µs";
    if (us < 999500)
        return three(us / 1000) + " ms";
    const s = us / 1e6;
    if (s < 59.95)
        return three(s) + " s";
    const two = (number) => String(Math.floor(number)).padStart(2, "0");
    if (s < 3599.5)
        return `${Math.floor(Math.round(s) / 60)} min ${two(Math.round(s) % 60)} s`;
    if (s < 86400)
        return `${Math.floor(s / 3600)} h ${two(s / 60 % 60)} min`;
    return `${Math.floor(s / 86400)} d ${two(s / 3600 % 24)} h`;
}

// The same, with one unit, for an axis: "6.7 min"
export function shortDuration(us) {
    const [size, unit] = [[8.64e10, "d"], [3.6e9, "h"], [6e7, "min"], [1e6, "s"], [1000, "ms"], [1, "µs"]].find(([one]) => us >= one) ?? [1, "µs"];
    return Number((us / size).toPrecision(3)) + " " + unit;
}

// Between two times of the API
export const between = (from, to) => from && to ? duration((Date.parse(to) - Date.parse(from)) * 1000) : "";

export function bytes(size) {
    if (size === undefined || size === null)
        return "";
    if (size < 1024)
        return num(size) + " B";
    let unit = -1;
    do {
        size /= 1024;
        unit++;
    } while (size >= 1023.5 && unit < 4);
    return three(size) + " " + ["KiB", "MiB", "GiB", "TiB", "PiB"][unit];
}

export const rate = (perSecond) => perSecond === null || perSecond === undefined ? "" :
    perSecond >= 100 ? num(Math.round(perSecond)) : perSecond.toFixed(perSecond >= 10 ? 1 : 2);

// A value that may be text, bytes or anything as one line
export function line(value, limit = 300) {
    const text = value === undefined || value === null ? "" : typeof value === "string" ? value :
        typeof value === "object" && "$bin" in value ? "(bytes)" : JSON.stringify(value);
    const first = text.slice(0, limit + 1).replace(/\s+/g, " ");
    return first.length > limit ? first.slice(0, limit) + "…" : first;
}
