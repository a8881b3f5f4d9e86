# SPDX-License-Identifier: Apache-2.0
include_HEADERS += guest-agent/vgpu.h guest-agent/vgpu_channel.h
pkgconfig_DATA += guest-agent/libvgpu.pc

# Everything but the symbol map, so that tests link what ships.
noinst_LTLIBRARIES += guest-agent/libvgpu-core.la
guest_agent_libvgpu_core_la_SOURCES = \
	guest-agent/channel.c \
	guest-agent/channel.h \
	guest-agent/channel_call.c \
	guest-agent/channel_copy.c \
	guest-agent/channel_memory.c \
	guest-agent/channel_module.c \
	guest-agent/channel_queue.c \
	guest-agent/channel_raw.c \
	guest-agent/channel_stream.c \
	guest-agent/channel_window.c \
	guest-agent/cuda_names.c \
	guest-agent/execute.c \
	guest-agent/handle.c \
	guest-agent/handle.h \
	guest-agent/info.c \
	guest-agent/last_error.c \
	guest-agent/last_error.h \
	guest-agent/mailbox.c \
	guest-agent/mailbox.h \
	guest-agent/memory.c \
	guest-agent/names.c \
	guest-agent/owner.c \
	guest-agent/owner.h \
	guest-agent/pci_find.c \
	guest-agent/process.c \
	guest-agent/process.h \
	guest-agent/public.h \
	guest-agent/ring.c \
	guest-agent/ring.h \
	guest-agent/transport.h \
	guest-agent/transport_file.c \
	guest-agent/transport_local.c \
	guest-agent/transport_pci.c \
	guest-agent/transport_pci.h \
	guest-agent/vgpu.h \
	guest-agent/vgpu_channel.h \
	guest-agent/window.c \
	guest-agent/window.h
guest_agent_libvgpu_core_la_LIBADD = device/libdevice.la common/libcommon.la -lpthread

# current:revision:age, by libtool's rules: see "Updating version info" in its manual.
lib_LTLIBRARIES += guest-agent/libvgpu.la
guest_agent_libvgpu_la_SOURCES =
guest_agent_libvgpu_la_LIBADD = guest-agent/libvgpu-core.la
guest_agent_libvgpu_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined \
	-Wl,--version-script=$(top_srcdir)/guest-agent/libvgpu.map
EXTRA_guest_agent_libvgpu_la_DEPENDENCIES = $(top_srcdir)/guest-agent/libvgpu.map
EXTRA_DIST += guest-agent/libvgpu.map

# What the agent is made of but main(), for the tests.
noinst_LTLIBRARIES += guest-agent/libagent.la
guest_agent_libagent_la_SOURCES = \
	guest-agent/agent/agent.h \
	guest-agent/agent/daemon.h \
	guest-agent/agent/daemon_loop.c \
	guest-agent/agent/guard.c \
	guest-agent/agent/guard.h \
	guest-agent/agent/json.c \
	guest-agent/agent/json.h \
	guest-agent/agent/number.c \
	guest-agent/agent/number.h \
	guest-agent/agent/percentile.c \
	guest-agent/agent/percentile.h \
	guest-agent/agent/run_argument.c \
	guest-agent/agent/run_argument.h \
	guest-agent/agent/vector.c \
	guest-agent/agent/vector.h \
	guest-agent/agent/watch.c \
	guest-agent/agent/watch.h

# The daemon needs of libvgpu what is not for other programs, so it is linked in, not loaded.
bin_PROGRAMS += guest-agent/vgpu-agent
guest_agent_vgpu_agent_SOURCES = \
	guest-agent/agent/add.c \
	guest-agent/agent/bench.c \
	guest-agent/agent/bench.h \
	guest-agent/agent/bench_channel.c \
	guest-agent/agent/daemon.c \
	guest-agent/agent/device.c \
	guest-agent/agent/device.h \
	guest-agent/agent/help.c \
	guest-agent/agent/info.c \
	guest-agent/agent/main.c \
	guest-agent/agent/nop.c \
	guest-agent/agent/open.c \
	guest-agent/agent/report.c \
	guest-agent/agent/run.c \
	guest-agent/agent/signals.c
guest_agent_vgpu_agent_LDADD = \
	guest-agent/libagent.la guest-agent/libvgpu-core.la common/libcommandline.la \
	common/libcommon.la -lm

exampledir = $(docdir)/examples
dist_example_DATA = \
	guest-agent/examples/channel-saxpy.c \
	guest-agent/examples/vector-add.c
