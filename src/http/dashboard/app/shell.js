// shell - the frame: menu, state of the broker, sign-in, help, and the page of the address
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { Fragment, html, useEffect, useErrorBoundary, useState, useStore } from "./lib.js";
import { loadSession, may, session, signIn, signOut } from "./api.js";
import { allKeys, useKeys } from "./keys.js";
import { connection, stats } from "./live.js";
import { pages } from "./pages.js";
import { prefs, setPref } from "./prefs.js";
import { go, href, route } from "./router.js";
import { formatOffset, zoneName } from "./time.js";
import { Dialog, Failure, Loading } from "./widgets.js";

// A client that is bound to users gets nothing that concerns all of them
const offered = ({ role, unbound }) => (!role || may(role)) && !(unbound && session.get()?.bound);

function SignIn({ why }) {
    const [state, setState] = useState({});
    const submit = (event) => {
        event.preventDefault();
        const token = event.target.token.value.trim();
        setState({ busy: true });
        signIn(token).catch((error) => setState({ error }));
    };
    return html`<main class="signin"><form onSubmit=${submit}><h1>Stele</h1>
        <p>This broker needs a token. <code>stele token new NAME --role query</code> makes one.</p>
        <label>Token <input name="token" type="password" autocomplete="current-password" required autofocus /></label>
        ${state.error ? html`<${Failure} error=${state.error} />` : why && html`<p class="quiet">${why}</p>`}
        <button class="primary" disabled=${state.busy}>Sign in</button></form></main>`;
}

// The gravest finding, in one line; all of them on the overview. A client that may not see the findings sees the state of the connection.
function Health() {
    const state = useStore(connection), live = useStore(stats);
    const findings = live?.findings ?? [];
    const level = state === "lost" ? "down" : findings[0]?.level ?? (state === "open" ? "ok" : "info");
    const text = state === "lost" ? "No connection to stele-http: trying again" :
        findings[0]?.message ?? (state !== "open" ? "Connecting …" : live ? "Healthy" : "Connected");
    return html`<a class="health l-${level}" href=${href("")} title=${findings.map((one) => one.message).join("\n")}>
        <span role="status">${text}${findings.length > 1 ? ` (+${findings.length - 1})` : ""}</span></a>`;
}

function Theme() {
    const { theme } = useStore(prefs);
    const next = { auto: "dark", dark: "light", light: "auto" }[theme];
    return html`<button type="button" onClick=${() => setPref("theme", next)} title="Theme: ${theme}. Click for ${next}."
        aria-label="Theme: ${theme}">${{ auto: "◐", dark: "●", light: "○" }[theme]}</button>`;
}

function Menu({ current }) {
    return html`<nav aria-label="Pages"><ul>${pages.filter((one) => !one.hidden && offered(one)).map((one) => html`<li><a
        href=${href(one.page)} aria-current=${one.page === current ? "page" : undefined}>${one.title}</a></li>`)}</ul></nav>`;
}

function Bar({ who, current, onHelp }) {
    useStore(prefs);
    const out = () => signOut().catch(() => loadSession());
    return html`<header class="bar"><a class="skip" href="#main" onClick=${(event) => {
        event.preventDefault();
        document.querySelector("main").focus();
    }}>To the content</a><a class="name" href=${href("")}>Stele</a><${Menu} current=${current} /><div class="right"><${Health} />
        <span class="zone" title="Times are shown in this zone">${zoneName()} ${formatOffset(Date.now())}</span><${Theme} />
        <button type="button" onClick=${onHelp} aria-label="Keys" title="Keys (?)">?</button>
        ${who.tokens && html`<span class="who">${who.name}</span><button type="button" onClick=${out}>Sign out</button>`}</div></header>`;
}

function Help({ onClose }) {
    return html`<${Dialog} title="Keys" onClose=${onClose}><dl class="keys">${allKeys().map(([key, what]) => html`<div><dt><kbd>${key}</kbd></dt>
        <dd>${what}</dd></div>`)}</dl><div class="buttons"><button type="button" autofocus onClick=${onClose}>Close</button></div></${Dialog}>`;
}

// A page that fails must not take the menu with it
function Guard({ children }) {
    const [error, reset] = useErrorBoundary();
    return error ? html`<${Failure} error=${{ status: "This page has failed:", message: String(error) }} reload=${reset} />` : children;
}

function Page({ at, entry }) {
    const [state, setState] = useState({});
    useEffect(() => {
        if (!entry)
            return;
        entry.load().then((module) => setState({ entry, component: module.default }), () => {
            // After an upgrade of the server the files of this page are gone: load the new ones, once
            if (sessionStorage.getItem("reloaded") !== import.meta.url) {
                sessionStorage.setItem("reloaded", import.meta.url);
                location.reload();
            } else
                setState({ entry, error: { status: 0, message: "The files of this page cannot be loaded: load it again." } });
        });
    }, [entry]);
    useEffect(() => {
        document.title = `${at.id ?? entry?.title ?? "Not found"} · Stele`;
    }, [entry, at.id]);
    if (!entry)
        return html`<div class="head"><h1>There is no such page</h1><a href=${href("")}>Overview</a></div>`;
    if (state.entry !== entry)
        return html`<${Loading} />`;
    return state.error ? html`<${Failure} error=${state.error} />` :
        html`<${Guard} key=${entry.page + "/" + (at.id ?? "")}><${state.component} id=${at.id} params=${at.params} /></${Guard}>`;
}

export function Shell() {
    const at = useStore(route), who = useStore(session);
    const [help, setHelp] = useState(false);
    const entry = pages.find((one) => one.page === at.page);
    const keys = {
        "?": ["show the keys", () => setHelp(true)],
        "/": ["search", () => {
            const field = document.querySelector("[data-search]");
            if (field)
                field.focus();
            else
                go("tasks", null, {});
        }],
    };
    for (const one of pages.filter((page) => page.key && offered(page)))
        keys["g " + one.key] = [one.title, () => go(one.page)];
    useKeys(keys);
    if (!who)
        return html`<main><${Loading} /></main>`;
    if (who.signedOut)
        return html`<${SignIn} why=${who.why} />`;
    return html`<${Fragment}><${Bar} who=${who} current=${at.page === "task" ? "tasks" : at.page} onHelp=${() => setHelp(true)} />
        <main tabIndex="-1" id="main"><${Page} at=${at} entry=${entry} /></main>
        ${help && html`<${Help} onClose=${() => setHelp(false)} />`}</${Fragment}>`;
}
