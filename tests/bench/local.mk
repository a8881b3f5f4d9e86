# SPDX-License-Identifier: Apache-2.0
# What things cost. Built by `make check`, run by `make bench` alone: numbers are no tests.
BENCHES =
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += tests/bench/ring-worker
BENCHES += tests/bench/ring-worker
endif
endif

tests_bench_ring_worker_SOURCES = \
	tests/bench/ring-worker.c \
	tests/mediatord/guest-ring.h
tests_bench_ring_worker_LDADD = common/libcommon.la

.PHONY: bench
bench: all $(BENCHES)
	@for bench in $(BENCHES); do echo "$$bench:"; $$bench $(BENCH_OPTIONS) || exit 1; done
