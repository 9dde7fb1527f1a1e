// rejected - refused events with their reasons; each, or all that match, can be processed again
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useMemo, useState } from "../app/lib.js";
import { get, may, post } from "../app/api.js";
import { line, num, plural } from "../app/format.js";
import { usePager } from "../app/pager.js";
import { setParams } from "../app/router.js";
import { Table } from "../app/table.js";
import { Confirm, Dialog, Facts, TaskLink, Time } from "../app/widgets.js";

const MOST = 10000;                 // So many are processed again at once
const CHUNK = 1000;                 // As many as a request takes

// The numbers of all that match and were not accepted since: at most MOST
async function matching(producer) {
    const ids = [];
    let cursor;
    do {
        const page = await get("v1/rejected", { producer, open: true, limit: CHUNK, cursor });
        ids.push(...page.rejected.map((one) => one.id));
        cursor = page.next;
    } while (cursor !== null && ids.length < MOST);
    return ids.slice(0, MOST);
}

async function retry(ids) {
    const sum = { accepted: 0, rejected: [] };
    for (let at = 0; at < ids.length; at += CHUNK) {
        const answer = await post("v1/rejected/retry", { ids: ids.slice(at, at + CHUNK) });
        sum.accepted += answer.accepted;
        sum.rejected.push(...answer.rejected);
    }
    return sum;
}

function Retry({ ids, onDone, onClose }) {
    return html`<${Confirm} title="Process ${plural(ids.length, "refused event")} again?" yes="Process again" onClose=${onClose}
        onYes=${() => retry(ids).then(onDone)}><p>The broker processes ${ids.length === 1 ? "it" : "them"} as if
        ${ids.length === 1 ? " it" : " they"} had just arrived. What still breaks a rule is refused again. The audit log records this.</p></${Confirm}>`;
}

const Outcome = ({ result: { accepted, rejected } }) => html`<p role="status" class=${rejected.length ? "failure" : "quiet"}>
    ${plural(accepted, "event")} accepted${rejected.length > 0 && `, ${num(rejected.length)} refused again: ${rejected[0].message}`}.</p>`;

// Events of clients that are bound to users are not kept
const isKept = ({ event }) => Boolean(event) && event.$bin !== "";

function Detail({ row, onRetry, onClose }) {
    return html`<${Dialog} title="Refused event ${num(row.id)}" onClose=${onClose}><${Facts} rows=${[
        ["Reason", row.message], ["Code", row.code], ["Field", row.field], ["Refused", html`<${Time} at=${row.time} precise />`],
        ["Producer", row.producer], ["Sequence", num(row.sequence)],
        ["Task", row.event?.task_id && html`<${TaskLink} id=${row.event.task_id} />`],
        ["Accepted later", row.retried_at && html`<${Time} at=${row.retried_at} precise />`], ["Position", num(row.position)]]} />
        ${isKept(row) ? html`<pre class="event" tabIndex="0">${JSON.stringify(row.event, null, 2)}</pre>` :
        html`<p class="quiet">The event itself was not kept, so it cannot be processed again.</p>`}
        <div class="buttons"><button type="button" onClick=${onClose}>Close</button>
        ${onRetry && html`<button type="button" onClick=${onRetry}>Process again …</button>`}</div></${Dialog}>`;
}

const columns = (onShow) => [
    { title: "Number", num: true, cell: (row) => html`<button type="button" class="plain link" onClick=${() => onShow(row)}>${num(row.id)}</button>` },
    { title: "Time", cell: (row) => html`<${Time} at=${row.time} />` },
    { title: "Producer", cell: (row) => row.producer },
    { title: "Code", cell: (row) => row.code },
    { title: "Field", cell: (row) => row.field },
    { title: "Reason", cell: (row) => html`<span title=${row.message}>${row.message}</span>` },
    { title: "Event", cell: (row) => html`<span class="mono">${line(row.event, 120)}</span>` },
    { title: "Accepted later", cell: (row) => html`<${Time} at=${row.retried_at} />` },
];

export default function Rejected({ params: { producer, all } }) {
    const query = useMemo(() => ({ producer, open: !all }), [producer, all]);
    const pager = usePager("v1/rejected", query, "rejected");
    const [shown, setShown] = useState(null);
    const [ids, setIds] = useState(null);
    const [result, setResult] = useState(null);
    const [error, setError] = useState(null);
    const ask = (what) => Promise.resolve(what).then((list) => {
        setError(null);
        setShown(null);
        setIds(list);
    }).catch(setError);
    const done = (sum) => {
        setResult(sum);
        pager.reload();
    };
    const close = () => {
        setShown(null);
        setIds(null);
    };
    return html`<div class="head"><h1>Rejected</h1><label>Producer <input data-search value=${producer ?? ""} onChange=${(event) =>
            setParams({ producer: event.target.value.trim() })} /></label>
        <label><input type="checkbox" checked=${Boolean(all)} onChange=${(event) => setParams({ all: event.target.checked })} />
            also those accepted later</label>
        ${may("operate") && pager.rows.length > 0 && html`<button type="button" onClick=${() => ask(matching(producer))}>
            Process all again …</button>`}</div>
        ${result && html`<${Outcome} result=${result} />`}
        ${error && html`<p class="failure" role="alert">${error.message}</p>`}
        <${Table} label="Refused events" columns=${columns(setShown)} pager=${pager} rowKey=${(row) => row.id} onOpen=${setShown}
            empty=${all ? "No event was refused." : "No refused event waits for someone."} />
        ${shown && !ids && html`<${Detail} row=${shown} onClose=${close}
            onRetry=${may("operate") && isKept(shown) && !shown.retried_at ? () => ask([shown.id]) : null} />`}
        ${ids && html`<${Retry} ids=${ids} onDone=${done} onClose=${close} />`}`;
}
