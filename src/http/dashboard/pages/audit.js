// audit - who changed something on the broker, and refused access
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useMemo } from "../app/lib.js";
import { line, num } from "../app/format.js";
import { usePager } from "../app/pager.js";
import { setParams } from "../app/router.js";
import { Table } from "../app/table.js";
import { TimeField } from "../app/time.js";
import { Time } from "../app/widgets.js";

const TEXTS = { who: "Who", operation: "Operation", outcome: "Outcome" };
const TIMES = { from: "From", to: "To" };
const COLUMNS = [
    { title: "Time", cell: (row) => html`<${Time} at=${row.timestamp} precise />` },
    { title: "Who", cell: (row) => row.who },
    { title: "Operation", cell: (row) => row.operation },
    { title: "Target", cell: (row) => row.target },
    { title: "Outcome", cell: (row) => html`<span class="state ${row.outcome === "ok" ? "s-passed" : "s-failed"}">${row.outcome}</span>` },
    { title: "Count", num: true, cell: (row) => num(row.count) },
    { title: "Peer", cell: (row) => row.peer },
    { title: "Details", cell: (row) => row.details && html`<span class="mono" title=${line(row.details, 5000)}>${line(row.details)}</span>` },
    { title: "Request", cell: (row) => row.request_id },
];

export default function Audit({ params: { who, operation, outcome, from, to } }) {
    const query = useMemo(() => ({ who, operation, outcome, from, to }), [who, operation, outcome, from, to]);
    const pager = usePager("v1/audit", query, "events");
    const values = { ...query };
    return html`<div class="head"><h1>Audit</h1>
        ${Object.entries(TEXTS).map(([key, name]) => html`<label>${name} <input size="14" value=${values[key] ?? ""}
            data-search=${key === "who"} onChange=${(event) => setParams({ [key]: event.target.value.trim() })} /></label>`)}
        ${Object.entries(TIMES).map(([key, name]) => html`<${TimeField} label=${name} value=${values[key]}
            onChange=${(at) => setParams({ [key]: at })} />`)}</div>
        <${Table} label="Audit events" columns=${COLUMNS} pager=${pager} rowKey=${(row) => row.id}
            empty="No request has changed anything, and none was refused." />`;
}
