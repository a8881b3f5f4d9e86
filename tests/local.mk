# SPDX-License-Identifier: Apache-2.0
# One folder a part, each with a fragment of its own; see tests/README.md.
TEST_EXTENSIONS = .sh
AM_TESTS_ENVIRONMENT = export top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' NVCC='$(NVCC)';

# Tests that boot VMs, need root or start libvirt: `make check-system`, never part of `make check`.
SYSTEM_TESTS =
# libFuzzer targets, also listed in noinst_PROGRAMS: `make check-fuzz`.
FUZZ_TARGETS =

include tests/common/local.mk
include tests/device/local.mk
include tests/mediatord/local.mk
include tests/schedsim/local.mk
include tests/gpu/local.mk
include tests/guest-agent/local.mk
include tests/xml/local.mk
include tests/ctl/local.mk
include tests/hook/local.mk
include tests/cloudstack/local.mk
include tests/install/local.mk
include tests/ui/local.mk
include tests/qemu/local.mk
include tests/bench/local.mk
include tests/system/local.mk

dist_check_SCRIPTS += $(SYSTEM_TESTS)

.PHONY: check-system check-valgrind check-fuzz
check-system: system-setup
	$(SYSTEM_ENVIRONMENT) $(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS='$(SYSTEM_TESTS)' \
		TEST_SUITE_LOG=system-tests.log

# The compiled tests of `make check`, under valgrind.
VALGRIND = valgrind --quiet --error-exitcode=99 --leak-check=full \
	--errors-for-leak-kinds=definite,possible --child-silent-after-fork=yes
check-valgrind: all $(check_PROGRAMS) tests/libpidfd.la
	@compiled=; for test in $(TESTS); do \
		case ' $(check_PROGRAMS) ' in *" $$test "*) compiled="$$compiled $$test" ;; esac; \
	done; \
	VGPU_TEST_SLOW=valgrind $(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS="$$compiled" \
		TEST_SUITE_LOG=valgrind-tests.log LOG_COMPILER='$(top_builddir)/libtool --mode=execute \
		env LD_PRELOAD=$(abs_top_builddir)/tests/.libs/libpidfd.so $(VALGRIND)'

# Those whose subject is no compiled code of ours, or not what its flags change: texts that are
# compared, a browser's view, benchmarks that print what they should.
CHECK_ONCE = \
	tests/bench/cloudstack-figures.sh \
	tests/bench/contention-figures.sh \
	tests/bench/native.sh \
	tests/bench/rest-figures.sh \
	tests/ctl/completion.sh \
	tests/ctl/completion-zsh.sh \
	tests/ctl/day.sh \
	tests/ctl/doctor-install.sh \
	tests/ctl/help.sh \
	tests/gpu/several-software.sh \
	tests/help.sh \
	tests/install/apparmor.sh \
	tests/mediatord/check-cuda-api.sh \
	tests/mediatord/cuda-image-nvcc.sh \
	tests/mediatord/kernels-ptx.sh \
	tests/mediatord/promtool.sh \
	tests/mediatord/rest-openapi.sh \
	tests/mediatord/rest-schema.sh \
	tests/mediatord/units.sh \
	tests/schedsim/schedsim-options.sh \
	tests/ui/dashboard.sh

# The tests of `make check` but those, for a second build of the same files.
.PHONY: check-again
check-again: all $(check_PROGRAMS) $(check_LTLIBRARIES)
	@again=; out=; for test in $(TESTS); do \
		case ' $(CHECK_ONCE) ' in *" $$test "*) out="$$out $$test" ;; *) again="$$again $$test" ;; esac; \
	done; \
	echo "left out:$$out"; \
	$(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS="$$again"

# `make distcheck` removes its tests' logs: why some were skipped is said before.
installcheck-local:
	@for log in $(TEST_LOGS); do \
		if grep -qs '^:test-result: SKIP' "$${log%.log}.trs"; then \
			echo "why: $${log%.log}: $$(tail -n 2 "$$log" | head -n 1)"; \
		fi; \
	done

# Help and manual pages, of every program that is built.
TESTS += tests/help.sh
dist_check_SCRIPTS += tests/help.sh
dist_check_SCRIPTS += tests/free-port

# In place of a mediator, for the tests of what asks one.
check_PROGRAMS += tests/fake-server
tests_fake_server_SOURCES = tests/fake-server.c
tests_fake_server_LDADD = common/libcommon.la

# valgrind knows no pidfd_send_signal(2).
if BUILD_TESTS
check_LTLIBRARIES += tests/libpidfd.la
endif
tests_libpidfd_la_SOURCES = tests/pidfd.c
tests_libpidfd_la_LDFLAGS = $(AM_LDFLAGS) -shared -module -avoid-version -rpath /nonexistent

# Each fuzz target for this long; inputs that crash stay in tests/fuzz-artifacts/.
FUZZ_SECONDS = 10
check-fuzz: all
	@$(MKDIR_P) tests/fuzz-artifacts; printf '%s\n' $(FUZZ_TARGETS) | xargs -P "$$(nproc)" -I{} sh -c ' \
		if {} -max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=2048 \
			-artifact_prefix=tests/fuzz-artifacts/ >{}.fuzz.log 2>&1; then \
			echo "PASS: {}"; \
		else \
			tail -n 40 {}.fuzz.log; echo "FAIL: {}"; exit 1; \
		fi'
EXTRA_DIST += tests/expected-skips
EXTRA_DIST += tests/README.md
EXTRA_DIST += tests/wait.h
