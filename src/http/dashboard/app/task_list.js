// task_list - a list of tasks with the columns that were chosen
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useCallback, useState, useStore } from "./lib.js";
import { between, line, num } from "./format.js";
import { useTasks } from "./live.js";
import { usePager } from "./pager.js";
import { prefs, setPref } from "./prefs.js";
import { go, setParams } from "./router.js";
import { Table } from "./table.js";
import { State, TaskLink, Time } from "./widgets.js";
import { listQuery } from "./task_filters.js";

// key: of the record, and of the column in a CSV file. The waiting and running times are differences.
const COLUMNS = [
    { key: "state", title: "State", cell: (task) => html`<${State} state=${task.state} />${task.interrupted ? html` <span
        class="quiet">interrupted</span>` : ""}` },
    { key: "task_id", title: "ID", cell: (task, at) => html`<${TaskLink} id=${task.task_id} at=${at} />` },
    { key: "title", title: "Title", cell: (task) => html`<span title=${line(task.title)}>${line(task.title)}</span>` },
    { key: "role", title: "Role", cell: (task) => task.role },
    { key: "provider", title: "Provider", cell: (task) => task.provider },
    { key: "model", title: "Model", cell: (task) => task.model },
    { key: "created_at", title: "Created", sort: "created", cell: (task) => html`<${Time} at=${task.created_at} />` },
    { key: "updated_at", title: "Updated", sort: "updated", cell: (task) => html`<${Time} at=${task.updated_at} />` },
    { key: "started_at", title: "Started", cell: (task) => html`<${Time} at=${task.started_at} />` },
    { key: "completed_at", title: "Ended", sort: "completed", cell: (task) => html`<${Time} at=${task.completed_at} />` },
    { key: "wait", title: "Waited", num: true, derived: true, cell: (task) => between(task.created_at, task.started_at) },
    { key: "run", title: "Ran", num: true, derived: true, cell: (task) => between(task.started_at, task.completed_at) },
    { key: "attempt", title: "Attempt", num: true, cell: (task) => num(task.attempt) },
    { key: "error_count", title: "Errors", num: true, cell: (task) => task.error_count ? num(task.error_count) : "" },
    { key: "last_error", title: "Last error", cell: (task) => html`<span title=${line(task.last_error, 1000)}>${line(task.last_error)}</span>` },
    { key: "producer", title: "Producer", cell: (task) => task.producer },
    { key: "user_id", title: "User", cell: (task) => task.user_id },
    { key: "parent_id", title: "Parent", cell: (task, at) => task.parent_id && html`<${TaskLink} id=${task.parent_id} at=${at} />` },
    { key: "branch", title: "Branch", cell: (task) => task.branch },
    { key: "position", title: "Position", num: true, cell: (task) => num(task.position) },
];
const DEFAULT = ["state", "task_id", "title", "role", "model", "created_at", "updated_at", "run", "last_error"];

// Those of the address, else of this browser
export function shownColumns(params, chosen) {
    const keys = params.columns ? params.columns.split(",") : chosen.tasks ?? DEFAULT;
    const columns = COLUMNS.filter((one) => keys.includes(one.key));
    return columns.length ? columns : COLUMNS.filter((one) => DEFAULT.includes(one.key));
}

export function ColumnChooser({ params }) {
    const shown = shownColumns(params, useStore(prefs).columns).map((one) => one.key);
    const toggle = (key) => {
        const keys = shown.includes(key) ? shown.filter((one) => one !== key) : [...shown, key];
        setPref("columns", { ...prefs.get().columns, tasks: keys });
        setParams({ columns: keys.join(",") });
    };
    return html`<details class="popup"><summary>Columns</summary><div>${COLUMNS.map((one) => html`<label><input type="checkbox"
        checked=${shown.includes(one.key)}
        onChange=${() => toggle(one.key)} /> ${one.title}</label>`)}</div></details>`;
}

// {pager, changed}: the list of the parameters. Rows that are shown follow the live stream; 'changed' counts the tasks that changed
// besides, so that the list is only read again when its reader wants it.
export function useTaskList(params) {
    const query = listQuery(params);
    const pager = usePager("v1/tasks", { ...query, total: true }, "tasks");
    const [seen, setSeen] = useState({ positions: [] });
    const since = pager.first;
    useTasks(useCallback((tasks, count) => {
        const others = tasks.filter((task) => !pager.update(task, (a, b) => a.task_id === b.task_id)).map((task) => task.position);
        const many = count - tasks.length;
        if (others.length + many > 0)
            setSeen((old) => ({ since, many: (old.since === since ? old.many : 0) + many, positions: old.positions.concat(others).slice(-999) }));
    }, [since]), !params.at);
    // A list that was requested before a change may arrive after it
    const changed = (seen.since === since && seen.many || 0) + seen.positions.filter((one) => one > since?.position).length;
    return { pager, query, changed };
}

export function total({ first }) {
    if (first?.total === undefined)
        return "";
    return `${first.total_complete === false ? "at least " : ""}${num(first.total)} ${first.total === 1 ? "task" : "tasks"}`;
}

export function TaskTable({ params, pager, at, label = "Tasks" }) {
    const chosen = useStore(prefs).columns;
    const columns = shownColumns(params, chosen).map((one) => ({ ...one, cell: (task) => one.cell(task, at) }));
    const filtered = Object.keys(listQuery(params)).some((name) => name !== "order" && name !== "at");
    return html`<${Table} label=${label} columns=${columns} pager=${pager} rowKey=${(task) => task.task_id} total=${pager.first?.total}
        sorted=${params.order || "created_desc"} onSort=${(order) => setParams({ order: order === "created_desc" ? "" : order })}
        onOpen=${(task) => go("task", task.task_id, { at })} empty=${filtered ? "No task matches the filters." : "No tasks yet."} />`;
}
