# SPDX-License-Identifier: Apache-2.0
# What things cost. Built by `make check`, run by `make bench` alone: numbers are no tests.
BENCHES =
BENCH_CLIENTS =
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += tests/bench/contention-client tests/bench/ring-worker
BENCHES += tests/bench/ring-worker
check_PROGRAMS += tests/bench/rest-client
BENCH_CLIENTS += tests/bench/rest-client
BENCHES += $(top_srcdir)/tests/bench/rings
BENCHES += $(top_srcdir)/tests/bench/rest
endif
endif
if BUILD_CLOUDSTACK
BENCHES += $(top_srcdir)/tests/bench/cloudstack-sync
endif

tests_bench_ring_worker_SOURCES = \
	tests/bench/breakdown.c \
	tests/bench/ring-worker.c \
	tests/bench/ring-worker.h \
	tests/mediatord/guest-ring.h
tests_bench_ring_worker_LDADD = guest-agent/libagent.la common/libcommon.la

# All of the library in the program itself, so that tests/gpu/pack can carry it.
tests_bench_contention_client_SOURCES = \
	tests/bench/contention-client.c \
	tests/bench/contention-client.h \
	tests/bench/contention-native.c \
	tests/bench/contention-ring.c
tests_bench_contention_client_LDADD = \
	guest-agent/libagent.la \
	guest-agent/libvgpu-core.la \
	mediatord/worker/libworker.la \
	-ldl

# For the guest, as tests/system/channel-holder.
EXTRA_PROGRAMS += tests/bench/head-to-head-client
CLEANFILES += tests/bench/head-to-head-client
tests_bench_head_to_head_client_SOURCES = tests/bench/head-to-head-client.c
tests_bench_head_to_head_client_LDADD = guest-agent/libagent.la guest-agent/libvgpu-core.la

tests_bench_rest_client_SOURCES = tests/bench/rest-client.c
tests_bench_rest_client_LDADD = guest-agent/libagent.la common/libcommon.la

EXTRA_DIST += tests/bench/rest tests/bench/rings
EXTRA_DIST += tests/bench/native.jq
EXTRA_DIST += tests/bench/contention_client.py tests/bench/contention_native.py tests/bench/contention_plot.py tests/bench/pin.bash tests/bench/svg.py
dist_check_SCRIPTS += \
	tests/bench/cloudstack-sync \
	tests/bench/contention \
	tests/bench/head-to-head \
	tests/bench/head_to_head_report.py

bench_tests = \
	tests/bench/cloudstack-figures.sh \
	tests/bench/contention-figures.sh \
	tests/bench/contention-doubles.sh \
	tests/bench/native.sh \
	tests/bench/rest-figures.sh
TESTS += $(bench_tests)
dist_check_SCRIPTS += $(bench_tests)

# The same from inside a virtual machine; what it says while it sets up goes to standard error.
.PHONY: bench-vm
bench-vm:
	@$(MAKE) $(AM_MAKEFLAGS) system-setup >&2
	@env $(SYSTEM_ENVIRONMENT) top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
		$(top_srcdir)/tests/bench/rings --vm $(BENCH_OPTIONS)

# One addition by every way that a guest has.
.PHONY: bench-head-to-head
bench-head-to-head:
	@$(MAKE) $(AM_MAKEFLAGS) system-setup >&2
	@env $(SYSTEM_ENVIRONMENT) top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
		$(top_srcdir)/tests/bench/head-to-head $(BENCH_OPTIONS)

# Where the time of the figure that is furthest from what is wanted goes.
.PHONY: bench-breakdown
bench-breakdown: all tests/bench/ring-worker
	@tests/bench/ring-worker --breakdown $(BENCH_OPTIONS)

# What VMs of several priorities do to each other.
.PHONY: bench-contention
bench-contention: all tests/bench/contention-client
	@top_builddir='$(abs_top_builddir)' $(top_srcdir)/tests/bench/contention $(BENCH_OPTIONS)

.PHONY: bench
bench: all $(BENCHES) $(BENCH_CLIENTS)
	@for bench in $(BENCHES); do echo "$$bench:"; top_builddir='$(abs_top_builddir)' $$bench $(BENCH_OPTIONS) || exit 1; done
