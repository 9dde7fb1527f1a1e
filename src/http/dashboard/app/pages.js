// pages - the pages: address, title, key, and where each is
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

// One row for each page: {page: first part of the address, title, key: after g, load; role: that a client needs; unbound: not for
// clients that are bound to users; hidden: not in the menu}. Its module exports the component as default: it gets {id, params} of the address.
export const pages = [
    { page: "", title: "Overview", key: "o", load: () => import("../pages/overview.js") },
    { page: "tasks", title: "Tasks", key: "t", load: () => import("../pages/tasks.js") },
    { page: "asof", title: "As of", key: "a", load: () => import("../pages/asof.js") },
    { page: "task", title: "Task", hidden: true, load: () => import("../pages/task.js") },
    { page: "failures", title: "Failures", key: "f", load: () => import("../pages/failures.js") },
    { page: "stuck", title: "Stuck", key: "s", load: () => import("../pages/stuck.js") },
    { page: "sessions", title: "Sessions", key: "e", load: () => import("../pages/sessions.js") },
    { page: "producers", title: "Producers", key: "p", role: "query", unbound: true, load: () => import("../pages/producers.js") },
    { page: "rejected", title: "Rejected", key: "r", role: "query", unbound: true, load: () => import("../pages/rejected.js") },
    { page: "storage", title: "Storage", key: "d", role: "metrics", unbound: true, load: () => import("../pages/storage.js") },
    { page: "audit", title: "Audit", key: "u", role: "query", unbound: true, load: () => import("../pages/audit.js") },
    { page: "settings", title: "Settings", key: ",", load: () => import("../pages/settings.js") },
];
