// widgets - small parts that pages share
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html, useEffect, useRef, useState } from "./lib.js";
import { Time } from "./time.js";
import { href } from "./router.js";

export { Time };

export const STATES = ["queued", "starting", "running", "paused", "completing", "passed", "failed", "error", "cancelled", "timeout"];
export const ENDED = STATES.slice(5);

export const State = ({ state }) => html`<span class="state s-${state}">${state}</span>`;

export const TaskLink = ({ id, at, children }) => html`<a href=${href("task", id, { at })}>${children ?? id}</a>`;

export const Loading = () => html`<p class="quiet" role="status">Loading …</p>`;
export const Empty = ({ children }) => html`<p class="quiet empty">${children}</p>`;

// Why something failed, and a way to try again
export const Failure = ({ error, reload }) => html`<div class="failure" role="alert">
    <strong>${error.status ? `${error.status} ${error.code ?? ""}` : "No connection"}</strong> ${error.message}
    ${reload && html` <button type="button" onClick=${reload}>Try again</button>`}</div>`;

// The states of a query (api.js) around what is shown of its data: children is a function of the data
export function Result({ query, children }) {
    if (query.data)
        return html`${query.error && html`<${Failure} error=${query.error} />`}${children(query.data)}`;
    return query.error ? html`<${Failure} error=${query.error} reload=${query.reload} />` : query.loading ? html`<${Loading} />` : null;
}

// A part of a page with a heading
export const Panel = ({ title, actions, children, wide, id }) => html`<section class="panel ${wide ? "wide" : ""}" id=${id}>
    <header><h2>${title}</h2>${actions && html`<div class="actions">${actions}</div>`}</header>${children}</section>`;

// A number with its name under it
export const Figure = ({ name, value, note, bad }) => html`<div class="figure ${bad ? "bad" : ""}"><span class="value">${value || "–"}</span>
    <span class="name">${name}</span>${note && html`<span class="note">${note}</span>`}</div>`;

// Names and values, [name, value, long?]; a long one gets a row of its own. Values that are absent are left out.
export const Facts = ({ rows }) => html`<dl class="facts">${rows.filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([name, value, long]) => html`<div class=${long ? "long" : ""}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

// A button that copies text, and says so
export function Copy({ text, children }) {
    const [done, setDone] = useState(false);
    const copy = async () => {
        try {
            await navigator.clipboard.writeText(text);
        } catch {
            return void prompt("Copy:", text);      // Over plain HTTP from another machine
        }
        setDone(true);
        setTimeout(() => setDone(false), 1500);
    };
    return html`<button type="button" onClick=${copy} title=${text}>${done ? "Copied" : children}</button>`;
}

// Words to choose any of, as toggles
export function Choices({ label, words, chosen, onChange, render = (word) => word }) {
    const toggle = (word) => onChange(chosen.includes(word) ? chosen.filter((one) => one !== word) : [...chosen, word]);
    return html`<div class="choices" role="group" aria-label=${label}>${words.map((word) => html`<button type="button"
        aria-pressed=${chosen.includes(word) ? "true" : "false"} onClick=${() => toggle(word)}>${render(word)}</button>`)}</div>`;
}

// A modal dialog: shown while it is there; Escape calls onClose
export function Dialog({ title, onClose, children }) {
    const element = useRef();
    useEffect(() => element.current.showModal(), []);
    return html`<dialog ref=${element} aria-label=${title} onClose=${onClose}><h2>${title}</h2>${children}</dialog>`;
}

// Before something is changed: what, and its button. onYes returns a promise; its failure is shown.
export function Confirm({ title, yes, onYes, onClose, children }) {
    const [state, setState] = useState({});
    const run = () => {
        setState({ busy: true });
        onYes().then(onClose, (error) => setState({ error }));
    };
    return html`<${Dialog} title=${title} onClose=${onClose}>${children}${state.error && html`<${Failure} error=${state.error} />`}
        <div class="buttons"><button type="button" onClick=${onClose}>Cancel</button>
        <button type="button" class="primary" disabled=${state.busy} onClick=${run}>${yes}</button></div></${Dialog}>`;
}

// Save text as a file of the browser
export function save(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
