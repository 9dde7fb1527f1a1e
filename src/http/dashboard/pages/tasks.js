// tasks - (a page)
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.

import { html } from "../app/lib.js";
import { Empty } from "../app/widgets.js";

export default () => html`<h1>tasks</h1><${Empty}>Not yet.</${Empty}>`;
