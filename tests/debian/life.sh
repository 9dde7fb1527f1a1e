#!/usr/bin/env bash
# The life of the installed packages, run by run.sh in a view of the file system that is thrown away:
# install the version before, use it as its service would, upgrade, remove, purge.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

set -u -o pipefail
cd /packages || exit 1
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
passed=0
failed=0

check () {
    local name=$1 output
    shift
    if output=$(eval "$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok: $name"
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
        tail -n 40 <<<"$output"
    fi
}

# The ExecStart of the unit as its user, with the folders that systemd makes
start () {
    local command
    command=$(sed -n 's/^ExecStart=//p' /lib/systemd/system/steled.service)
    install -d -m 750 -o stele -g stele /run/stele
    (cd /var/lib/stele && exec setpriv --reuid stele --regid stele --init-groups $command) >>/packages/broker.log 2>&1 &
    broker=$!
    for ((i = 0; i < 600; i++)); do
        stele ping >/dev/null 2>&1 && return 0
        kill -0 $broker || break
        sleep 0.1
    done
    cat /packages/broker.log
    return 1
}
stop () { kill $broker && timeout 60 tail --pid=$broker -f /dev/null; }
is () { [ "$1" = "$2" ] || { echo "$1 instead of $2"; return 1; }; }

redis-server --port 6379 --save '' >/dev/null &
redis=$!

check "install" apt-get -o APT::Sandbox::User=root install -y --no-install-recommends /packages/before/*.deb
check "service user" 'id stele && is "$(stat -c %U:%a /var/lib/stele)" stele:750'
check "configuration is for the service alone" 'is "$(stat -c %U:%G:%a /etc/stele/steled.conf)" root:stele:640'
check "manual pages" 'man -w steled steled.conf stele-http stele-relay stele libstele'
check "completions" 'test -s /usr/share/bash-completion/completions/stele -a -s /usr/share/zsh/vendor-completions/_stele -a -s /usr/share/fish/vendor_completions.d/stele.fish'
start
check "the broker starts as its service does" '[ $? = 0 ] && kill -0 $broker'
check "a command is recorded" 'is "$(stele run --task shell -- echo hello)" hello && stele get shell | grep passed'
check "Python" "cd / && /usr/bin/python3 -c 'import stele_client as s; print(s.__file__)' | grep /usr/lib/python3/dist-packages"
check "a program in C" 'cc $(pkg-config --cflags libstele) -o publish publish_event.c $(pkg-config --libs libstele) && ./publish && stele list'
check "Redis follows" 'redis-cli --scan | grep -q stele'
check "a shared log can be configured" 'steled --redis none --shared-log postgres: --check-config'
check "the broker stops" stop
echo '# mine' >>/etc/stele/steled.conf
check "upgrade" apt-get -o APT::Sandbox::User=root install -y --no-install-recommends /packages/*.deb
check "the new version is installed" 'dpkg-query -W -f "\${Version}" steled | grep -v before'
check "the configuration is kept" 'tail -n 1 /etc/stele/steled.conf | grep mine'
start
check "the record is kept" 'stele get shell | grep passed'
check "the relay has its unit and an example, and checks it" 'test -s /lib/systemd/system/stele-relay.service && stele-relay secret >/etc/stele/example.secret && chmod 600 /etc/stele/example.secret && stele-relay --config /usr/share/doc/steled/examples/relay.conf --check-config && rm /etc/stele/example.secret'
check "the broker stops again" stop
check "remove" apt-get remove -y steled stele libstele0 libstele-dev python3-stele
check "programs are gone" '! ls /usr/sbin/steled /usr/sbin/stele-http /usr/bin/stele 2>/dev/null'
check "configuration and record are kept" 'test -s /etc/stele/steled.conf -a -s /var/lib/stele/stele.db'
check "purge" 'dpkg --purge steled stele libstele0 libstele-dev python3-stele'
#   By what find prints, not by its status: others remove files meanwhile. Packages have files in no other folders
check "nothing but the record is left" 'left=$(find /boot /etc /home /opt /run /srv /usr /var -xdev -path "$STELE_ROOT" -prune -o -newer /usr/sbin/policy-rc.d \( -name "*stele*" -o -path "*/stele/*" \) -print 2>/dev/null | grep -vE "^/(var/lib/stele|var/log|var/cache|run/stele)(/|$)"); echo "$left"; [ -z "$left" ]'
check "the record is kept for its owner" 'test -s /var/lib/stele/stele.db'
kill $redis
echo "$passed passed, $failed failed"
