# SPDX-License-Identifier: Apache-2.0
# Everything of the daemon but main(): links, workers, jobs and configuration.
noinst_LTLIBRARIES += mediatord/libmediator.la
mediatord_libmediator_la_SOURCES = \
	mediatord/actions.c \
	mediatord/actions.h \
	mediatord/adopt.c \
	mediatord/adopt.h \
	mediatord/backoff.h \
	mediatord/channel.c \
	mediatord/channel.h \
	mediatord/channel_adopt.c \
	mediatord/channel_status.c \
	mediatord/channel_turn.c \
	mediatord/channel_turn.h \
	mediatord/config.c \
	mediatord/config.h \
	mediatord/config_file.c \
	mediatord/config_file.h \
	mediatord/config_keys.c \
	mediatord/config_keys.h \
	mediatord/config_listen.c \
	mediatord/config_value.c \
	mediatord/config_value.h \
	mediatord/control.c \
	mediatord/control.h \
	mediatord/control_queue.h \
	mediatord/event_feed.c \
	mediatord/event_feed.h \
	mediatord/eventfd.c \
	mediatord/eventfd.h \
	mediatord/events.c \
	mediatord/events.h \
	mediatord/files/files.c \
	mediatord/files/files.h \
	mediatord/files/folder.c \
	mediatord/files/folder.h \
	mediatord/files/watch.c \
	mediatord/files/watch.h \
	mediatord/gpus/placement.c \
	mediatord/gpus/placement.h \
	mediatord/gpus/pools.c \
	mediatord/gpus/pools.h \
	mediatord/gpus/software_gpu.h \
	mediatord/grant.c \
	mediatord/grant.h \
	mediatord/histogram.h \
	mediatord/job_limit.h \
	mediatord/keeper_client.c \
	mediatord/keeper_client.h \
	mediatord/keeper_internal.h \
	mediatord/keeper_protocol.h \
	mediatord/keeper_start.c \
	mediatord/keeper_start.h \
	mediatord/keeper_worker.c \
	mediatord/ledger.h \
	mediatord/link.c \
	mediatord/link.h \
	mediatord/listen.c \
	mediatord/loop.c \
	mediatord/loop.h \
	mediatord/mediator.c \
	mediatord/mediator.h \
	mediatord/mediator_control.c \
	mediatord/pace.h \
	mediatord/peer.c \
	mediatord/peer.h \
	mediatord/reconciler.c \
	mediatord/reconciler.h \
	mediatord/record.c \
	mediatord/record.h \
	mediatord/region.c \
	mediatord/region.h \
	mediatord/resume.c \
	mediatord/resume.h \
	mediatord/rundir.c \
	mediatord/rundir.h \
	mediatord/timer.c \
	mediatord/timer.h \
	mediatord/usage.c \
	mediatord/usage.h \
	mediatord/vm.c \
	mediatord/vm.h \
	mediatord/vm_answer.c \
	mediatord/vm_call.c \
	mediatord/vm_call.h \
	mediatord/vm_config.h \
	mediatord/vm_event.c \
	mediatord/vm_log.c \
	mediatord/vm_quarantine.c \
	mediatord/vm_report.c \
	mediatord/vm_tenant.c \
	mediatord/warm.c \
	mediatord/warm.h \
	mediatord/worker.c \
	mediatord/worker.h \
	mediatord/worker_log.c \
	mediatord/worker_protocol.h \
	mediatord/worker_start.c
mediatord_libmediator_la_CPPFLAGS = $(AM_CPPFLAGS) $(mediatord_paths)
mediatord_libmediator_la_LIBADD = \
	mediatord/libsched.la \
	mediatord/librequest.la \
	common/libcommon.la \
	-lpthread

mediatord_paths = \
	-DVGPU_RUN_DIR='"$(runstatedir)/vgpu"' \
	-DVGPU_STATE_DIR='"$(localstatedir)/lib/vgpu"' \
	-DVGPU_WORKER_PROGRAM='"$(pkglibexecdir)/vgpu-worker"' \
	-DVGPU_GPUINFO_PROGRAM='"$(pkglibexecdir)/vgpu-gpuinfo"' \
	-DVGPU_RECONCILER_PROGRAM='"$(pkglibexecdir)/vgpu-reconciler"' \
	-DVGPU_CONFIG_FILE='"$(sysconfdir)/vgpu/mediatord.conf"'

if BUILD_MEDIATORD
sbin_PROGRAMS += mediatord/vgpu-mediatord
endif
mediatord_vgpu_mediatord_SOURCES = mediatord/main.c
mediatord_vgpu_mediatord_CPPFLAGS = $(AM_CPPFLAGS) $(mediatord_paths)
mediatord_vgpu_mediatord_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS) $(JANSSON_CFLAGS)
mediatord_vgpu_mediatord_LDADD = mediatord/libplane.la mediatord/libmediator.la $(SYSTEMD_LIBS)

# The only validator of requests; daemon and worker link it.
noinst_LTLIBRARIES += mediatord/librequest.la
mediatord_librequest_la_SOURCES = \
	mediatord/request.c \
	mediatord/request.h
mediatord_librequest_la_LIBADD = common/libcommon.la

# The scheduler: pure, linked by the daemon, the tests and a simulator alike.
noinst_LTLIBRARIES += mediatord/libsched.la
mediatord_libsched_la_SOURCES = \
	mediatord/sched/channel.c \
	mediatord/sched/gpu.c \
	mediatord/sched/heap.c \
	mediatord/sched/heap.h \
	mediatord/sched/idmap.c \
	mediatord/sched/idmap.h \
	mediatord/sched/internal.h \
	mediatord/sched/quarantine.c \
	mediatord/sched/quarantine.h \
	mediatord/sched/sched.c \
	mediatord/sched/sched.h \
	mediatord/sched/seat.c \
	mediatord/sched/share.c \
	mediatord/sched/tenant.c \
	mediatord/sched/tokens.c \
	mediatord/sched/turn.c

# The control plane: what is registered, how it is kept, and REST. The daemon adds control.h's
# functions and the configuration's.
if BUILD_MEDIATORD
noinst_LTLIBRARIES += mediatord/libplane.la
endif
mediatord_libplane_la_SOURCES = \
	mediatord/accountant.c \
	mediatord/accountant.h \
	mediatord/body.c \
	mediatord/body.h \
	mediatord/chores.c \
	mediatord/chores.h \
	mediatord/control.h \
	mediatord/domain_report.c \
	mediatord/domain_report.h \
	mediatord/gpus/ask.c \
	mediatord/gpus/ask.h \
	mediatord/gpus/gpus.c \
	mediatord/gpus/gpus.h \
	mediatord/gpus/report.c \
	mediatord/gpus/report.h \
	mediatord/json_text.c \
	mediatord/json_text.h \
	mediatord/problem.c \
	mediatord/problem.h \
	mediatord/registry/domain.c \
	mediatord/registry/internal.h \
	mediatord/registry/layers.c \
	mediatord/registry/layers.h \
	mediatord/registry/layers_patch.c \
	mediatord/registry/profiles.c \
	mediatord/registry/read.c \
	mediatord/registry/registry.c \
	mediatord/registry/registry.h \
	mediatord/registry/seats.c \
	mediatord/registry/seats_file.c \
	mediatord/registry/seats_file.h \
	mediatord/rest/admin.c \
	mediatord/rest/events.c \
	mediatord/rest/gpus.c \
	mediatord/rest/head.c \
	mediatord/rest/http.c \
	mediatord/rest/internal.h \
	mediatord/rest/listen.c \
	mediatord/rest/metrics.c \
	mediatord/rest/origin.c \
	mediatord/rest/profiles.c \
	mediatord/rest/query.c \
	mediatord/rest/query.h \
	mediatord/rest/rest.c \
	mediatord/rest/rest.h \
	mediatord/rest/router.c \
	mediatord/rest/router.h \
	mediatord/rest/seats.c \
	mediatord/rest/status.c \
	mediatord/rest/tcp.c \
	mediatord/rest/tokens.c \
	mediatord/rest/ui.c \
	mediatord/rest/vm_json.c \
	mediatord/rest/vms.c \
	mediatord/rest/who.c \
	mediatord/state/internal.h \
	mediatord/state/records.c \
	mediatord/state/seats.c \
	mediatord/state/state.c \
	mediatord/state/state.h \
	mediatord/state/usage.c \
	mediatord/ticker.c \
	mediatord/ticker.h \
	mediatord/token.c \
	mediatord/token.h \
	mediatord/token_body.c \
	mediatord/token_body.h \
	mediatord/usage_text.c \
	mediatord/vm_text.c \
	mediatord/vm_text.h
nodist_mediatord_libplane_la_SOURCES = \
	mediatord/openapi_text.c \
	mediatord/ui_text.c
CLEANFILES += $(nodist_mediatord_libplane_la_SOURCES)
# What the daemon serves are the files that are read here.
embed = $(SED) -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/	"&\\n"/'
mediatord/openapi_text.c: $(top_srcdir)/data/openapi.yaml
	$(AM_V_GEN)$(MKDIR_P) mediatord && { \
		echo '/* SPDX-License-Identifier: Apache-2.0 */' && \
		echo 'extern const char vgpu_openapi_text[];' && \
		echo 'const char vgpu_openapi_text[] =' && \
		$(embed) $(top_srcdir)/data/openapi.yaml && \
		echo ';'; } >$@.tmp && mv $@.tmp $@

ui_files = data/ui/index.html data/ui/style.css data/ui/app.js data/ui/widgets.js \
	data/ui/icon.svg
EXTRA_DIST += $(ui_files)
mediatord/ui_text.c: $(ui_files)
	$(AM_V_GEN)$(MKDIR_P) mediatord && { \
		echo '/* SPDX-License-Identifier: Apache-2.0 */' && \
		for file in $(ui_files); do \
			name=vgpu_ui_`basename $$file | $(SED) 's/\..*//'` && \
			echo "extern const char $$name[];" && \
			echo "const char $$name[] =" && \
			$(embed) $(top_srcdir)/$$file && \
			echo ';' || exit 1; \
		done; } >$@.tmp && mv $@.tmp $@

mediatord_libplane_la_CFLAGS = $(AM_CFLAGS) $(MICROHTTPD_CFLAGS) $(GNUTLS_CFLAGS) $(JANSSON_CFLAGS) \
	$(SQLITE_CFLAGS) -pthread
mediatord_libplane_la_LIBADD = common/libcommon.la $(MICROHTTPD_LIBS) $(GNUTLS_LIBS) $(JANSSON_LIBS) \
	$(SQLITE_LIBS) -lpthread

# Asks NVIDIA's driver about the host's GPUs.
if BUILD_MEDIATORD
pkglibexec_PROGRAMS += vgpu-gpuinfo
endif
vgpu_gpuinfo_SOURCES = \
	mediatord/gpuinfo/gpuinfo_main.c \
	mediatord/gpuinfo/nvml_api.h
vgpu_gpuinfo_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
vgpu_gpuinfo_LDADD = $(JANSSON_LIBS) -ldl
dist_man_MANS += man/vgpu-gpuinfo.8

include mediatord/ctl/local.mk
include mediatord/keeper/local.mk
include mediatord/worker/local.mk
