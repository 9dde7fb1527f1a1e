// task_timeline - states, sessions, commands and metrics of a task on one axis of time
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html } from "./lib.js";
import { between, line, num } from "./format.js";
import { formatTime } from "./time.js";
import { Panel } from "./widgets.js";

const BINS = 400;                   // Commands and values that would be at the same place are drawn once
const METRICS = 6;

// Marks in order of time, at most one for each bin; a 'bad' one wins. Each is {at, width, bad, title (), count}.
function binned(marks) {
    const bins = new Map();
    for (const mark of marks) {
        const bin = Math.floor(mark.at * BINS / 100), old = bins.get(bin);
        bins.set(bin, old ? { ...(mark.bad ? mark : old), count: old.count + 1, width: Math.max(old.width, mark.width) } : { ...mark, count: 1 });
    }
    return [...bins.values()];
}

const Lane = ({ name, children }) => html`<div class="lane"><span class="name" title=${name}>${name}</span><div class="marks">${children}</div>
    </div>`;

const Marks = ({ marks }) => binned(marks).map((mark) => html`<span class="mark ${mark.bad ? "bad" : ""}"
    style=${{ left: mark.at + "%", width: mark.width + "%" }}
    title=${mark.count > 1 ? `${mark.title()} (and ${mark.count - 1} more)` : mark.title()} />`);

// Values of one metric as a line
function Values({ values, place }) {
    const points = values.filter((one) => typeof one.value === "number" && Number.isFinite(one.value));
    const high = Math.max(...points.map((one) => one.value)), low = Math.min(0, ...points.map((one) => one.value));
    const y = (value) => high > low ? 19 - 18 * (value - low) / (high - low) : 10;
    const point = (one) => `${(place(one.timestamp) * 10).toFixed(1)} ${y(one.value).toFixed(1)}`;
    const path = points.length === 1 ? `M${point(points[0])}h1` : points.map((one, i) => (i ? "L" : "M") + point(one)).join("");
    return html`<svg viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" aria-label="${points.length} values up to ${high}"><path
        d=${path} /></svg>
        ${binned(points.map((one) => ({ at: place(one.timestamp), width: 0, title: () => `${formatTime(one.timestamp, true)}: ${num(one.value)} ${one.unit ?? ""}` })))
            .map((mark) => html`<span class="point" style=${{ left: mark.at + "%" }} title=${mark.title()} />`)}`;
}

// 'end': where the axis ends (ms). onMoment (position) is called with the state that was clicked.
export function Timeline({ history, sessions, commands, metrics, end, onMoment }) {
    const changes = history.filter((one) => one.state_to);
    if (!changes.length)
        return null;
    const start = Math.min(...[...changes, ...metrics, ...commands].map((one) => Date.parse(one.timestamp)));
    const stop = Math.max(end, start + 1, ...[...changes, ...metrics, ...commands].map((one) => Date.parse(one.timestamp)));
    const place = (time) => Math.max(0, Math.min(100, 100 * ((typeof time === "number" ? time : Date.parse(time)) - start) / (stop - start)));
    const names = new Map();
    for (const one of metrics)
        names.set(one.name, names.get(one.name) ?? []).get(one.name).push(one);
    const ticks = [0, 25, 50, 75, 100];
    return html`<${Panel} title="Timeline" wide><div class="timeline">
        <${Lane} name="state">${changes.map((one, i) => {
            const next = changes[i + 1]?.timestamp ?? stop, at = Math.min(place(one.timestamp), 99.5);
            const title = `${one.state_to} from ${formatTime(one.timestamp, true)}${changes[i + 1] ? ` for ${between(one.timestamp, next)}` : ""}, attempt ${one.attempt}`;
            return html`<button type="button" class="segment s-${one.state_to}"
                style=${{ left: at + "%", width: Math.max(place(next) - at, 0.5) + "%" }} title=${title}
                aria-label="${title}: show the task then" onClick=${() => onMoment(one.id)}>${place(next) - at > 6 ? one.state_to : ""}</button>`;
        })}</${Lane}>
        ${sessions.map((one) => html`<${Lane} name=${one.session_id}><span class="segment session s-${one.state}"
            title="${one.cli_tool ?? ""} ${one.state}, ${one.command_count} commands"
            style=${{ left: place(one.created_at) + "%", width: Math.max(place(one.completed_at ?? stop) - place(one.created_at), 0.3) + "%" }} /></${Lane}>`)}
        ${commands.length > 0 && html`<${Lane} name="commands"><${Marks} marks=${commands.map((one) => {
            const took = one.execution_time_ms ?? 0, at = Date.parse(one.timestamp);
            return { at: place(at - took), width: 100 * took / (stop - start), bad: one.exit_code !== undefined && one.exit_code !== 0,
                title: () => `${formatTime(one.timestamp, true)}: ${line(one.command, 120)}${one.exit_code ? ` → ${one.exit_code}` : ""}` };
        })} /></${Lane}>`}
        ${[...names].slice(0, METRICS).map(([name, values]) => html`<${Lane} name=${name}><${Values} values=${values} place=${place} /></${Lane}>`)}
        <div class="lane axis"><span class="name">${between(new Date(start).toISOString(), new Date(stop).toISOString())}</span><div class="marks">${ticks.map((at) => html`<span
            class="tick t-${at}" style=${{ left: at + "%" }}>${formatTime(start + (stop - start) * at / 100).slice(at ? 11 : 0)}</span>`)}</div></div>
        ${names.size > METRICS && html`<p class="quiet">${names.size - METRICS} more metrics are in the table below.</p>`}</div></${Panel}>`;
}
