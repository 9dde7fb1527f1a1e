// producers - who publishes: sequence, silence, lease, run
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useState } from "../app/lib.js";
import { useQuery } from "../app/api.js";
import { duration, num, plural } from "../app/format.js";
import { go, href } from "../app/router.js";
import { Table } from "../app/table.js";
import { Result } from "../app/widgets.js";

export const ProducerLink = ({ name }) => html`<a href=${href("producers", null, { name })}>${name}</a>`;

// Past its lease, a producer that is present is about to be declared dead; without a lease, silence means nothing
export const Status = ({ producer: { status, lease_ms, silent_ms } }) => {
    const late = status === "present" && lease_ms > 0 && silent_ms > lease_ms;
    return html`<span class="state p-${late ? "late" : status}">${late ? "late" : status}</span>`;
};

const COLUMNS = [
    { title: "Producer", cell: (row) => html`<a href=${href("tasks", null, { producers: row.producer })} title="Its tasks">${row.producer}</a>` },
    { title: "Status", cell: (row) => html`<${Status} producer=${row} />` },
    { title: "Silent for", num: true, cell: (row) => row.silent_ms === null ? "not heard since the start" : duration(row.silent_ms * 1000) },
    { title: "Lease", num: true, cell: (row) => row.lease_ms ? duration(row.lease_ms * 1000) : "none" },
    { title: "Last sequence", num: true, cell: (row) => num(row.sequence) },
    { title: "Tasks in progress", cell: (row) => row.owns ? "yes" : "" },
    { title: "Run (instance)", cell: (row) => row.instance && html`<span class="mono">${row.instance}</span>` },
];

export default function Producers({ params }) {
    const query = useQuery("v1/producers", undefined, { every: 2000 });
    const [name, setName] = useState(params.name ?? "");
    return html`<div class="head"><h1>Producers</h1><label>Name <input data-search value=${name} placeholder="a part of it"
        onInput=${(event) => setName(event.target.value)} /></label></div>
        <${Result} query=${query}>${({ producers, producers_total: total = producers.length }) => {
            const rows = producers.filter((one) => one.producer.includes(name));
            return html`<p class="quiet" role="status">${plural(rows.length, "producer")}${rows.length < producers.length &&
                ` of ${num(producers.length)}`}.${total > producers.length && ` ${num(total)} in all: those heard last are shown.`}</p>
                <${Table} label="Producers" columns=${COLUMNS} pager=${{ rows, done: true }} rowKey=${(row) => row.producer}
                onOpen=${(row) => go("tasks", null, { producers: row.producer })} empty="No producer." />`;
        }}</${Result}>`;
}
