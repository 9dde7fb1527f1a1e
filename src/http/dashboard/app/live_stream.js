// live_stream - the stream of events: opened, lost, opened again after the last position
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

const RETRY_MS = 3000;

// Calls send({kind, …}): open, lost, stats {stats, findings, at}, again (read everything again), tasks {tasks}; with 'many' instead of
// tasks where so many changed that the server sends only their number
export class Stream {
    constructor(send) {
        this.send = send;
        this.batch = [];
    }

    // 'query' of /v1/stream, or "/stats": that of the statistics alone; another one opens it again
    start(query) {
        if (this.source && this.query === query)
            return;
        this.stop();
        this.query = query;
        const url = new URL("../../../v1/stream" + query, import.meta.url);
        const alone = query === "/stats";
        if (this.last && !alone) {
            url.searchParams.set("after", this.last);
            url.searchParams.set("ledger", this.ledger);
        }
        this.source = new EventSource(url);
        this.source.addEventListener("hello", (event) => {
            const { ledger } = JSON.parse(event.data);
            const other = this.ledger && this.ledger !== ledger;
            this.ledger = ledger;
            this.take(event);
            this.opened();
            if (other)
                this.send({ kind: "again" });
        });
        this.source.addEventListener("stats", (event) => {
            if (alone)              // There is no hello
                this.opened();
            this.stats = { kind: "stats", at: Date.now(), ...JSON.parse(event.data) };
            this.send(this.stats);
        });
        this.source.addEventListener("reset", (event) => this.again(event));
        this.source.addEventListener("many", (event) => {
            this.take(event);
            this.send({ kind: "tasks", tasks: [], many: JSON.parse(event.data).count });
        });
        this.source.onmessage = (event) => {
            this.take(event);
            this.batch.push(JSON.parse(event.data));
            this.timer ??= setTimeout(() => this.flush(), 50);
        };
        this.source.onerror = () => {
            this.state = "lost";
            this.send({ kind: "lost" });
            if (this.source.readyState === EventSource.CLOSED) {
                this.stop();
                this.retry = setTimeout(() => this.start(this.query), RETRY_MS);
            }
        };
    }

    opened() {
        if (this.state !== "open")
            this.send({ kind: "open" });
        this.state = "open";
    }

    stop() {
        clearTimeout(this.retry);
        this.source?.close();
        this.source = null;
    }

    // Nobody looks: begin at the head the next time
    pause() {
        this.stop();
        this.last = this.state = this.stats = undefined;
    }

    // For a tab that comes later
    greet(send) {
        if (this.state)
            send({ kind: this.state });
        if (this.stats)
            send(this.stats);
    }

    take(event) {
        if (event.lastEventId)
            this.last = event.lastEventId;
    }

    again(event) {
        this.take(event);
        this.send({ kind: "again" });
    }

    flush() {
        this.timer = undefined;
        this.send({ kind: "tasks", tasks: this.batch });
        this.batch = [];
    }
}
