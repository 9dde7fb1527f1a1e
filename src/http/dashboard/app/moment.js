// moment - a moment of the past: a slider over positions, with the time of each, and play
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./lib.js";
import { get, useQuery } from "./api.js";
import { num } from "./format.js";
import { useKeys } from "./keys.js";
import { parseTime, zoneName } from "./time.js";
import { Failure, Time } from "./widgets.js";

const STEP_MS = 120;                // Between two requests while the slider moves
const PLAY_MS = 250;
const SPEEDS = [1, 10, 100, 1000, 10000, 100000];

// Events without a text of any length: their time is read to show that of a position
const SHORT = ["task.created", "task.state_changed", "task.metric_recorded", "session.started", "session.state_changed"];

// A value that follows another at most every 'ms'
export function useThrottle(value, ms = STEP_MS) {
    const [slow, setSlow] = useState(value);
    const last = useRef(0);
    useLayoutEffect(() => {
        const wait = last.current + ms - performance.now(), follow = () => {
            last.current = performance.now();
            setSlow(value);
        };
        if (Object.is(slow, value))
            return;
        if (wait <= 0)
            return follow();
        const timer = setTimeout(follow, wait);
        return () => clearTimeout(timer);
    }, [value, slow, ms]);
    return slow;
}

// The time of the event at a position, or of the next short one after it
function TimeOf({ position }) {
    const query = useQuery("v1/events", { after: Math.max(0, position - 1), limit: 1, types: SHORT });
    const event = query.data?.events[0];
    return html`<span class="moment-time">${!event ? "" : event.position === position ? html`<${Time} at=${event.time} precise />` :
        html`<span class="quiet">before</span> <${Time} at=${event.time} precise />`}</span>`;
}

// The position as of a time, by the list that shows it
function JumpTo({ onPosition }) {
    const [error, setError] = useState();
    const submit = async (event) => {
        event.preventDefault();
        const at = parseTime(event.target.time.value);
        try {
            if (!at)
                throw new Error("not a time: write 2026-03-02 09:00");
            onPosition((await get("v1/tasks", { at, limit: 1 })).as_of);
            setError();
        } catch (failure) {
            setError(failure);
        }
    };
    return html`<form class="toolbar" onSubmit=${submit}><label>Time <input name="time" size="17" placeholder="2026-03-02 09:00"
        title="In the zone ${zoneName()}" /></label>
        <button>Go</button>${error && html`<${Failure} error=${error} />`}</form>`;
}

// Between the positions first and last. 'stops': the positions that a step goes to; without them, one by one.
export function Moment({ position, first = 1, last, onChange, stops, jump }) {
    const [playing, setPlaying] = useState(false);
    const [speed, setSpeed] = useState(stops ? 1 : 100);
    const slow = useThrottle(position);
    const move = (to) => onChange(Math.max(first, Math.min(last, Math.round(to))));
    const step = (by) => {
        setPlaying(false);
        const next = stops && (by > 0 ? stops.find((stop) => stop > position) : stops.findLast((stop) => stop < position));
        move(stops ? next ?? (by > 0 ? last : first) : position + by);
    };
    const play = () => {
        if (!playing && position >= last)
            move(first);
        setPlaying(!playing);
    };
    useEffect(() => {
        if (!playing)
            return;
        if (position >= last)
            return setPlaying(false);
        const timer = setTimeout(() => stops ? move(stops.find((stop) => stop > position) ?? last) : move(position + Math.max(1, speed * PLAY_MS / 1000)),
            stops ? 800 : Math.max(PLAY_MS, 1000 / speed));
        return () => clearTimeout(timer);
    }, [playing, position, speed, last]);
    useKeys({
        "p": [playing ? "pause" : "play", play],
        "<": ["one step back", () => step(-1)],
        ">": ["one step on", () => step(1)],
    });
    return html`<div class="moment"><button type="button" onClick=${play} aria-label=${playing ? "Pause" : "Play"} title="Play (p)">
        ${playing ? "❚❚" : "▶"}</button>
        <button type="button" onClick=${() => step(-1)} aria-label="One step back" title="One step back (<)">‹</button>
        <button type="button" onClick=${() => step(1)} aria-label="One step on" title="One step on (>)">›</button>
        <input type="range" min=${first} max=${last} step="1" value=${position} aria-label="Position" aria-valuetext="position ${position}"
            onInput=${(event) => move(Number(event.target.value))} />
        <label>Position <input type="number" min=${first} max=${last} value=${position} onChange=${(event) => move(Number(event.target.value))} /></label>
        <span class="quiet">of ${num(last)}</span><${TimeOf} position=${slow} />
        ${!stops && html`<label>Speed <select value=${speed} onChange=${(event) => setSpeed(Number(event.target.value))}>
            ${SPEEDS.map((one) => html`<option
            value=${one}>${num(one)} events/s</option>`)}</select></label>`}${jump && html`<${JumpTo} onPosition=${move} />`}</div>`;
}
