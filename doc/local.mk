# Documents, manual pages, the example of the configuration, the systemd unit.
dist_man_MANS += doc/steled.8 doc/stele-http.8 doc/stele-relay.8 doc/stele.1 doc/libstele.3 doc/steled.conf.5
dist_doc_DATA = README.md NEWS doc/PROTOCOL.md doc/ARCHITECTURE.md doc/RELIABILITY.md doc/SECURITY.md \
    doc/PERFORMANCE.md doc/PROOF.md doc/OPERATIONS.md doc/HTTP.md doc/COMING-FROM.md doc/SCALE.md

steleconfdir = $(sysconfdir)/stele
dist_steleconf_DATA = doc/steled.conf.example doc/relay.conf.example

# The documents, checked against the tables in the code and the files of the tree.
dist_check_SCRIPTS = doc/check.sh doc/paths.sh
# Pictures of the README
EXTRA_DIST += doc/dashboard-as-of.png doc/dashboard-as-of-dark.png doc/dashboard-task.png doc/dashboard-task-dark.png
if !SANITIZE
TESTS += doc/check.sh doc/paths.sh
endif

EXTRA_DIST += doc/steled.service.in doc/stele-relay.service.in
CLEANFILES += doc/steled.service doc/stele-relay.service
if INSTALL_UNIT
systemdsystemunit_DATA = doc/steled.service
if RELAY
systemdsystemunit_DATA += doc/stele-relay.service
endif
endif

doc/steled.service: doc/steled.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) doc && sed -e 's|@sbindir[@]|$(sbindir)|' -e 's|@sysconfdir[@]|$(sysconfdir)|' $(srcdir)/doc/steled.service.in > $@.tmp && mv $@.tmp $@

doc/stele-relay.service: doc/stele-relay.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) doc && sed -e 's|@sbindir[@]|$(sbindir)|' -e 's|@sysconfdir[@]|$(sysconfdir)|' $(srcdir)/doc/stele-relay.service.in > $@.tmp && mv $@.tmp $@
