// overview - how the broker is doing, and what happens now
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useCallback, useEffect, useMemo, useRef, useState, useStore } from "../app/lib.js";
import { may, session, useQuery } from "../app/api.js";
import { Chart } from "../app/chart.js";
import { bytes, duration, line, num, percentile, rate, shortDuration } from "../app/format.js";
import { history, stats, useTasks } from "../app/live.js";
import { href, setParams } from "../app/router.js";
import { Bars, Empty, Facts, Figure, Lag, Panel, Result, State, TaskLink, Time } from "../app/widgets.js";

const FAILED = ["failed", "error", "timeout"];
const OVER = { "6h": 6, "24h": 24, "7d": 168, "30d": 720, "1y": 8760 };

// Between two samples, per second
function perSecond(newer, older, key) {
    const s = newer && older && !newer.first ? (newer.at - older.at) / 1000 : 0;
    return s > 0 ? (newer[key] - older[key]) / s : null;
}

function Now({ live }) {
    const { tasks, ledger, ingest = {}, uptime_s } = live, ack = ingest.ack_us ?? {};
    const failed = FAILED.reduce((sum, state) => sum + (tasks.by_state[state] ?? 0), 0);
    const active = ["queued", "starting", "running", "paused", "completing"].reduce((sum, state) => sum + (tasks.by_state[state] ?? 0), 0);
    const recent = history.slice(-6), newer = recent.at(-1);
    const older = recent[Math.max(0, recent.findLastIndex((one) => one.first))];
    return html`<${Panel} title="Now" wide><div class="figures">
        <${Figure} name="tasks" value=${num(tasks.total)} />
        <${Figure} name="not ended" value=${num(active)} />
        <${Figure} name="tasks failed" value=${num(failed)} note="failed, error or timeout now" />
        <${Figure} name="events accepted /s" value=${rate(perSecond(newer, older, "events"))} />
        <${Figure} name="events committed /s" value=${rate(perSecond(newer, older, "position"))} />
        <${Figure} name="ack p50" value=${duration(ack.p50)} note="since the start" />
        <${Figure} name="ack p99" value=${duration(ack.p99)} note="since the start" />
        <${Figure} name="position" value=${num(ledger.position)} />
        <${Figure} name="acks wait for" value=${ingest.mode} bad=${ingest.mode === "redis"} />
        <${Figure} name="up for" value=${duration(uptime_s * 1e6)} /></div></${Panel}>`;
}

const Findings = ({ findings }) => findings.length > 0 && html`<${Panel} title="Findings" wide><ul class="findings">${findings.map((one) => html`<li>
    <span class="health l-${one.level}">${one.level}</span> ${one.message}${one.since && html` <span class="quiet">since <${Time} at=${one.since}
    /></span>`}${one.hint && html` <span class="quiet">→ ${one.hint}</span>`}</li>`)}</ul></${Panel}>`;

// What the live stream counted, as lines
function LiveCharts({ at }) {
    const data = useMemo(() => {
        const columns = [[], [], [], [], []];
        history.forEach((one, i) => {
            const older = history[i - 1], ack = (part) => older && !one.first && one.acks && older.acks ? percentile(one.acks, older.acks, part) : null;
            columns[0].push(one.at / 1000);
            columns[1].push(perSecond(one, older, "events"));
            columns[2].push(perSecond(one, older, "position"));
            columns[3].push(ack(0.5));
            columns[4].push(ack(0.99));
        });
        return columns;
    }, [at]);
    return html`<${Panel} title="Events per second"><${Chart} label="Events per second" data=${data.slice(0, 3)} format=${rate}
        series=${[{ name: "accepted", color: "--busy", fill: true }, { name: "committed", color: "--good" }]} /></${Panel}>
        <${Panel} title="Time to an ack, in each second"><${Chart} label="Time to an ack" data=${[data[0], data[3], data[4]]} format=${duration} axis=${shortDuration} least=${1000}
        series=${[{ name: "p50", color: "--good" }, { name: "p99", color: "--warn" }]} /></${Panel}>`;
}

// The largest groups as bars, each a link to its tasks. 'counts' may have only the largest.
function Groups({ title, counts, param, total, render = (word) => word }) {
    const rows = Object.entries(counts ?? {}).filter(([, count]) => count > 0).slice(0, 10);
    const rest = total - rows.reduce((sum, [, count]) => sum + count, 0);
    return html`<${Panel} title=${title}>${rows.length ? html`<${Bars} rows=${rows.map(([word, count]) => [html`<a
        href=${href("tasks", null, { [param]: word })} title=${word}>${render(word)}</a>`, count, num(count)])} />
        ${rest > 0 && html`<p class="quiet">${num(rest)} others or without</p>`}` : html`<${Empty}>No tasks yet.</${Empty}>`}</${Panel}>`;
}

const FOLLOWERS = { redis: "Redis", feed: "feed", search: "search", rollup: "series", segments: "backup segments" };

function Followers({ live }) {
    const rows = Object.entries(FOLLOWERS).map(([key, name]) => [name, live[key]]).filter(([, one]) => one && (one.state || one.position !== undefined));
    return html`<${Panel} title="Followers"><table class="plain"><thead><tr><th>follower</th><th>state</th><th class="num">events behind</th><th
        class="num">time behind</th></tr></thead><tbody>${rows.map(([name, one]) => html`<tr><td>${name}</td><td>${one.state ?? "live"}</td><td
        class="num"><${Lag} of=${one} /></td><td class="num">${one.lag_ms === undefined ? "" : duration(one.lag_ms * 1000)}</td></tr>`)}</tbody></table>
            </${Panel}>`;
}

const Store = ({ live: { ledger, disk, backup, sessions, producers_total } }) => html`<${Panel} title="Ledger"><${Facts} rows=${[
    ["size", bytes(ledger.size_bytes)], ["log", bytes(ledger.wal_bytes)], ["disk free", disk && bytes(disk.free_bytes)],
    ["disk full in", disk && duration(disk.full_in_s * 1e6)], ["sessions", num(sessions?.total)],
    ["producers", num(producers_total)], ["rejected", ledger.rejected ? html`<a href=${href("rejected")}>${num(ledger.rejected)}</a>` : "0"],
    ["losses", num(ledger.losses)], ["last snapshot", backup?.snapshot_time && html`<${Time} at=${backup.snapshot_time / 1000} />`],
    ["last verified", backup?.verified_at && html`<${Time} at=${backup.verified_at / 1000} />`]]} /></${Panel}>`;

// Series over time
function Series({ over, at }) {
    const minute = Math.floor(at / 60000);
    const range = useMemo(() => ({ from: new Date((minute - OVER[over] * 60) * 60000).toISOString() }), [over, minute]);
    const query = useQuery("v1/stats/series", range);
    const buttons = Object.keys(OVER).map((one) => html`<button type="button" aria-pressed=${one === over ? "true" : "false"}
        onClick=${() => setParams({ over: one })}>${one}</button>`);
    return html`<${Panel} title="Over time" actions=${buttons} wide><${Result} query=${query}>${(data) => html`<${SeriesCharts}
        data=${data} />`}</${Result}></${Panel}>`;
}

function SeriesCharts({ data }) {
    const { total, points } = data.series[0];
    const columns = useMemo(() => {
        const at = new Map(points.map((one) => [Date.parse(one.time), one])), xs = [], step = data.step_us / 1000;
        for (let x = Date.parse(data.from); x < Date.parse(data.to); x += step)
            xs.push(x);
        const column = (read, none) => xs.map((x) => at.has(x) ? read(at.get(x)) : none);
        return { xs: xs.map((x) => x / 1000), created: column((one) => one.created, 0), passed: column((one) => one.ended.passed, 0),
            failed: column((one) => one.failed, 0), wait: column((one) => one.wait_us.p50 ?? null, null), wait99: column((one) => one.wait_us.p99 ?? null, null),
            run: column((one) => one.run_us.p50 ?? null, null), run99: column((one) => one.run_us.p99 ?? null, null) };
    }, [data]);
    return html`<div class="figures">
        <${Figure} name="created" value=${num(total.created)} /><${Figure} name="passed" value=${num(total.ended.passed)} />
        <${Figure} name="failures" value=${num(total.failed)} note="also of tasks tried again" /><${Figure} name="wait p50" value=${duration(total.wait_us.p50)} />
        <${Figure} name="wait p99" value=${duration(total.wait_us.p99)} /><${Figure} name="run p50" value=${duration(total.run_us.p50)} />
        <${Figure} name="run p99" value=${duration(total.run_us.p99)} />
        ${total.tokens_in + total.tokens_out > 0 && html`<${Figure} name="tokens in" value=${num(total.tokens_in)} /><${Figure} name="tokens out"
            value=${num(total.tokens_out)} />`}
        ${total.cost > 0 && html`<${Figure} name="cost" value=${num(total.cost)} />`}</div>
        ${data.state === "building" && html`<p class="quiet">The series are being built: ${num(data.lag_events)} events are not counted yet.</p>`}
        <div class="pair"><${Chart} label="Tasks per ${data.step}" bars data=${[columns.xs, columns.created, columns.failed]}
            series=${[{ name: "created", color: "--busy", fill: true }, { name: "failed", color: "--bad", fill: true }]} />
        ${["wait", "run"].map((name) => html`<${Chart} label="Times to ${name}, per ${data.step}"
            data=${[columns.xs, columns[name], columns[name + "99"]]} format=${duration}
            axis=${shortDuration} series=${[{ name: name + " p50", color: "--good" }, { name: name + " p99", color: "--warn" }]} />`)}</div>`;
}

// A token that is bound to users gets no statistics of the broker, but those of its own tasks
function Own() {
    const query = useQuery("v1/stats/tasks", { group_by: "state", slowest: 0 });
    return html`<${Panel} title="By state" wide><${Result} query=${query}>${({ groups }) => groups.length ? html`<table class="plain"><thead><tr>
        <th>state</th><th class="num">tasks</th>
        <th class="num">waited, p50</th><th class="num">p99</th><th class="num">ran, p50</th><th class="num">p99</th></tr></thead><tbody>${groups.map((one) => html`<tr><td><a
        href=${href("tasks", null, { states: one.state })}><${State} state=${one.state} /></a></td><td class="num">${num(one.tasks)}</td>${[one.queue_us, one.run_us].map((times) =>
        html`<td class="num">${duration(times.p50)}</td><td class="num">${duration(times.p99)}</td>`)}</tr>`)}</tbody>
            </table>` : html`<${Empty}>No tasks yet.</${Empty}>`}</${Result}></${Panel}>`;
}

function Failures() {
    const query = useQuery("v1/errors", { limit: 8 });
    return html`<${Panel} title="Failures" actions=${html`<button type="button" onClick=${query.reload}>Read again</button>`}><${Result}
        query=${query}>${({ groups }) =>
        groups.length ? html`<ul class="rows">${groups.map((one) => html`<li><span class="num count">${num(one.failed)}</span><a class="cut"
            title=${line(one.error)}
        href=${href("tasks", null, { states: FAILED.join(), search: one.error ? `"${line(one.error, 120).replaceAll("\"", " ")}"` : "" })}>${line(one.error) || "no message"}</a>
        <${Time} at=${one.last} /></li>`)}</ul>` : html`<${Empty}>No task has failed.</${Empty}>`}</${Result}></${Panel}>`;
}

// Of each task the newest record
const newest = (tasks) => [...new Map(tasks.sort((a, b) => a.position - b.position).map((one) => [one.task_id, one])).values()].sort(
    (a, b) => b.position - a.position).slice(0, 15);

// The newest changes: read once, then from the live stream. Too many at once are read again.
function Changes() {
    const query = useQuery("v1/tasks", { order: "updated_desc", limit: 15 });
    const [live, setLive] = useState([]), timer = useRef();
    useTasks(useCallback((tasks, count) => {
        setLive((old) => newest([...old, ...tasks]));
        if (count > tasks.length)
            timer.current ??= setTimeout(() => {
                timer.current = undefined;
                query.reload();
            }, 2000);
    }, [query.reload]));
    useEffect(() => () => clearTimeout(timer.current), []);
    return html`<${Panel} title="Newest changes" wide><${Result} query=${query}>${({ tasks }) => {
        const rows = newest([...tasks, ...live]);
        return rows.length ? html`<ul class="rows">${rows.map((task) => html`<li key=${task.task_id}><${Time} at=${task.updated_at} /><${State}
            state=${task.state} />
            <span class="cut id"><${TaskLink} id=${task.task_id} /></span><span class="cut">${task.title}</span></li>`)}</ul>` :
            html`<${Empty}>No tasks yet. Publish the first one: <code>stele run -- make check</code></${Empty}>`;
    }}</${Result}></${Panel}>`;
}

export default function Overview({ params }) {
    const live = useStore(stats), now = live?.stats?.tasks?.by_state && live.stats;
    const bound = useStore(session)?.bound, reads = may("query"), over = Object.hasOwn(OVER, params.over) ? params.over : "24h";
    return html`<div class="head"><h1>Overview</h1></div><div class="panels">
        ${live && html`<${Findings} findings=${live.findings} />`}
        ${now && html`<${Now} live=${now} /><${LiveCharts} at=${live.at} /><${Followers} live=${now} />`}
        ${now?.rollup && reads && html`<${Series} over=${over} at=${live.at} />`}
        ${now && html`<${Groups} title="By state" counts=${now.tasks.by_state} param="states" total=${now.tasks.total}
            render=${(state) => html`<${State} state=${state} />`} />
        <${Groups} title="By role" counts=${now.tasks.by_role} param="roles" total=${now.tasks.total} />
        <${Groups} title="By provider" counts=${now.tasks.by_provider} param="providers" total=${now.tasks.total} />
        <${Groups} title="By model" counts=${now.tasks.by_model} param="models" total=${now.tasks.total} />`}
        ${bound && reads && html`<${Own} />`}${reads && html`<${Failures} />`}
        ${now && html`<${Store} live=${now} />`}
        ${reads ? html`<${Changes} />` : html`<p>Without the role query, a token sees no tasks and nothing over time${bound ?
            ", and one that is bound to users no statistics" : ""}.</p>`}</div>`;
}
