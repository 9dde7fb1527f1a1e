// storage - the ledger's file, its log and disk, followers, backups, losses
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useState } from "../app/lib.js";
import { may, post, useQuery } from "../app/api.js";
import { bytes, duration, line, num, plural } from "../app/format.js";
import { Table } from "../app/table.js";
import { Confirm, Facts, Figure, Panel, Result, Time } from "../app/widgets.js";

const seconds = (s) => s === undefined ? undefined : duration(s * 1e6);
const lasting = (ms) => ms === undefined ? undefined : ms ? duration(ms * 1000) : "0 s";

function File({ ledger, disk }) {
    return html`<${Panel} title="File"><div class="figures"><${Figure} name="ledger" value=${bytes(ledger.size_bytes)} />
        <${Figure} name="write-ahead log" value=${bytes(ledger.wal_bytes)} note=${"checkpoint at " + bytes(ledger.wal_limit)}
            bad=${ledger.wal_bytes > 2 * ledger.wal_limit} />
        <${Figure} name="free on its disk" value=${bytes(disk.free_bytes)} note=${"of " + bytes(disk.size_bytes)} bad=${disk.full_in_s < 14400} /></div>
        <${Facts} rows=${[["Events", num(ledger.position)], ["Commits", num(ledger.commits)], ["Refused events", num(ledger.rejected)],
            ["Disk shrinks by", disk.growth_bytes > 0 ? bytes(disk.growth_bytes) + " per second" : null], ["Disk is full in", seconds(disk.full_in_s)],
            ["Clock", ledger.ahead_ms > 0 ? "the newest commit is " + lasting(ledger.ahead_ms) + " ahead of it" : null]]} /></${Panel}>`;
}

const NAMES = { redis: "Redis", feed: "Feed", search: "Text index", rollup: "Series over time", segments: "Repository of backups" };
const FOLLOWERS = [
    { title: "Follower", cell: (row) => NAMES[row.name] },
    { title: "State", cell: (row) => row.state && html`<span class="state f-${row.state}">${row.state}</span>` },
    { title: "Events behind", num: true, cell: (row) => num(row.lag_events) },
    { title: "Time behind", num: true, cell: (row) => lasting(row.lag_ms) },
    { title: "Position", num: true, cell: (row) => num(row.position) },
    { title: "In this state", num: true, cell: (row) => lasting(row.state_ms) },
    { title: "Trouble", cell: (row) => row.remedy ?? row.error ?? row.last_error },
];

function Followers({ stats }) {
    const rows = Object.keys(NAMES).filter((name) => stats[name]?.position !== undefined).map((name) => ({ name, ...stats[name] }));
    return html`<${Panel} title="Followers" wide><${Table} label="Followers of the ledger" columns=${FOLLOWERS} pager=${{ rows, done: true }}
        rowKey=${(row) => row.name} /></${Panel}>`;
}

// A button for a change, which asks first, and then says what came of it
function Action({ name, title, text, act, result }) {
    const [state, setState] = useState({});
    return html`${state.said && html`<span class="quiet" role="status">${state.said}</span>`}
        <button type="button" onClick=${() => setState({ asks: true })}>${name} …</button>
        ${state.asks && html`<${Confirm} title=${title} yes=${name} onClose=${() => setState((old) => ({ ...old, asks: false }))}
            onYes=${() => act().then((answer) => setState({ asks: true, said: result(answer) }))}><p>${text}</p></${Confirm}>`}`;
}

function Backup({ backup }) {
    if (backup.repository === undefined)
        return html`<${Panel} title="Backups"><p class="quiet">The broker keeps no backups. The setting <code>backup</code> names a folder for them.</p></${Panel}>`;
    const actions = may("operate") && html`<${Action} name="Back up now" title="Take a snapshot of the ledger now?"
        text="The broker copies the ledger into its repository and verifies the copy. The audit log records this."
        act=${() => post("v1/backup", { start: true })} result=${(answer) => `snapshot ${num(answer.number)} was begun`} />`;
    return html`<${Panel} title="Backups" actions=${actions}><div class="figures">
        <${Figure} name="snapshots" value=${num(backup.snapshots)} note=${bytes(backup.snapshot_bytes)} />
        <${Figure} name="age of the newest" value=${seconds(backup.age_s)} bad=${!(backup.age_s < 93600)} /></div><${Facts} rows=${[
        ["Last verified", backup.verified_at ? html`<${Time} at=${backup.verified_at / 1000} />` : "never"], ["Newest", backup.snapshot],
        ["Taken", backup.snapshot_time && html`<${Time} at=${backup.snapshot_time / 1000} />`], ["Up to position", num(backup.snapshot_position)],
        ["State", backup.state + (backup.total_bytes ? `: ${bytes(backup.done_bytes)} of ${bytes(backup.total_bytes)}` : "")],
        ["Repository", backup.repository], ["Failing for", lasting(backup.failing_ms)], ["Last error", backup.last_error]]} /></${Panel}>`;
}

function Redis({ redis, consistency }) {
    const actions = may("operate") && redis.state === "live" && html`<${Action} name="Compare with the ledger" title="Compare Redis with the ledger?"
        text="The broker reads every record that Redis has to hold, and compares it field by field. It changes nothing."
        act=${() => post("v1/consistency-check", {})} result=${(answer) => `${plural(answer.checked, "task")} compared: ${num(answer.missing)} missing, ` +
            `${num(answer.extra)} too many, ${num(answer.mismatched)} different`} />`;
    return html`<${Panel} title="Redis" actions=${actions}><${Facts} rows=${[["State", redis.state], ["Address", redis.url],
        ["Records written", num(redis.applied)], ["Rebuilds", num(redis.rebuilds)], ["Dropped by Redis", num(redis.evicted)],
        ["Repaired", num(redis.repaired)], ["Cause", redis.cause], ["Remedy", redis.remedy], ["Last error", redis.last_error],
        ["Last comparison", consistency.checked === undefined ? null : `${(consistency.consistent * 100).toFixed(3)} % of ${plural(consistency.checked, "task")} equal`]]} /></${Panel}>`;
}

const LOSSES = [
    { title: "Accepted", cell: (row) => html`<${Time} at=${row.time} />` },
    { title: "Lost positions", cell: (row) => row.last < row.first ? "unknown" : `${num(row.first)} to ${num(row.last)}` },
    { title: "Refused events", num: true, cell: (row) => num(row.rejected) },
    { title: "Evidence", cell: (row) => html`<span title=${row.evidence}>${line(row.evidence)}</span>` },
    { title: "Ledger", cell: (row) => html`<span class="mono">${row.ledger}</span>` },
];

function Losses() {
    const query = useQuery("v1/info");
    return html`<${Panel} title="Losses" wide><${Result} query=${query}>${({ losses = [] }) => losses.length ? html`<${Table} label="Accepted losses"
        columns=${LOSSES} pager=${{ rows: losses, done: true }} rowKey=${(row) => row.time + row.ledger} />` :
        html`<p class="quiet">No end of the history was ever lost.</p>`}</${Result}></${Panel}>`;
}

export default function Storage() {
    const query = useQuery("v1/stats", undefined, { every: 2000 });
    return html`<div class="head"><h1>Storage</h1></div><${Result} query=${query}>${(stats) => html`<div class="panels">
        <${File} ledger=${stats.ledger} disk=${stats.disk ?? {}} /><${Backup} backup=${stats.backup ?? {}} />
        <${Redis} redis=${stats.redis ?? {}} consistency=${stats.consistency ?? {}} /><${Followers} stats=${stats} /><${Losses} /></div>`}</${Result}>`;
}
