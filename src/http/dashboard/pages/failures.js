// failures - failed tasks by what their errors have in common, with the trend
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useMemo, useState } from "../app/lib.js";
import { useQuery } from "../app/api.js";
import { num, plural } from "../app/format.js";
import { setParams } from "../app/router.js";
import { Table } from "../app/table.js";
import { Failure, Loading, TaskLink, Time } from "../app/widgets.js";

const RANGES = { "6h": ["6 hours", 6], "1d": ["1 day", 24], "7d": ["7 days", 168], "30d": ["30 days", 720], "365d": ["1 year", 8760] };

// Failures in each step of the range, as bars
function Trend({ answer, points }) {
    const from = Date.parse(answer.from), step = answer.step_us / 1000;
    const steps = Math.max(1, Math.round((Date.parse(answer.to) - from) / step));
    const most = Math.max(...points.map((one) => one.count), 1);
    const bars = points.map(({ time, count }) => `M${Math.round((Date.parse(time) - from) / step)} 20v${-Math.max(1, 20 * count / most)}h1V20z`);
    return html`<svg class="trend" viewBox="0 0 ${steps} 20" preserveAspectRatio="none" role="img"
        aria-label="at most ${num(most)} in one ${answer.step}"><path d=${bars.join("")} /></svg>`;
}

const samples = ({ tasks = [] }) => tasks.map((id, i) => html`${i > 0 && ", "}<${TaskLink} id=${id} />`);
const text = (value) => html`<span title=${value}>${value ?? html`<span class="quiet">no message</span>`}</span>`;

function ByFingerprint({ answer }) {
    const columns = [
        { title: "Failures", num: true, cell: (row) => num(row.total.count) },
        { title: "Trend", cell: (row) => html`<${Trend} answer=${answer} points=${row.points} />` },
        { title: "Error", cell: (row) => row.other ? html`<span class="quiet">all others</span>` : text(row.fingerprint) },
        { title: "Latest tasks", cell: samples },
        { title: "Last", cell: (row) => html`<${Time} at=${row.last} />` },
        { title: "First", cell: (row) => html`<${Time} at=${row.first} />` },
    ];
    const all = answer.series.reduce((sum, row) => sum + row.total.count, 0);
    return html`<p class="quiet">${plural(all, "failure")} of tasks between <${Time} at=${answer.from} /> and <${Time} at=${answer.to} />.
        ${answer.lag_events > 0 && ` The newest ${plural(answer.lag_events, "event")} are not counted yet.`}
        ${answer.state === "building" && " The counts are being made from the events: wait until they are complete."}</p>
        <${Table} label="Failures" columns=${columns} pager=${{ rows: answer.series, done: true }}
            rowKey=${(row) => row.other ? "other" : "f" + row.fingerprint} empty="No task has failed in this time." />`;
}

// The last errors as they are, without a trend: for tokens that are bound to users, and of a broker that does not count failures
function ByError({ query }) {
    const { data, error } = useQuery("v1/errors", { ...query, limit: 100 });
    const columns = [
        { title: "Failures", num: true, cell: (row) => num(row.failed) },
        { title: "Error", cell: (row) => text(row.error) },
        { title: "Last", cell: (row) => html`<${Time} at=${row.last} />` },
    ];
    if (!data)
        return error ? html`<${Failure} error=${error} />` : html`<${Loading} />`;
    return html`<${Table} label="Failures" columns=${columns} pager=${{ rows: data.groups, done: true }} rowKey=${(row) => "e" + row.error}
        empty="No task has failed in this time." />`;
}

export default function Failures({ params }) {
    const over = Object.hasOwn(RANGES, params.over) ? params.over : "1d";
    const [reads, setReads] = useState(0);
    const query = useMemo(() => ({ from: new Date(Date.now() - RANGES[over][1] * 3600000).toISOString() }), [over, reads]);
    const { data, error, reload } = useQuery("v1/stats/failures", query);
    return html`<div class="head"><h1>Failures</h1><label>in the last <select value=${over} onChange=${(event) =>
        setParams({ over: event.target.value })}>${Object.entries(RANGES).map(([key, [name]]) => html`<option value=${key}>${name}</option>`)}
        </select></label><button type="button" onClick=${() => setReads(reads + 1)}>Read again</button></div>
        ${data ? html`<${ByFingerprint} answer=${data} />` : [400, 403, 404].includes(error?.status) ? html`<${ByError} query=${query} />` :
        error ? html`<${Failure} error=${error} reload=${reload} />` : html`<${Loading} />`}`;
}
