// stuck - running tasks of which nothing was heard for long
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useMemo } from "../app/lib.js";
import { duration, plural } from "../app/format.js";
import { usePager } from "../app/pager.js";
import { go, setParams } from "../app/router.js";
import { Table } from "../app/table.js";
import { TaskLink, Time } from "../app/widgets.js";
import { ProducerLink, Status } from "./producers.js";

const SILENCES = [60, 300, 1800, 3600, 86400];

export default function Stuck({ params }) {
    const silent = /^\d{1,9}$/.test(params.silent_s) ? Number(params.silent_s) : 300;
    const query = useMemo(() => ({ silent_s: silent, total: true }), [silent]);
    const pager = usePager("v1/stuck", query, "tasks");
    const owner = ({ producer }) => pager.first?.producers.find((one) => one.producer === producer);
    const now = Date.now();
    const columns = [
        { title: "Silent for", num: true, cell: (row) => duration((now - Date.parse(row.heard_at)) * 1000) },
        { title: "Task", cell: (row) => html`<${TaskLink} id=${row.task_id} />` },
        { title: "Title", cell: (row) => row.title },
        { title: "Role", cell: (row) => row.role },
        { title: "Last heard", cell: (row) => html`<${Time} at=${row.heard_at} />` },
        { title: "Producer", cell: (row) => row.producer && html`<${ProducerLink} name=${row.producer} />` },
        { title: "Its status", cell: (row) => owner(row) && html`<${Status} producer=${owner(row)} />` },
        { title: "Its silence", num: true, cell: (row) => duration((owner(row)?.silent_ms ?? NaN) * 1000) },
    ];
    const { total, total_complete } = pager.first ?? {};
    return html`<div class="head"><h1>Stuck</h1><label>nothing heard for <select value=${silent} onChange=${(event) =>
        setParams({ silent_s: event.target.value })}>${[...new Set([...SILENCES, silent])].map((one) => html`<option value=${one}>${duration(one * 1e6)}</option>`)}
        </select></label><button type="button" onClick=${pager.reload}>Read again</button>
        ${total !== undefined && html`<span class="quiet" role="status">${total_complete === false && "at least "}${plural(total, "task")}</span>`}</div>
        <${Table} label="Stuck tasks" columns=${columns} pager=${pager} rowKey=${(row) => row.task_id} total=${total}
            onOpen=${(row) => go("task", row.task_id)} empty="Of every running task, something was heard in this time." />`;
}
