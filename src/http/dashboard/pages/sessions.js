// sessions - sessions of command-line tools, and the commands that ran in them
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useMemo, useState } from "../app/lib.js";
import { idPath, useQuery } from "../app/api.js";
import { ansiLines } from "../app/ansi.js";
import { duration, line, num } from "../app/format.js";
import { usePager } from "../app/pager.js";
import { go, href, setParams } from "../app/router.js";
import { Table } from "../app/table.js";
import { CommandText } from "../app/task_parts.js";
import { Choices, Facts, Panel, Result, State, TaskLink, Time } from "../app/widgets.js";

const STATES = ["initializing", "starting", "running", "waiting_input", "processing", "completed", "error", "terminated"];
const START = 200;                  // Bytes of an output in a list

const SessionLink = ({ id }) => html`<a href=${href("sessions", id)}>${id}</a>`;
const Exit = ({ code }) => code === undefined ? null : html`<span class="state ${code === 0 ? "s-passed" : "s-failed"}">${code}</span>`;

const plain = (output) => typeof output === "string" ? ansiLines(output).map((one) => one.text).join(" ") : output;

// Of one session, or of all
function Commands({ path, query, session }) {
    const part = useMemo(() => ({ ...query, output_offset: 0, output_length: START }), [query]);
    const pager = usePager(path, part, "commands");
    const [shown, setShown] = useState(null);
    const columns = [
        { title: "Time", cell: (row) => html`<${Time} at=${row.timestamp} />` },
        { title: "Exit", cell: (row) => html`<${Exit} code=${row.exit_code} />` },
        { title: "Duration", num: true, cell: (row) => duration(row.execution_time_ms * 1000) },
        { title: "Command", cell: (row) => html`<button type="button" class="plain link mono" onClick=${() => setShown(row)}>${line(row.command, 120)}</button>` },
        { title: "Output", cell: (row) => html`<span class="mono quiet">${line(plain(row.output), 120)}</span>` },
        ...(session ? [] : [{ title: "Session", cell: (row) => html`<${SessionLink} id=${row.session_id} />` }]),
    ];
    return html`<${Table} label="Commands" columns=${columns} pager=${pager} rowKey=${(row) => row.id} onOpen=${setShown} empty="No command." />
        ${shown && html`<${CommandText} command=${shown} onClose=${() => setShown(null)} />`}`;
}

function Times({ id }) {
    const query = useQuery("v1/session-times", { session_id: id });
    return html`<${Panel} title="How its time was spent"><${Result} query=${query}>${({ times: [one] }) => html`<${Facts} rows=${[
        ["In all", duration(one.wall_us)], ...Object.entries(one.by_state).map(([state, us]) => [html`<${State} state=${state} />`, duration(us)]),
        ["Commands", `${num(one.commands)}, ${num(one.failed)} of them failed`], ["They took", duration(one.execution_time_ms * 1000)]]} />`}</${Result}></${Panel}>`;
}

// What the facts have names for; the rest is shown as it is
const KNOWN = ["session_id", "state", "cli_tool", "mode", "current_directory", "task_id", "user_id", "created_at", "updated_at",
    "completed_at", "command_count", "position", "pid"];

function Session({ id }) {
    const query = useQuery("v1/sessions/" + idPath(id));
    const none = useMemo(() => ({}), []);
    return html`<div class="head"><a href=${href("sessions")}>Sessions</a><h1>${id}</h1></div>
        <${Result} query=${query}>${({ session: one }) => html`<div class="panels"><${Panel} title="Session"><${Facts} rows=${[
            ["State", html`<${State} state=${one.state} />`], ["Tool", one.cli_tool], ["Mode", one.mode], ["Folder", one.current_directory],
            ["Task", one.task_id && html`<${TaskLink} id=${one.task_id} />`], ["User", one.user_id], ["Process", one.pid],
            ["Started", html`<${Time} at=${one.created_at} precise />`], ["Last event", html`<${Time} at=${one.updated_at} precise />`],
            ["Ended", one.completed_at && html`<${Time} at=${one.completed_at} precise />`], ["Commands", num(one.command_count)],
            ...Object.entries(one).filter(([name]) => !KNOWN.includes(name)).map(([name, value]) => [name, line(value, 1000)])]} /></${Panel}>
            <${Times} id=${id} /></div><${Commands} path="v1/sessions/${idPath(id)}/commands" query=${none} session />`}</${Result}>`;
}

const COLUMNS = [
    { title: "Session", cell: (row) => html`<${SessionLink} id=${row.session_id} />` },
    { title: "State", cell: (row) => html`<${State} state=${row.state} />` },
    { title: "Tool", cell: (row) => row.cli_tool },
    { title: "Task", cell: (row) => row.task_id && html`<${TaskLink} id=${row.task_id} />` },
    { title: "Commands", num: true, cell: (row) => num(row.command_count) },
    { title: "Started", cell: (row) => html`<${Time} at=${row.created_at} />` },
    { title: "Last event", cell: (row) => html`<${Time} at=${row.updated_at} />` },
    { title: "Ended", cell: (row) => html`<${Time} at=${row.completed_at} />` },
    { title: "Folder", cell: (row) => row.current_directory },
];

function List({ states, task }) {
    const chosen = states ? states.split(",") : [];
    const query = useMemo(() => ({ states, task_id: task }), [states, task]);
    const pager = usePager("v1/sessions", query, "sessions");
    return html`<div class="toolbar"><${Choices} label="States" words=${STATES} chosen=${chosen} onChange=${(words) =>
            setParams({ states: words.join(",") })} />
        <label>Task <input data-search value=${task ?? ""} onChange=${(event) => setParams({ task: event.target.value.trim() })} /></label></div>
        <${Table} label="Sessions" columns=${COLUMNS} pager=${pager} rowKey=${(row) => row.session_id}
            onOpen=${(row) => go("sessions", row.session_id)} empty="No session." />`;
}

const VIEWS = { "": "Sessions", commands: "Commands", failed: "Failed commands" };

export default function Sessions({ id, params: { show = "", states, task } }) {
    const query = useMemo(() => ({ failed: show === "failed" || undefined }), [show]);
    if (id)
        return html`<${Session} id=${id} />`;
    return html`<div class="head"><h1>Sessions</h1><div class="choices" role="group" aria-label="What is listed">${Object.entries(VIEWS).map(
        ([key, name]) => html`<button type="button" aria-pressed=${key === show ? "true" : "false"} onClick=${() => go("sessions", null, { show: key })}>
        ${name}</button>`)}</div></div>
        ${show ? html`<${Commands} path="v1/commands" query=${query} />` : html`<${List} states=${states} task=${task} />`}`;
}
