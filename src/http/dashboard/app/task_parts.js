// task_parts - parts of the page of a task: record, history, difference, sessions, metrics, children
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useEffect, useMemo, useState } from "./lib.js";
import { ansiLines } from "./ansi.js";
import { idPath, useQuery } from "./api.js";
import { between, duration, line, num, plural } from "./format.js";
import { useLog } from "./log.js";
import { href, setParams } from "./router.js";
import { Table } from "./table.js";
import { Dialog, Empty, Facts, Panel, Result, State, TaskLink, Time } from "./widgets.js";

// What the record shows in places of its own, or is not for people
const PLACED = ["task_id", "title", "state", "description", "created_at", "updated_at", "started_at", "completed_at", "position", "role", "provider", "model",
    "attempt", "error_count", "last_error", "producer", "parent_id", "user_id", "interrupted", "interruptions"];

const Json = ({ value }) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return html`<pre>${text.length < 200 || typeof value === "string" ? text : JSON.stringify(value, null, 2)}</pre>`;
};

const Owner = ({ owner }) => owner && html`${owner.producer}: ${owner.status}, ${owner.silent_ms === null || owner.silent_ms === undefined ? "not heard since the start" :
    `heard ${duration(owner.silent_ms * 1000)} ago`}${owner.lease_ms ? `, lease ${duration(owner.lease_ms * 1000)}` : ", no lease"}`;

export function Record({ data: { task, heard_at, owner }, at }) {
    const others = Object.entries(task).filter(([name]) => !PLACED.includes(name));
    return html`<${Panel} title="Record" wide>${task.last_error && html`<pre class="error">${task.last_error}</pre>`}<${Facts} rows=${[
        ["role", task.role], ["provider", task.provider], ["model", task.model], ["user", task.user_id],
        ["created", html`<${Time} at=${task.created_at} precise />`],
        ["started", task.started_at && html`<${Time} at=${task.started_at} precise /> <span
            class="quiet">after ${between(task.created_at, task.started_at)}</span>`],
        ["ended", task.completed_at && html`<${Time} at=${task.completed_at} precise /> <span
            class="quiet">ran ${between(task.started_at, task.completed_at)}</span>`],
        ["updated", html`<${Time} at=${task.updated_at} precise />`],
        ["attempt", num(task.attempt)], ["errors", task.error_count ? num(task.error_count) : ""], ["interruptions", task.interruptions && num(task.interruptions)],
        ["parent", task.parent_id && html`<${TaskLink} id=${task.parent_id} at=${at} />`],
        ["producer", owner ? html`<${Owner} owner=${owner} />` : task.producer], ["heard", heard_at && html`<${Time} at=${heard_at} precise />`],
        ["position", num(task.position)],
        ...others.map(([name, value]) => typeof value === "object" || String(value).includes("\n") ? [name, html`<${Json} value=${value} />`, true] :
            [name, String(value)])]} />
        ${task.description && html`<details open=${task.description.length < 600}><summary>Description</summary><pre>${task.description}</pre>
            </details>`}</${Panel}>`;
}

export function History({ history, at, difference }) {
    const columns = [
        { key: "id", title: "Position", num: true, cell: (one) => html`<a href="#" title="Show the task after this event" onClick=${(event) => {
            event.preventDefault();
            setParams({ at: one.id }, false);
        }}>${num(one.id)}</a>` },
        { key: "timestamp", title: "Time", cell: (one) => html`<${Time} at=${one.timestamp} precise />` },
        { key: "after", title: "After", num: true, cell: (one) => between(one.before?.timestamp, one.timestamp) },
        { key: "state", title: "State", cell: (one) => one.state_to && one.type !== "task.updated" ? html`<${State} state=${one.state_to} />
            ${one.interrupted ? " interrupted" : ""}` : one.type.replace("task.", "") },
        { key: "attempt", title: "Attempt", num: true, cell: (one) => num(one.attempt) },
        { key: "model", title: "Model", cell: (one) => [one.provider, one.model].filter(Boolean).join(" / ") },
        { key: "text", title: "What", cell: (one) => {
            const text = [one.error_message, one.changes && JSON.stringify(one.changes), one.details && JSON.stringify(one.details)].filter(Boolean).join(" ");
            return html`<span title=${line(text, 2000)}>${line(text)}</span>`;
        } },
        { key: "compare", title: "Compare", cell: (one) => html`<button type="button" class="small"
            aria-pressed=${difference.includes(one.id) ? "true" : "false"}
            aria-label="Compare position ${one.id}" onClick=${() => setParams({ compare: [...difference.filter((id) => id !== one.id), ...(difference.includes(one.id) ? [] :
            [one.id])].slice(-2).join() })}>≠</button>` },
    ];
    const rows = useMemo(() => history.map((one, i) => ({ ...one, before: history[i - 1] })), [history]);
    return html`<${Panel} title="History" wide><div class="short"><${Table} label="History" columns=${columns} pager=${{ rows, done: true }}
        rowKey=${(one) => one.id}
        empty=${at ? "Nothing had happened yet." : "No changes."} /></div></${Panel}>`;
}

// Two records of the past, field by field
export function Difference({ id, positions }) {
    const [a, b] = [...positions].sort((x, y) => x - y);
    const path = `v1/tasks/${idPath(id)}`;
    const older = useQuery(path, { at: a }), newer = useQuery(path, { at: b });
    const close = html`<button type="button" onClick=${() => setParams({ compare: "" })}>Close</button>`;
    return html`<${Panel} title="Difference between position ${num(a)} and ${num(b)}" wide actions=${close}><${Result} query=${older}>
        ${(from) => html`<${Result}
        query=${newer}>${(to) => {
        const text = (value) => value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value, null, 1);
        const names = [...new Set([...Object.keys(from.task), ...Object.keys(to.task)])].filter((name) => text(from.task[name]) !== text(to.task[name]));
        return names.length ? html`<div class="scroll" tabIndex="0" role="group" aria-label="Difference"><table class="plain difference"><thead>
            <tr><th>field</th><th>at ${num(a)}</th><th>at ${num(b)}</th></tr></thead>
            <tbody>${names.map((name) => html`<tr><td>${name}</td><td><pre>${text(from.task[name])}</pre></td><td><pre>
                ${text(to.task[name])}</pre></td></tr>`)}</tbody>
            </table></div>` : html`<${Empty}>The records are equal.</${Empty}>`;
    }}</${Result}>`}</${Result}></${Panel}>`;
}

export function CommandText({ command, onClose }) {
    const query = useQuery(`v1/sessions/${idPath(command.session_id)}/commands`, { cursor: command.id - 1, limit: 1 });
    return html`<${Dialog} title="Command at position ${num(command.id)}" onClose=${onClose}><pre class="command">${command.command}</pre>
        <${Result} query=${query}>${({ commands }) =>
        html`<div class="log wrap" tabIndex="0" role="group" aria-label="Output">
            ${commands[0]?.output ? ansiLines(String(commands[0].output)).slice(0, 5000).map((one) => html`<div class="line"><span
            class="text">${one.pieces ? one.pieces.map((piece) => html`<span class=${piece.name} style=${piece.css}>
                ${piece.text}</span>`) : one.text}</span></div>`) :
            html`<p class="quiet">No output.</p>`}</div>`}</${Result}><div class="buttons"><button type="button"
                onClick=${onClose}>Close</button></div></${Dialog}>`;
}

// The commands of a session; their outputs are read when one is opened
export function Session({ session, high, attempt, onCommands }) {
    const [open, setOpen] = useState(null);
    const log = useLog(`v1/sessions/${idPath(session.session_id)}/commands`, { output_offset: 0, output_length: 0 }, "commands");
    useEffect(() => onCommands(session.session_id, log.rows), [log.rows]);
    useEffect(() => {
        if (log.rows.length && log.rows.length < session.command_count)
            log.grow();
    }, [session.command_count]);
    const rows = log.rows.filter((one) => (!high || one.id <= high) && (!attempt || one.attempt === attempt));
    const columns = [
        { key: "timestamp", title: "Time", cell: (one) => html`<${Time} at=${one.timestamp} precise />` },
        { key: "attempt", title: "Attempt", num: true, cell: (one) => num(one.attempt) },
        { key: "command", title: "Command", cell: (one) => html`<button type="button" class="plain mono link" title=${line(one.command, 1000)}
            onClick=${() => setOpen(one)}>${line(one.command)}</button>` },
        { key: "exit", title: "Exit", num: true, cell: (one) => one.exit_code ? html`<strong class="bad">
            ${one.exit_code}</strong>` : num(one.exit_code) },
        { key: "took", title: "Took", num: true, cell: (one) => one.execution_time_ms === undefined ? "" : duration(one.execution_time_ms * 1000) },
    ];
    const about = html`<span class="quiet">${[session.cli_tool, session.mode, session.current_directory].filter(Boolean).join(" · ")}</span> <${State} state=${session.state} />`;
    return html`<${Panel} title="Session ${session.session_id}: ${plural(session.command_count, "command")}" wide actions=${about}><div
        class="short"><${Table}
        label="Commands of ${session.session_id}" columns=${columns} pager=${{ rows, done: true, error: log.error }} rowKey=${(one) => one.id} onOpen=${setOpen} empty="No commands." /></div>
        ${open && html`<${CommandText} command=${open} onClose=${() => setOpen(null)} />`}</${Panel}>`;
}

export function Metrics({ metrics, left }) {
    const rows = useMemo(() => {
        const groups = new Map();
        for (const one of metrics) {
            const key = one.name + "\n" + (one.unit ?? ""), value = typeof one.value === "number" ? one.value : NaN, old = groups.get(key);
            groups.set(key, old ? { ...old, last: one, count: old.count + 1, sum: old.sum + value, low: Math.min(old.low, value), high: Math.max(old.high, value) } :
                { key, name: one.name, unit: one.unit, last: one, count: 1, sum: value, low: value, high: value });
        }
        return [...groups.values()];
    }, [metrics]);
    const exact = (value) => Number.isNaN(value) ? "" : num(value);      // Not of what is not a number of JavaScript
    const columns = [
        { key: "name", title: "Metric", cell: (one) => one.name }, { key: "unit", title: "Unit", cell: (one) => one.unit },
        { key: "count", title: "Values", num: true, cell: (one) => num(one.count) }, { key: "last", title: "Last", num: true, cell: (one) => num(one.last.value) },
        { key: "sum", title: "Sum", num: true, cell: (one) => exact(one.sum) }, { key: "low", title: "Lowest", num: true, cell: (one) => exact(one.low) },
        { key: "high", title: "Highest", num: true, cell: (one) => exact(one.high) },
        { key: "time", title: "Time of the last", cell: (one) => html`<${Time} at=${one.last.timestamp} precise />` },
    ];
    return rows.length > 0 && html`<${Panel} title="Metrics" wide><div class="short"><${Table} label="Metrics" columns=${columns}
        pager=${{ rows, done: true }} rowKey=${(one) => one.key} /></div>${left && html`<p
        class="quiet">Of the first ${num(metrics.length)} values.</p>`}</${Panel}>`;
}

export function Children({ id, at }) {
    const query = useQuery("v1/tasks", { parent_id: id, limit: 20, total: true, at });
    const { tasks = [], total } = query.data ?? {};
    return tasks.length > 0 && html`<${Panel} title="Children" wide actions=${html`<a
        href=${href("tasks", null, { parent_id: id, at })}>all ${num(total)}</a>`}><ul class="rows">${tasks.map((task) =>
        html`<li><${State} state=${task.state} /><span class="cut id"><${TaskLink} id=${task.task_id} at=${at} /></span><span class="cut">
            ${task.title}</span><${Time} at=${task.updated_at} /></li>`)}</ul></${Panel}>`;
}
