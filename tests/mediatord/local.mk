# SPDX-License-Identifier: Apache-2.0

# The PTX in the tree is that of its source.
TESTS += tests/mediatord/kernels-ptx.sh
dist_check_SCRIPTS += tests/mediatord/kernels-ptx.sh

# Requests: validation and the making of responses.
mediatord_request_tests = \
	tests/mediatord/test-request-decoding \
	tests/mediatord/test-request-refusals
if BUILD_TESTS
check_PROGRAMS += $(mediatord_request_tests)
TESTS += $(mediatord_request_tests)
endif

tests_mediatord_test_request_decoding_SOURCES = \
	tests/mediatord/request-maker.h \
	tests/mediatord/test-request-decoding.c
tests_mediatord_test_request_decoding_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_request_decoding_LDADD = mediatord/librequest.la $(CMOCKA_LIBS)

tests_mediatord_test_request_refusals_SOURCES = \
	tests/mediatord/request-maker.h \
	tests/mediatord/test-request-refusals.c
tests_mediatord_test_request_refusals_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_request_refusals_LDADD = mediatord/librequest.la $(CMOCKA_LIBS)

if FUZZING
noinst_PROGRAMS += tests/mediatord/fuzz-request
FUZZ_TARGETS += tests/mediatord/fuzz-request
endif
tests_mediatord_fuzz_request_SOURCES = tests/mediatord/fuzz-request.c
tests_mediatord_fuzz_request_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_request_LDADD = mediatord/librequest.la

EXTRA_DIST += tests/mediatord/sched-check.h

if BUILD_TESTS
mediatord_sched_tests = \
	tests/mediatord/test-idmap \
	tests/mediatord/test-sched-order \
	tests/mediatord/test-sched-priority \
	tests/mediatord/test-sched-channel-fifo \
	tests/mediatord/test-sched-queue-depth \
	tests/mediatord/test-sched-rate-limit \
	tests/mediatord/test-sched-longest-job \
	tests/mediatord/test-sched-removal \
	tests/mediatord/test-sched-change \
	tests/mediatord/test-sched-placement \
	tests/mediatord/test-sched-hold \
	tests/mediatord/test-sched-model \
	tests/mediatord/test-sched-random \
	tests/mediatord/test-sched-rings \
	tests/mediatord/test-sched-tokens \
	tests/mediatord/test-sched-gpus \
	tests/mediatord/test-job-limit \
	tests/mediatord/test-quarantine \
	tests/mediatord/test-sched-thousands
check_PROGRAMS += $(mediatord_sched_tests)
TESTS += $(mediatord_sched_tests)
endif

tests_mediatord_test_idmap_SOURCES = tests/mediatord/test-idmap.c
tests_mediatord_test_idmap_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_idmap_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_order_SOURCES = tests/mediatord/test-sched-order.c
tests_mediatord_test_sched_order_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_order_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_priority_SOURCES = tests/mediatord/test-sched-priority.c
tests_mediatord_test_sched_priority_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_priority_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_channel_fifo_SOURCES = tests/mediatord/test-sched-channel-fifo.c
tests_mediatord_test_sched_channel_fifo_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_channel_fifo_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_queue_depth_SOURCES = tests/mediatord/test-sched-queue-depth.c
tests_mediatord_test_sched_queue_depth_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_queue_depth_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_rate_limit_SOURCES = tests/mediatord/test-sched-rate-limit.c
tests_mediatord_test_sched_rate_limit_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_rate_limit_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_longest_job_SOURCES = tests/mediatord/test-sched-longest-job.c
tests_mediatord_test_sched_longest_job_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_longest_job_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_removal_SOURCES = tests/mediatord/test-sched-removal.c
tests_mediatord_test_sched_removal_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_removal_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_change_SOURCES = tests/mediatord/test-sched-change.c
tests_mediatord_test_sched_change_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_change_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_hold_SOURCES = tests/mediatord/test-sched-hold.c
tests_mediatord_test_sched_hold_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_hold_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_placement_SOURCES = tests/mediatord/test-sched-placement.c
tests_mediatord_test_sched_placement_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_placement_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_model_SOURCES = tests/mediatord/test-sched-model.c
tests_mediatord_test_sched_model_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_model_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_random_SOURCES = tests/mediatord/test-sched-random.c
tests_mediatord_test_sched_random_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_random_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_rings_SOURCES = tests/mediatord/test-sched-rings.c
tests_mediatord_test_sched_rings_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_rings_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_tokens_SOURCES = tests/mediatord/test-sched-tokens.c
tests_mediatord_test_sched_tokens_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_tokens_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_gpus_SOURCES = tests/mediatord/test-sched-gpus.c
tests_mediatord_test_sched_gpus_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_gpus_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_job_limit_SOURCES = tests/mediatord/test-job-limit.c
tests_mediatord_test_job_limit_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_job_limit_LDADD = $(CMOCKA_LIBS)

tests_mediatord_test_quarantine_SOURCES = tests/mediatord/test-quarantine.c
tests_mediatord_test_quarantine_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_quarantine_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

tests_mediatord_test_sched_thousands_SOURCES = tests/mediatord/test-sched-thousands.c
tests_mediatord_test_sched_thousands_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_sched_thousands_LDADD = mediatord/libsched.la $(CMOCKA_LIBS)

include tests/mediatord/worker.mk
include tests/mediatord/channel.mk
include tests/mediatord/gpus.mk
include tests/mediatord/adopt.mk
include tests/mediatord/keeper.mk

# The loop: a mediator in the test's own process, with a worker that misbehaves on demand.
mediatord_loop_tests = \
	tests/mediatord/test-config-errors \
	tests/mediatord/test-config-values \
	tests/mediatord/test-peer-decision \
	tests/mediatord/test-loop-requests \
	tests/mediatord/test-loop-handshake \
	tests/mediatord/test-loop-hung \
	tests/mediatord/test-loop-log \
	tests/mediatord/test-loop-workers \
	tests/mediatord/test-loop-devices
if BUILD_TESTS
check_PROGRAMS += $(mediatord_loop_tests) tests/mediatord/loop-fake-worker
check_LTLIBRARIES += tests/mediatord/libloopharness.la
TESTS += $(mediatord_loop_tests)
endif

tests_mediatord_loop_fake_worker_SOURCES = \
	tests/mediatord/loop-fake-worker.c \
	tests/mediatord/loop-fake-worker.h
tests_mediatord_loop_fake_worker_LDADD = mediatord/librequest.la

tests_mediatord_libloopharness_la_SOURCES = \
	tests/mediatord/loop-client.c \
	tests/mediatord/loop-client.h \
	tests/mediatord/loop-daemon.c \
	tests/mediatord/loop-daemon.h \
	tests/mediatord/loop-harness.c \
	tests/mediatord/loop-harness.h \
	tests/mediatord/medchan-device.c \
	tests/mediatord/medchan-device.h
tests_mediatord_libloopharness_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_libloopharness_la_LIBADD = mediatord/libmediator.la $(CMOCKA_LIBS)

tests_mediatord_test_loop_requests_SOURCES = tests/mediatord/test-loop-requests.c
tests_mediatord_test_loop_requests_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_loop_requests_LDADD = tests/mediatord/libloopharness.la

tests_mediatord_test_loop_handshake_SOURCES = tests/mediatord/test-loop-handshake.c
tests_mediatord_test_loop_handshake_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_loop_handshake_LDADD = tests/mediatord/libloopharness.la

tests_mediatord_test_loop_hung_SOURCES = tests/mediatord/test-loop-hung.c
tests_mediatord_test_loop_hung_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_loop_hung_LDADD = tests/mediatord/libloopharness.la

# With log lines that go to this test's own journal.
tests_mediatord_test_loop_log_SOURCES = \
	common/log.c \
	tests/mediatord/test-loop-log.c
tests_mediatord_test_loop_log_CPPFLAGS = $(AM_CPPFLAGS) -DVGPU_JOURNAL_SOCKET='"journal.sock"'
tests_mediatord_test_loop_log_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_loop_log_LDADD = tests/mediatord/libloopharness.la

tests_mediatord_test_loop_workers_SOURCES = tests/mediatord/test-loop-workers.c
tests_mediatord_test_loop_workers_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_loop_workers_LDADD = tests/mediatord/libloopharness.la

tests_mediatord_test_loop_devices_SOURCES = tests/mediatord/test-loop-devices.c
tests_mediatord_test_loop_devices_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_loop_devices_LDADD = tests/mediatord/libloopharness.la

tests_mediatord_test_config_errors_SOURCES = tests/mediatord/test-config-errors.c
tests_mediatord_test_config_errors_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_config_errors_LDADD = mediatord/libmediator.la $(CMOCKA_LIBS)

tests_mediatord_test_config_values_SOURCES = tests/mediatord/test-config-values.c
tests_mediatord_test_config_values_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_config_values_LDADD = mediatord/libmediator.la $(CMOCKA_LIBS)

tests_mediatord_test_peer_decision_SOURCES = tests/mediatord/test-peer-decision.c
tests_mediatord_test_peer_decision_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_peer_decision_LDADD = mediatord/libmediator.la $(CMOCKA_LIBS)

# The control plane: layers, state, registry, and REST against the real daemon.
EXTRA_DIST += tests/mediatord/alerts.yaml tests/mediatord/openapi_check.py tests/mediatord/plane-check.h \
	tests/mediatord/rest-lib.bash

mediatord_plane_tests = \
	tests/mediatord/test-layers-decode \
	tests/mediatord/test-layers-merge \
	tests/mediatord/test-state-reopen \
	tests/mediatord/test-state-refuse \
	tests/mediatord/test-state-kill \
	tests/mediatord/test-state-full \
	tests/mediatord/test-registry \
	tests/mediatord/test-rest-router \
	tests/mediatord/test-token \
	tests/mediatord/test-events
mediatord_rest_tests = \
	tests/mediatord/rest-refusals.sh \
	tests/mediatord/reconciler.sh \
	tests/mediatord/rest-domain.sh \
	tests/mediatord/rest-layers.sh \
	tests/mediatord/rest-conditions.sh \
	tests/mediatord/rest-promises.sh \
	tests/mediatord/rest-profiles.sh \
	tests/mediatord/rest-actions.sh \
	tests/mediatord/rest-ui.sh \
	tests/mediatord/rest-events.sh \
	tests/mediatord/rest-tokens.sh \
	tests/mediatord/rest-metrics.sh \
	tests/mediatord/rest-reload.sh \
	tests/mediatord/promtool.sh \
	tests/mediatord/rest-heads.sh \
	tests/mediatord/rest-idle-clients.sh \
	tests/mediatord/rest-shutdown.sh \
	tests/mediatord/service-notify.sh \
	tests/mediatord/rest-openapi.sh \
	tests/mediatord/rest-schema.sh \
	tests/mediatord/rest-seats.sh \
	tests/mediatord/rest-durable.sh \
	tests/mediatord/rest-socket.sh \
	tests/mediatord/rest-slow-client.sh \
	tests/mediatord/rest-disk-full.sh
# The file protocol, against the real daemon.
mediatord_files_tests = \
	tests/mediatord/files-hostile.sh \
	tests/mediatord/files-polling.sh \
	tests/mediatord/files-protocol.sh \
	tests/mediatord/files-storm.sh
EXTRA_DIST += tests/mediatord/files-lib.bash
dist_check_SCRIPTS += $(mediatord_rest_tests) $(mediatord_files_tests)
if BUILD_MEDIATORD
TESTS += $(mediatord_rest_tests) $(mediatord_files_tests)
if BUILD_TESTS
check_PROGRAMS += $(mediatord_plane_tests)
TESTS += $(mediatord_plane_tests)
endif
endif

plane_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS)
plane_test_libs = mediatord/libplane.la mediatord/libmediator.la $(SQLITE_LIBS) $(JANSSON_LIBS) \
	$(CMOCKA_LIBS)

tests_mediatord_test_layers_decode_SOURCES = tests/mediatord/test-layers-decode.c
tests_mediatord_test_layers_decode_CFLAGS = $(plane_test_cflags)
tests_mediatord_test_layers_decode_LDADD = $(plane_test_libs)

tests_mediatord_test_layers_merge_SOURCES = tests/mediatord/test-layers-merge.c
tests_mediatord_test_layers_merge_CFLAGS = $(plane_test_cflags)
tests_mediatord_test_layers_merge_LDADD = $(plane_test_libs)

tests_mediatord_test_state_reopen_SOURCES = tests/mediatord/test-state-reopen.c
tests_mediatord_test_state_reopen_CFLAGS = $(plane_test_cflags)
tests_mediatord_test_state_reopen_LDADD = $(plane_test_libs)

tests_mediatord_test_state_refuse_SOURCES = tests/mediatord/test-state-refuse.c
tests_mediatord_test_state_refuse_CFLAGS = $(plane_test_cflags)
tests_mediatord_test_state_refuse_LDADD = $(plane_test_libs)

tests_mediatord_test_state_kill_SOURCES = tests/mediatord/test-state-kill.c
tests_mediatord_test_state_kill_CFLAGS = $(plane_test_cflags)
tests_mediatord_test_state_kill_LDADD = $(plane_test_libs)

tests_mediatord_test_state_full_SOURCES = tests/mediatord/test-state-full.c
tests_mediatord_test_state_full_CFLAGS = $(plane_test_cflags)
tests_mediatord_test_state_full_LDADD = $(plane_test_libs)

tests_mediatord_test_registry_SOURCES = tests/mediatord/test-registry.c
tests_mediatord_test_registry_CFLAGS = $(plane_test_cflags)
tests_mediatord_test_registry_LDADD = $(plane_test_libs)

tests_mediatord_test_rest_router_SOURCES = tests/mediatord/test-rest-router.c
tests_mediatord_test_rest_router_CFLAGS = $(plane_test_cflags)
tests_mediatord_test_rest_router_LDADD = $(plane_test_libs)

tests_mediatord_test_token_SOURCES = tests/mediatord/test-token.c
tests_mediatord_test_token_CFLAGS = $(plane_test_cflags)
tests_mediatord_test_token_LDADD = $(plane_test_libs)

tests_mediatord_test_events_SOURCES = tests/mediatord/test-events.c
tests_mediatord_test_events_CFLAGS = $(plane_test_cflags)
tests_mediatord_test_events_LDADD = mediatord/libmediator.la $(CMOCKA_LIBS)

if FUZZING
noinst_PROGRAMS += tests/mediatord/fuzz-vm-body tests/mediatord/fuzz-rest
FUZZ_TARGETS += tests/mediatord/fuzz-vm-body tests/mediatord/fuzz-rest
endif
tests_mediatord_fuzz_rest_SOURCES = tests/mediatord/fuzz-rest.c
tests_mediatord_fuzz_rest_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_mediatord_fuzz_rest_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_rest_LDADD = mediatord/libplane.la mediatord/libmediator.la $(JANSSON_LIBS)
tests_mediatord_fuzz_vm_body_SOURCES = tests/mediatord/fuzz-vm-body.c
tests_mediatord_fuzz_vm_body_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_mediatord_fuzz_vm_body_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_vm_body_LDADD = mediatord/libplane.la mediatord/libmediator.la $(JANSSON_LIBS)
# The programs that are installed.
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += tests/mediatord/test-loop-daemon tests/mediatord/test-medchan-daemon \
	tests/mediatord/test-warm
TESTS += tests/mediatord/test-loop-daemon tests/mediatord/test-medchan-daemon \
	tests/mediatord/test-warm tests/mediatord/daemon-options.sh
endif
endif
dist_check_SCRIPTS += tests/mediatord/daemon-options.sh

tests_mediatord_test_loop_daemon_SOURCES = tests/mediatord/test-loop-daemon.c
tests_mediatord_test_loop_daemon_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_loop_daemon_LDADD = tests/mediatord/libloopharness.la

tests_mediatord_test_warm_SOURCES = tests/mediatord/test-warm.c
tests_mediatord_test_warm_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_mediatord_test_warm_LDADD = tests/mediatord/libloopharness.la $(JANSSON_LIBS)

tests_mediatord_test_medchan_daemon_SOURCES = \
	tests/mediatord/guest-ring.h \
	tests/mediatord/test-medchan-daemon.c
tests_mediatord_test_medchan_daemon_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_mediatord_test_medchan_daemon_LDADD = tests/mediatord/libloopharness.la $(JANSSON_LIBS)

if FUZZING
noinst_PROGRAMS += tests/mediatord/fuzz-config tests/mediatord/fuzz-sched
FUZZ_TARGETS += tests/mediatord/fuzz-config tests/mediatord/fuzz-sched
if BUILD_MEDIATORD
noinst_PROGRAMS += tests/mediatord/fuzz-link
FUZZ_TARGETS += tests/mediatord/fuzz-link
endif
endif
tests_mediatord_fuzz_sched_SOURCES = tests/mediatord/fuzz-sched.c
tests_mediatord_fuzz_sched_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_sched_LDADD = mediatord/libsched.la

tests_mediatord_fuzz_config_SOURCES = tests/mediatord/fuzz-config.c
tests_mediatord_fuzz_config_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_config_LDADD = mediatord/libmediator.la

tests_mediatord_fuzz_link_SOURCES = \
	tests/mediatord/fuzz-link.c \
	tests/mediatord/keeper-child.c \
	tests/mediatord/keeper-child.h
tests_mediatord_fuzz_link_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_link_LDADD = mediatord/keeper/libkeeper.la

# Channels, as the mediator opens, counts and closes them.
mediatord_medchan_tests = \
	tests/mediatord/test-medchan-region \
	tests/mediatord/test-medchan-grant \
	tests/mediatord/test-medchan-open \
	tests/mediatord/test-medchan-workers \
	tests/mediatord/test-medchan-flood \
	tests/mediatord/test-medchan-fresh \
	tests/mediatord/test-medchan-idle \
	tests/mediatord/test-medchan-turns \
	tests/mediatord/test-medchan-gpus \
	tests/mediatord/test-medchan-hostile
if BUILD_TESTS
check_PROGRAMS += $(mediatord_medchan_tests)
TESTS += $(mediatord_medchan_tests)
endif

tests_mediatord_test_medchan_region_SOURCES = tests/mediatord/test-medchan-region.c
tests_mediatord_test_medchan_region_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_medchan_region_LDADD = mediatord/libmediator.la $(CMOCKA_LIBS)

tests_mediatord_test_medchan_grant_SOURCES = tests/mediatord/test-medchan-grant.c
tests_mediatord_test_medchan_grant_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_medchan_grant_LDADD = mediatord/libmediator.la $(CMOCKA_LIBS)

tests_mediatord_test_medchan_open_SOURCES = tests/mediatord/test-medchan-open.c
tests_mediatord_test_medchan_open_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_medchan_open_LDADD = tests/mediatord/libloopharness.la

tests_mediatord_test_medchan_workers_SOURCES = tests/mediatord/test-medchan-workers.c
tests_mediatord_test_medchan_workers_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_medchan_workers_LDADD = tests/mediatord/libloopharness.la

tests_mediatord_test_medchan_gpus_SOURCES = tests/mediatord/test-medchan-gpus.c
tests_mediatord_test_medchan_gpus_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_medchan_gpus_LDADD = tests/mediatord/libloopharness.la

tests_mediatord_test_medchan_idle_SOURCES = tests/mediatord/test-medchan-idle.c
tests_mediatord_test_medchan_idle_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_medchan_idle_LDADD = tests/mediatord/libloopharness.la

tests_mediatord_test_medchan_fresh_SOURCES = tests/mediatord/test-medchan-fresh.c
tests_mediatord_test_medchan_fresh_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_medchan_fresh_LDADD = tests/mediatord/libloopharness.la

tests_mediatord_test_medchan_flood_SOURCES = tests/mediatord/test-medchan-flood.c
tests_mediatord_test_medchan_flood_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_medchan_flood_LDADD = tests/mediatord/libloopharness.la

tests_mediatord_test_medchan_turns_SOURCES = tests/mediatord/test-medchan-turns.c
tests_mediatord_test_medchan_turns_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_medchan_turns_LDADD = tests/mediatord/libloopharness.la

tests_mediatord_test_medchan_hostile_SOURCES = tests/mediatord/test-medchan-hostile.c
tests_mediatord_test_medchan_hostile_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_medchan_hostile_LDADD = tests/mediatord/libloopharness.la
