# The Debian packages
EXTRA_DIST += debian/changelog debian/control debian/copyright debian/rules debian/source/format \
    debian/libstele0.install debian/libstele-dev.install debian/stele.install debian/steled.install \
    debian/steled.lintian-overrides debian/steled.postinst debian/steled.postrm \
    tests/debian/run.sh tests/debian/life.sh

.PHONY: check-debian
check-debian:
	@$(srcdir)/tests/debian/run.sh
