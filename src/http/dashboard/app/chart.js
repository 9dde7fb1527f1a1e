// chart - lines over time, drawn by uPlot
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, reloadOnce, useEffect, useRef, useStore } from "./lib.js";
import { num } from "./format.js";
import { prefs } from "./prefs.js";
import { formatTime, zoneName } from "./time.js";

let loading;

// uPlot is loaded with the first chart
function load() {
    loading ??= new Promise((resolve, reject) => {
        const style = document.createElement("link"), script = document.createElement("script");
        style.rel = "stylesheet";
        style.href = new URL("../vendor/uPlot.min.css", import.meta.url);
        script.src = new URL("../vendor/uPlot.iife.min.js", import.meta.url);
        script.onload = () => resolve(globalThis.uPlot);
        script.onerror = (error) => {
            loading = undefined;        // A later chart tries again
            reject(error);
        };
        document.head.append(style, script);
    });
    return loading;
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A value without neighbours has no line: draw it as a point
const lonely = (chart, one) => chart.data[one].flatMap((value, at, all) =>
    (value ?? null) !== null && (all[at - 1] ?? null) === null && (all[at + 1] ?? null) === null ? [at] : []);

function options(uPlot, element, { series, format, axis: axisFormat, height, bars, least }) {
    const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    return {
        width: element.clientWidth, height, padding: [6, 24, 0, 0], cursor: { y: false, points: { size: 6 } },
        legend: { show: true, live: true },
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zoneName()),
        scales: { ...(bars && { x: { range: (chart, low, high) => {
            const half = (high - low) / Math.max(1, chart.data[0].length - 1) / 2;
            return [low - half, high + half];
        } } }), y: { range: (chart, low, high) => [0, Math.max(high * 1.1, least)] } },
        axes: [{ ...axis, size: 26, space: 80, values: [[86400, "{YYYY}-{MM}-{DD}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", null, null, null,
            null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]] }, { ...axis, size: 58, values: (chart, ticks) => ticks.map(axisFormat) }],
        series: [{ value: (chart, seconds) => seconds === null ? "" : formatTime(seconds * 1000) }, ...series.map((one) => ({
            label: one.name, stroke: color(one.color), fill: one.fill && color(one.color) + "40", width: 1.5, points: bars ? { show: false } : { show: true, size: 5, filter: lonely },
            paths: bars ? uPlot.paths.bars({ size: [0.8, 40] }) : undefined,
            value: (chart, value) => value === null || value === undefined ? "–" : format(value) }))],
    };
}

// data: [seconds since 1970, values of the first series, …], null where there is none. series: [{name, color: a property of style.css
// ("--busy"), fill}]. format: of values, as text; axis: the
// same for an axis. bars instead of lines. The axis goes up to
// 'least' at least. 'label' says in words what is drawn.
export function Chart({ label, data, series, format = num, axis = format, height = 150, bars, least = 1 }) {
    const element = useRef(), chart = useRef(), latest = useRef(data);
    const { zone, theme } = useStore(prefs);
    const key = JSON.stringify([series, height, bars, zone, theme]);
    latest.current = data;
    useEffect(() => {
        let gone = false;
        const dark = matchMedia("(prefers-color-scheme: dark)");
        const draw = () => load().then((uPlot) => {
            if (gone)
                return;
            chart.current?.destroy();
            chart.current = new uPlot(options(uPlot, element.current, { series, format, axis, height, bars, least }), latest.current, element.current);
        }, reloadOnce);
        const observer = new ResizeObserver(() => element.current && chart.current?.setSize({ width: element.current.clientWidth, height }));
        observer.observe(element.current);
        dark.addEventListener("change", draw);
        draw();
        return () => {
            gone = true;
            observer.disconnect();
            dark.removeEventListener("change", draw);
            chart.current?.destroy();
            chart.current = null;
        };
    }, [key]);
    useEffect(() => chart.current?.setData(data), [data]);
    const last = (values) => values?.findLast((value) => value !== null && value !== undefined);
    const words = series.map((one, i) => `${one.name} ${last(data[i + 1]) === undefined ? "none" : format(last(data[i + 1]))}`).join(", ");
    return html`<div class="chart" ref=${element} role="img" aria-label="${label}: ${words}" />`;
}
