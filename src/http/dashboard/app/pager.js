// pager - a list that is read page by page with the cursors of the server
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { useCallback, useLayoutEffect, useRef, useState, useStore } from "./lib.js";
import { epoch, get, passes, queryText } from "./api.js";

const PAGE = 100;

// {rows, first (the first answer: total, as_of …), done, loading, error, more, reload, update}. 'rowsKey' names the rows in the
// answer. more() reads the next page; update(row, same) replaces a row in place. path null: no request.
export function usePager(path, query, rowsKey, limit = PAGE) {
    const [state, setState] = useState({ rows: [], loading: path !== null });
    const [count, setCount] = useState(0);
    const age = useStore(epoch);
    const run = useRef(null);
    const key = path === null ? null : path + queryText(query);

    const read = useCallback((self) => {
        self.reading = true;
        get(path, { ...query, limit, cursor: self.next, total: self.next === undefined ? query?.total : undefined },
            self.controller.signal).then((answer) => {
            self.rows = self.rows.concat(answer[rowsKey]);
            self.first ??= answer;
            self.next = answer.next;
            self.reading = false;
            // A page may be short, or empty, before the end: the server looked only so far
            if (answer.next !== null && self.rows.length < self.wanted)
                read(self);
            else
                setState({ rows: self.rows, first: self.first, done: answer.next === null, loading: false });
        }, (error) => {
            if (error.name === "AbortError")
                return;
            self.reading = false;
            setState((old) => ({ ...old, loading: false, error }));
            if (passes(error))
                self.timer = setTimeout(() => read(self), 2000);
        });
    }, [key, rowsKey, limit]);

    // At once: an effect would wait for the next frame
    useLayoutEffect(() => {
        if (key === null)
            return setState({ rows: [], loading: false });
        const self = { rows: [], controller: new AbortController(), wanted: 1 };
        run.current = self;
        setState((old) => ({ ...old, loading: true, error: undefined }));
        read(self);
        return () => {
            self.controller.abort();
            clearTimeout(self.timer);
        };
    }, [key, count, age]);

    const more = useCallback(() => {
        const self = run.current;
        if (!self || self.reading || !self.first || self.next === null)
            return;
        self.wanted = self.rows.length + 1;
        setState((old) => ({ ...old, loading: true }));
        read(self);
    }, [read]);
    const update = useCallback((row, same) => {
        const self = run.current, at = self ? self.rows.findIndex((old) => same(old, row)) : -1;
        if (at < 0)
            return false;
        self.rows = self.rows.with(at, { ...self.rows[at], ...row });
        setState((old) => ({ ...old, rows: self.rows }));
        return true;
    }, []);
    return { ...state, more, update, reload: useCallback(() => setCount((old) => old + 1), []) };
}
