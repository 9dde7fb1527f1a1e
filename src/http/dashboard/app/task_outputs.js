// task_outputs - the outputs of a task: read in parts, searched, followed
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./lib.js";
import { ansiLines } from "./ansi.js";
import { idPath } from "./api.js";
import { bytes, num } from "./format.js";
import { useTasks } from "./live.js";
import { OutputWindow } from "./output_window.js";
import { Time } from "./time.js";
import { Choices, Failure, Panel } from "./widgets.js";

const ROW = 18;                     // Pixels, as in style.css
const SPARE = 30;
const SEARCHED_MAX = 200000;        // Lines
const TYPES = ["stdout", "stderr", "log", "artifact", "commit", "diagnostic"];

const sizeOf = (content) => content?.$bin !== undefined ? Math.floor(content.$bin.length * 3 / 4) : undefined;

// What is said about an output that is more than a piece of a log
function about(output) {
    const { output_type, file_path, mime_type, commit_hash, branch, file_size, content } = output;
    const size = file_size ?? sizeOf(content);
    const parts = [file_path, mime_type, commit_hash, branch && `branch ${branch}`, size !== undefined && bytes(size), content === "" && "no content"].filter(Boolean);
    return parts.length || output_type === "artifact" || output_type === "commit" ? [output_type, ...parts].join(" · ") : null;
}

// The lines of outputs: {output, first, heading, text, pieces, more}
function linesOf(outputs, lines = []) {
    let attempt = lines.at(-1)?.output.attempt;
    for (const output of outputs) {
        if (attempt !== undefined && output.attempt !== attempt)
            lines.push({ output, heading: true, text: `Attempt ${output.attempt}` });
        attempt = output.attempt;
        const note = about(output), content = typeof output.content === "string" ? ansiLines(output.content) :
            output.content === undefined ? [] : [{ text: "(bytes)" }];
        const all = (note ? [{ text: note, note: true }] : []).concat(output.content === "" ? [] : content);
        all.forEach((line, i) => lines.push({ ...line, output, first: i === 0 }));
    }
    return lines;
}

function Marked({ text, find }) {
    const parts = [], lower = text.toLowerCase();
    let from = 0;
    for (let at = lower.indexOf(find); at >= 0 && parts.length < 200; at = lower.indexOf(find, from)) {
        parts.push(text.slice(from, at), html`<mark>${text.slice(at, at + find.length)}</mark>`);
        from = at + find.length;
    }
    return [...parts, text.slice(from)];
}

function Line({ line, path, find, current }) {
    const { output, first, heading, note, text, pieces, more } = line;
    const body = find && text.toLowerCase().includes(find) ? html`<${Marked} text=${text} find=${find} />` :
        pieces ? pieces.map((piece) => html`<span class=${piece.name} style=${piece.css}>${piece.text}</span>`) : text;
    return html`<div class="line o-${output.output_type} ${heading ? "heading" : ""} ${note ? "note" : ""} ${current ? "current" : ""}">
        <span class="gutter">${first && html`<a href="${path}/${output.id}" download
            title="${output.output_type}, position ${output.id}: save the bytes"><${Time}
        at=${output.timestamp} precise /></a>`}</span><span class="text">${body}${more > 0 && html` <span
            class="quiet">… ${num(more)} more characters</span>`}</span></div>`;
}

// 'low' and 'high': positions between which outputs are shown; undefined: no bound
export function Outputs({ id, low, high, live }) {
    const [types, setTypes] = useState([]);
    const [from, setFrom] = useState(live ? "end" : "start");
    const [follow, setFollow] = useState(live);
    const [wrap, setWrap] = useState(false);
    const [text, setText] = useState("");
    const [hit, setHit] = useState(0);
    const [state, setState] = useState({ lines: [], loading: true });
    const [view, setView] = useState({ from: 0, to: 60 });
    const box = useRef(), run = useRef(null);
    const path = `v1/tasks/${idPath(id)}/outputs`, find = text.toLowerCase();

    // Run a step of the window, one at a time; false: another one runs
    const step = useCallback(async (work) => {
        const self = run.current;
        if (!self || self.busy)
            return false;
        self.busy = true;
        try {
            await work(self);
            if (run.current === self)
                setState({ lines: self.lines, begun: self.window.begun, ended: self.window.ended });
        } catch (error) {
            if (error.name !== "AbortError" && run.current === self)
                setState({ lines: self.lines, error });
        }
        self.busy = false;
        return true;
    }, []);
    const start = useCallback(() => {
        const controller = new AbortController();
        const self = { controller, window: new OutputWindow(path, { low, high, types }, controller.signal), lines: [] };
        run.current = self;
        setState((old) => ({ ...old, loading: true }));
        step(async () => {
            await (from === "end" ? self.window.fromEnd() : self.window.fromStart());
            self.lines = linesOf(self.window.items);
            self.toEnd = from === "end";
        });
        return () => controller.abort();
    }, [path, low, high, types.join(), from]);
    useEffect(start, [start]);
    const after = useCallback(() => step(async (self) => {
        self.lines = linesOf(await self.window.after(), [...self.lines]);
        const { scrollTop, clientHeight, scrollHeight } = box.current;
        // Not while someone reads further up; what is to go to the end is not drawn yet
        self.toEnd ||= follow && scrollTop + clientHeight > scrollHeight - 2 * ROW;
    }), [follow]);
    const before = () => step(async (self) => {
        const older = await self.window.before();
        // The first one that was there again, for the heading between two attempts
        const next = self.window.items[older.length], lines = linesOf(next ? [...older, next] : older);
        const again = next ? linesOf([next]).length : 0;
        self.added = lines.length - again;
        self.lines = lines.concat(self.lines.slice(again));
    });

    // Follow: something was recorded about this task
    useTasks(useCallback((tasks, count) => {
        const more = () => run.current?.window.ended && after().then((done) => done || setTimeout(more, 200));
        if (count > tasks.length || tasks.some((task) => task.task_id === id))
            more();
    }, [id, after]), live && follow);

    const look = () => {
        const { scrollTop, clientHeight } = box.current;
        const first = Math.max(0, Math.floor(scrollTop / ROW) - SPARE), last = Math.ceil((scrollTop + clientHeight) / ROW) + SPARE;
        if (first !== view.from || last !== view.to)
            setView({ from: first, to: last });
        if (state.loading || state.error || run.current?.toEnd)
            return;
        if (!state.ended && last >= state.lines.length)
            after();
        else if (!state.begun && first === 0)
            before();
    };
    // At once: a later effect of the state before could take what is meant for the next one
    useLayoutEffect(() => {
        const self = run.current;
        if (self?.toEnd)
            box.current.scrollTop = box.current.scrollHeight;
        else if (self?.added)
            box.current.scrollTop += self.added * ROW;
        if (self)
            self.toEnd = self.added = 0;
        look();
    }, [state]);

    // Search: what has been read; the rest is read as long as something is searched for
    const hits = useMemo(() => find ? state.lines.flatMap((line, i) => line.text.toLowerCase().includes(find) ? [i] : []) : [], [find, state.lines]);
    useEffect(() => {
        if (find && !state.loading && !state.error && state.lines.length < SEARCHED_MAX && !(state.begun && state.ended))
            (state.ended ? before : after)();
    }, [find, state]);
    const show = (at) => {
        const next = hits.length ? (at + hits.length) % hits.length : 0;
        setHit(next);
        if (hits.length)
            box.current.scrollTop = Math.max(0, hits[next] * ROW - box.current.clientHeight / 2);
    };
    useEffect(() => {
        if (find)
            show(0);
    }, [find]);
    const toEnd = () => from === "end" ? box.current.scrollTop = box.current.scrollHeight : setFrom("end");
    const first = Math.min(view.from, state.lines.length), last = Math.min(view.to, state.lines.length);
    const actions = html`<${Choices} label="Types" words=${TYPES} chosen=${types} onChange=${setTypes} />
        <input type="search" aria-label="Search in the outputs" placeholder="search here" value=${text} onInput=${(event) => setText(event.target.value)}
            onKeyDown=${(event) => event.key === "Enter" && show(hit + (event.shiftKey ? -1 : 1))} />
        ${find && html`<span class="quiet" role="status">${hits.length ? `${num(hit + 1)} of ${num(hits.length)}` : "none"}${state.begun && state.ended ? "" : state.lines.length <
            SEARCHED_MAX ? " so far …" : ` in ${num(state.lines.length)} lines that were read`}</span>`}
        <button type="button" aria-pressed=${wrap ? "true" : "false"} onClick=${() => setWrap(!wrap)}>Wrap</button>
        <button type="button" onClick=${() => from === "start" ? box.current.scrollTop = 0 : setFrom("start")}>Start</button>
        <button type="button" onClick=${toEnd}>End</button>
        ${live && html`<button type="button" aria-pressed=${follow ? "true" : "false"} onClick=${() => {
            setFollow(!follow);
            if (!follow)
                toEnd();
        }}>Follow</button>`}`;
    return html`<${Panel} title="Outputs" wide actions=${actions}>
        <div class="log ${wrap ? "wrap" : ""}" ref=${box} onScroll=${look} tabIndex="0" role="group" aria-label="Outputs">
        ${wrap ? state.lines.slice(0, 5000).map((line, i) => html`<${Line} line=${line} path=${path} find=${find}
            current=${find && hits[hit] === i} />`) :
            html`<div style=${{ height: first * ROW + "px" }} />${state.lines.slice(first, last).map((line, i) => html`<${Line} key=${first + i}
                line=${line} path=${path}
            find=${find} current=${find && hits[hit] === first + i} />`)}<div style=${{ height: (state.lines.length - last) * ROW + "px" }} />`}
        ${state.error ? html`<${Failure} error=${state.error} reload=${start} />` : !state.lines.length && html`<p class="quiet">
            ${state.loading ? "Loading …" : "No outputs."}</p>`}
        ${wrap && state.lines.length > 5000 && html`<p class="quiet">Wrapped, only 5,000 lines are shown.</p>`}</div></${Panel}>`;
}
