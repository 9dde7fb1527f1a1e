// task - everything about one task, now or at a position
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useCallback, useEffect, useMemo, useRef, useState } from "../app/lib.js";
import { idPath, useQuery } from "../app/api.js";
import { num, plural } from "../app/format.js";
import { useKeys } from "../app/keys.js";
import { useTasks } from "../app/live.js";
import { useLog } from "../app/log.js";
import { Moment, useThrottle } from "../app/moment.js";
import { go, setParams } from "../app/router.js";
import { shell } from "../app/task_filters.js";
import { Outputs } from "../app/task_outputs.js";
import { Children, Difference, History, Metrics, Record, Session } from "../app/task_parts.js";
import { Timeline } from "../app/task_timeline.js";
import { Copy, ENDED, Failure, Result, State } from "../app/widgets.js";

const AGAIN_MS = 2000;              // Of a task that changes all the time, what is new is read this often
const SHOWN = 5;                    // Sessions; the others are behind a link

// The record with what the live stream brings of it. 'read' is called a moment after a change, not more often than AGAIN_MS.
function useLive(now, on, read) {
    const [live, setLive] = useState(null);
    const timer = useRef(), id = now.task.task_id;
    useTasks(useCallback((tasks, count) => {
        const task = tasks.findLast((one) => one.task_id === id);
        if (task)
            setLive(task);
        else if (count === tasks.length)
            return;
        timer.current ??= setTimeout(() => {
            timer.current = undefined;
            read();
        }, AGAIN_MS);
    }, [id, read]), on);
    useEffect(() => () => clearTimeout(timer.current), []);
    // The live record has no texts; a field that it lacks otherwise is gone
    return useMemo(() => {
        if (!live || live.position <= now.task.position)
            return now;
        const { description, acceptance_criteria, metadata } = now.task;
        return { ...now, task: { description, acceptance_criteria, metadata, ...live } };
    }, [now, live]);
}

function Attempts({ history, chosen, onChange }) {
    const all = [...new Set(history.map((one) => one.attempt))];
    return all.length > 1 && html`<label>Attempt <select value=${chosen ?? ""} onChange=${(event) => onChange(event.target.value)}><option
        value="">all</option>${all.map((one) => html`<option
        value=${one}>${one}</option>`)}</select></label>`;
}

// The positions of an attempt: from the event that began it to the one before the next began
function boundsOf(history, attempt) {
    if (!attempt)
        return {};
    const first = history.find((one) => one.attempt === attempt), next = history.find((one) => one.attempt > attempt);
    return { low: attempt === 1 ? undefined : first?.id, high: next && next.id - 1 };
}

function Whole({ id, params, read, reload }) {
    const path = `v1/tasks/${idPath(id)}`, at = params.at ? Number(params.at) : undefined;
    const slow = useThrottle(at), past = useQuery(at ? path : null, { at: slow });
    const history = useLog(path + "/history", {}, "history"), metrics = useLog(path + "/metrics", {}, "metrics");
    const sessions = useQuery(path + "/sessions", { limit: 100 });
    const until = (rows) => at ? rows.filter((one) => one.id <= at) : rows;
    const all = history.rows, rows = useMemo(() => until(all), [all, at]);
    const values = useMemo(() => until(metrics.rows), [metrics.rows, at]);
    const list = sessions.data?.sessions ?? [];
    // Of each session, when its commands are read below
    const [commands, setCommands] = useState({});
    const onCommands = useCallback((session, rows) => setCommands((old) => ({ ...old, [session]: rows })), []);
    const now = useLive(read, !at, useCallback(() => [reload, history.grow, sessions.reload, metrics.grow].forEach((one) => one()), [history.grow, metrics.grow]));
    const shown = at ? past.data : now, ended = ENDED.includes(now.task.state);
    const attempt = Number(params.attempt) || undefined, bounds = boundsOf(rows, attempt);
    const high = Math.min(bounds.high ?? Infinity, slow ?? Infinity), limit = Number.isFinite(high) ? high : undefined;
    const compared = (params.compare ?? "").split(",").filter(Boolean).map(Number);
    const ofAttempt = (list) => attempt ? list.filter((one) => one.attempt === attempt) : list;
    const next = attempt && all.find((one) => one.attempt > attempt);
    const end = next ? Date.parse(next.timestamp) : at ? Date.parse(rows.at(-1)?.timestamp) : ended ? Date.parse(now.task.completed_at) : Date.now();
    const command = at ? `stele get ${shell(id)} --at=${at}` : `stele show ${shell(id)}`;
    return html`<div class="head"><${State} state=${(shown ?? now).task.state} /><h1>${(shown ?? now).task.title || id}</h1>
        <div class="toolbar right"><${Attempts} history=${all} chosen=${params.attempt} onChange=${(value) => setParams({ attempt: value })} />
        ${at ? html`<span class="chip">as of ${num(at)}</span><button type="button" onClick=${() => setParams({ at: "" }, false)}>Now</button>` :
            all.length > 0 && html`<button type="button" onClick=${() => setParams({ at: now.task.position }, false)}>As of …</button>`}
        <${Copy} text=${id}>Copy ID</${Copy}><${Copy} text=${command}>Copy command</${Copy}></div>
        <p class="mono id">${id}</p></div>
        ${at && all.length > 0 && html`<${Moment} position=${at} first=${all[0].id} last=${Math.max(now.task.position, all.at(-1).id)}
            stops=${all.map((one) => one.id)}
            onChange=${(to) => setParams({ at: to })} />`}
        ${(history.error || metrics.error || sessions.error) && html`<${Failure} error=${history.error ?? metrics.error ?? sessions.error} />`}
        ${at && past.error ? html`<${Failure} error=${past.error} />` : shown && html`<div class="panels">
        ${compared.length === 2 && html`<${Difference} id=${id} positions=${compared} />`}
        <${Record} data=${shown} at=${at} />
        <${Timeline} history=${ofAttempt(rows)} sessions=${list} commands=${ofAttempt(until(Object.values(commands).flat()))}
            metrics=${ofAttempt(values)} end=${end} onMoment=${(to) => setParams({ at: to }, false)} />
        <${History} history=${ofAttempt(rows)} at=${at} difference=${compared} />
        <${Outputs} key=${`${bounds.low}-${limit}`} id=${id} low=${bounds.low} high=${limit} live=${!at && !ended && !limit} />
        ${list.slice(0, SHOWN).map((one) => html`<${Session} key=${one.session_id} session=${one} high=${at} attempt=${attempt}
            onCommands=${onCommands} />`)}
        ${list.length > SHOWN && html`<p class="quiet wide">${plural(list.length - SHOWN, "more session")}</p>`}
        <${Metrics} metrics=${ofAttempt(values)} left=${metrics.left} /><${Children} id=${id} at=${slow} /></div>`}`;
}

export default function Task({ id, params }) {
    const query = useQuery(`v1/tasks/${idPath(id)}`);
    useKeys({ "u": ["back to the list", () => history.length > 1 ? history.back() : go("tasks")], "r": ["read the task again", query.reload] });
    return html`<${Result} query=${query}>${(read) => html`<${Whole} id=${id} params=${params} read=${read} reload=${query.reload} />`}</${Result}>`;
}
