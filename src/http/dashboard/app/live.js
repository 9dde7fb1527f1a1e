// live - what the stream of this browser brings: state, statistics, changed tasks
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { reloadOnce, store, useEffect } from "./lib.js";
import { loadSession, may, queryText, readAgain, session } from "./api.js";

export const connection = store("connecting");  // open, lost
export const stats = store(null);               // {stats, findings, at}: once a second; stats is null without a broker

const HISTORY = 600;
export const history = [];                      // The counters of the last ten minutes: {at, events, position, acks: a histogram, first}

const watchers = new Set();
let hidden = false;

function takeStats({ stats: now, findings, at }) {
    const sample = now && { at, events: now.ingest?.events, position: now.ledger?.position, acks: now.ingest?.ack_us?.buckets };
    const last = history.at(-1);
    // After a restart the counters begin again; after a pause nothing is known of the time between
    if (sample && !(last && at - last.at < 500)) {
        history.push(last && (sample.events < last.events || at - last.at > 5000) ? { ...sample, first: true } : sample);
        if (history.length > HISTORY)
            history.shift();
    }
    stats.set({ stats: now, findings, at });
}

function take(message) {
    if (message.kind === "stats")
        takeStats(message);
    else if (message.kind === "tasks")
        for (const watcher of [...watchers])
            watcher(message.tasks, message.many ?? message.tasks.length);
    else if (message.kind === "again")
        readAgain();
    else {
        // Why it was lost may be the end of the session
        if (message.kind === "lost" && connection.get() !== "lost")
            loadSession();
        connection.set(message.kind);
    }
}

// Call watcher (records, count) with the tasks that changed, while the component is there. Where too many change at once, there
// are no records, only the count.
export function useTasks(watcher, on = true) {
    useEffect(() => {
        if (!on)
            return;
        watchers.add(watcher);
        return () => watchers.delete(watcher);
    }, [watcher, on]);
}

function openPort() {
    try {
        const worker = new SharedWorker(new URL("./live_worker.js", import.meta.url), { type: "module", name: "stele" });
        worker.port.onmessage = ({ data }) => take(data);
        worker.port.start();
        addEventListener("pagehide", () => worker.port.postMessage({ gone: true }));
        return worker.port;
    } catch {                       // A browser without it: one stream for each tab
        const stream = import("./live_stream.js").then((module) => new module.Stream(take));
        stream.catch(reloadOnce);
        return { postMessage: ({ visible, query }) => stream.then((one) => visible ? one.start(query) : one.pause()) };
    }
}

// Begin: again whenever the tab is shown or hidden, or the session changes
export function startLive() {
    const port = openPort();
    const tell = () => {
        const who = session.get();
        if (!who)
            return;
        const reads = may("query"), counts = may("metrics") && !who.bound, visible = !document.hidden && (reads || counts);
        if (!reads && !counts)
            connection.set("open");     // There is no stream for it
        // Events that came meanwhile went to no one
        if (visible && hidden)
            readAgain();
        hidden = !visible;
        if (who.signedOut) {
            stats.set(null);
            history.length = 0;
        }
        port.postMessage({ visible, out: Boolean(who.signedOut), query: reads ? queryText({ view: "tasks", stats: counts || undefined }) : "/stats" });
    };
    document.addEventListener("visibilitychange", tell);
    addEventListener("pageshow", (event) => event.persisted && tell());
    session.watch(tell);
    tell();
}
