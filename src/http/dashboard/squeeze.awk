# squeeze.awk - take the spaces out of JavaScript that it does not need
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.
#
# squeeze(line): what is left of a line, which ends a statement where it did before. Texts, templates and regular expressions stay
# as they are. Knows the state of earlier lines: within a template, and within how many braces of each ${.

# Whether a / after 'before' begins a regular expression
function begins_regex(before)
{
    return before ~ /([(,=:?!&|{;[>]|^|(^|[^A-Za-z0-9_$])return) ?$/
}

# The length of the text at the beginning of 'rest' that ends with 'quote'
function text_length(rest, quote,   i, c, class)
{
    for (i = 2; i <= length (rest); i++) {
        c = substr (rest, i, 1)
        if (c == "\\")
            i++
        else if (quote == "/" && (c == "[" || c == "]"))
            class = c == "["
        else if (c == quote && !class)
            return i
    }
    return length (rest)
}

# The length of the part of a template at the beginning of 'rest'; 'depth' goes up where an expression begins
function template_length(rest,   i, c)
{
    for (i = 1; i <= length (rest); i++) {
        c = substr (rest, i, 1)
        if (c == "\\")
            i++
        else if (c == "`") {
            template = 0
            return i
        }
        else if (c == "$" && substr (rest, i + 1, 1) == "{") {
            template = 0
            braces [++depth] = 0
            return i + 1
        }
    }
    return length (rest)
}

function squeeze(rest,   out, c, size)
{
    out = ""
    while (rest != "") {
        c = substr (rest, 1, 1)
        size = 1
        if (template)
            size = template_length(rest)
        else if (rest ~ /^\/\//)
            break
        else if (c == "\"" || c == "'" || c == "/" && begins_regex(out))
            size = text_length(rest, c)
        else if (c == "`")
            template = 1
        else if (c == "{" && depth)
            braces [depth]++
        else if (c == "}" && depth && braces [depth]-- == 0) {
            depth--
            template = 1
        }
        else if (c == " " && (rest ~ /^ +([^ A-Za-z0-9_$"'\\#@`]|$)/ || out ~ /[^A-Za-z0-9_$"'\/)\]}`]$/) && (out substr (rest, 2, 1)) !~ /(\+\+|--)$/) {
            rest = substr (rest, 2)
            continue
        }
        else if (match (rest, /^[A-Za-z0-9_$]+/))
            size = RLENGTH
        out = out substr (rest, 1, size)
        rest = substr (rest, size + 1)
    }
    if (!template)
        sub (/ +$/, "", out)
    return out
}
