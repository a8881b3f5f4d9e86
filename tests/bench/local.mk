# SPDX-License-Identifier: Apache-2.0
# What things cost. Built by `make check`, run by `make bench` alone: numbers are no tests.
BENCHES =
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += tests/bench/ring-worker
BENCHES += tests/bench/ring-worker
BENCHES += $(top_srcdir)/tests/bench/rings
endif
endif

tests_bench_ring_worker_SOURCES = \
	tests/bench/breakdown.c \
	tests/bench/ring-worker.c \
	tests/bench/ring-worker.h \
	tests/mediatord/guest-ring.h
tests_bench_ring_worker_LDADD = common/libcommon.la

EXTRA_DIST += tests/bench/rings
EXTRA_DIST += tests/bench/native.jq
TESTS += tests/bench/native.sh
dist_check_SCRIPTS += tests/bench/native.sh

# The same from inside a virtual machine; what it says while it sets up goes to standard error.
.PHONY: bench-vm
bench-vm:
	@$(MAKE) $(AM_MAKEFLAGS) system-setup >&2
	@env $(SYSTEM_ENVIRONMENT) top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
		$(top_srcdir)/tests/bench/rings --vm $(BENCH_OPTIONS)

# Where the time of the figure that is furthest from what is wanted goes.
.PHONY: bench-breakdown
bench-breakdown: all tests/bench/ring-worker
	@tests/bench/ring-worker --breakdown $(BENCH_OPTIONS)

.PHONY: bench
bench: all $(BENCHES)
	@for bench in $(BENCHES); do echo "$$bench:"; top_builddir='$(abs_top_builddir)' $$bench $(BENCH_OPTIONS) || exit 1; done
