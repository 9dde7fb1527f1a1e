// api - requests to stele-http, and their failures
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { store, useCallback, useEffect, useRef, useState, useStore } from "./lib.js";

// Why a request failed. status 0: the server cannot be reached. 'detail' is the sentence for people.
class Problem extends Error {
    constructor(status, body) {
        super(body.detail || body.title || "the request failed");
        this.status = status;
        this.code = body.code;
        this.field = body.field;
    }
}

// null: not known yet; {name, roles, bound, tokens}; {signedOut: true, why}: the form is shown
export const session = store(null);
export const may = (role) => Boolean(session.get()?.roles?.includes(role));

// A request was refused with 401. Several may be in flight: the first one knows that there was a session.
function refused(why) {
    const who = session.get();
    session.set({ signedOut: true, why: who?.name ? "The session has ended: sign in again." : who?.why ?? why });
}

// Changes when everything has to be read again: a new ledger, a new session, events that were missed
export const epoch = store(0);
export const readAgain = () => epoch.set(epoch.get() + 1);

// Integers that a number of JavaScript cannot hold stay text
const parse = (text) => /\d{16}/.test(text) ? JSON.parse(text, (key, value, context) =>
    typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) && context?.source ? context.source : value)
    : JSON.parse(text || "{}");

export function queryText(query = {}) {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries(query))
        if (value !== undefined && value !== null && value !== "" && !(Array.isArray(value) && !value.length))
            params.set(name, Array.isArray(value) ? value.join(",") : String(value));
    const text = params.toString();
    return text ? "?" + text : "";
}

export const idPath = (id) => encodeURIComponent(id);

export async function request(method, path, { query, body, headers, signal } = {}) {
    let answer, text;
    try {
        answer = await fetch(path + queryText(query), { method, signal, credentials: "same-origin", headers: {
            ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
            body: body === undefined ? undefined : JSON.stringify(body) });
        text = await answer.text();
    } catch (error) {
        if (error.name === "AbortError")
            throw error;
        throw new Problem(0, { detail: "stele-http cannot be reached; the page tries again" });
    }
    let value;
    try {
        value = parse(text);
    } catch {
        value = { detail: `HTTP ${answer.status}` };
    }
    if (answer.ok)
        return value;
    const problem = new Problem(answer.status, value);
    if (answer.status === 401 && path !== "v1/session")
        refused(problem.message);
    throw problem;
}

// Paths are relative, so that a proxy may serve the page below a path of its own
export const get = (path, query, signal) => request("GET", path, { query, signal });
export const post = (path, body, query) => request("POST", path, { query, body });

export async function loadSession() {
    try {
        session.set(await get("v1/session"));
    } catch (error) {
        if (error.status === 401)
            refused("");
        else
            setTimeout(loadSession, 2000);
    }
}

export async function signIn(token) {
    const value = await request("POST", "v1/session", { headers: { Authorization: "Bearer " + token } });
    session.set(value);
    readAgain();
}

export async function signOut() {
    await request("DELETE", "v1/session");
    session.set({ signedOut: true, why: "You are signed out." });
}

// Is it worth trying again?
export const passes = (error) => [0, 429, 502, 503, 504].includes(error.status);

// A GET whose answer a component shows: {data, error, loading, reload}. path null: no request. Earlier data stays while the next
// is read. A failure that passes is tried again while the page is visible; 'every' (ms) reads again while it is visible.
export function useQuery(path, query, { every } = {}) {
    const [state, setState] = useState({ loading: path !== null });
    const [count, setCount] = useState(0);
    const age = useStore(epoch);
    const key = path === null ? null : path + queryText(query);
    const shown = useRef(null);
    useEffect(() => {
        if (key === null)
            return setState({ loading: false });
        const controller = new AbortController();
        const fresh = shown.current !== path;
        let timer;
        shown.current = path;
        setState((old) => ({ data: fresh ? undefined : old.data, error: fresh ? undefined : old.error, loading: true }));
        const again = (ms) => {
            timer = setTimeout(() => document.hidden ? again(ms) : read(), ms);
        };
        const read = () => get(key, undefined, controller.signal).then((data) => {
            setState({ data, loading: false });
            if (every)
                again(every);
        }, (error) => {
            if (error.name === "AbortError")
                return;
            setState((old) => ({ data: passes(error) ? old.data : undefined, error, loading: false }));
            if (passes(error))
                again(2000);
        });
        read();
        return () => {
            controller.abort();
            clearTimeout(timer);
        };
    }, [key, count, age, every]);
    return { ...state, reload: useCallback(() => setCount((old) => old + 1), []) };
}
