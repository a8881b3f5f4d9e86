# SPDX-License-Identifier: Apache-2.0
# vgpuctl: everything but main() is a library, for the tests.
if BUILD_CTL
noinst_LTLIBRARIES += mediatord/ctl/libctl.la
bin_PROGRAMS += mediatord/vgpuctl
dist_man_MANS += man/vgpuctl.8
endif

mediatord_ctl_libctl_la_SOURCES = \
	mediatord/ctl/admin.c \
	mediatord/ctl/change.c \
	mediatord/ctl/change.h \
	mediatord/ctl/channel.c \
	mediatord/ctl/commands.c \
	mediatord/ctl/ctl.h \
	mediatord/ctl/doctor.c \
	mediatord/ctl/doctor.h \
	mediatord/ctl/doctor_access.c \
	mediatord/ctl/doctor_gpu.c \
	mediatord/ctl/doctor_install.c \
	mediatord/ctl/doctor_kernel.c \
	mediatord/ctl/doctor_libvirt.c \
	mediatord/ctl/doctor_mediator.c \
	mediatord/ctl/events.c \
	mediatord/ctl/help.c \
	mediatord/ctl/list.c \
	mediatord/ctl/options.c \
	mediatord/ctl/print.c \
	mediatord/ctl/print.h \
	mediatord/ctl/profile.c \
	mediatord/ctl/program.c \
	mediatord/ctl/program.h \
	mediatord/ctl/report.c \
	mediatord/ctl/request.c \
	mediatord/ctl/server.c \
	mediatord/ctl/show.c \
	mediatord/ctl/show.h \
	mediatord/ctl/sse.c \
	mediatord/ctl/sse.h \
	mediatord/ctl/table.c \
	mediatord/ctl/table.h \
	mediatord/ctl/text.c \
	mediatord/ctl/text.h \
	mediatord/ctl/token.c \
	mediatord/ctl/top.c \
	mediatord/ctl/top.h \
	mediatord/ctl/top_compare.c \
	mediatord/ctl/values.c \
	mediatord/ctl/values.h \
	mediatord/ctl/vm.c \
	mediatord/ctl/vm.h \
	mediatord/ctl/vm_change.c \
	mediatord/ctl/vm_find.c \
	mediatord/gpus/report.c \
	mediatord/gpus/report.h
mediatord_ctl_libctl_la_CPPFLAGS = $(AM_CPPFLAGS) $(mediatord_paths) \
	-DVGPU_WRAPPER='"$(bindir)/qemu-system-x86_64-vgpu"' \
	-DVGPU_MODULE='"$(pkglibdir)/vgpu-qemu.so"' \
	-DVGPU_CONFIG_DIR='"$(sysconfdir)/vgpu"' \
	-DVGPU_SELINUX_MODULE='"$(datadir)/selinux/packages/vgpu.pp"' \
	-DVGPU_HOOKS_DIR='"$(libvirthooksdir)"'
mediatord_ctl_libctl_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS)
mediatord_ctl_libctl_la_LIBADD = mediatord/libmediator.la common/librestclient.la \
	common/libcommandline.la common/libcommon.la $(JANSSON_LIBS) $(SQLITE_LIBS) -lm

mediatord_vgpuctl_SOURCES = mediatord/ctl/main.c
mediatord_vgpuctl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
mediatord_vgpuctl_LDADD = mediatord/ctl/libctl.la

# bash and zsh complete by what vgpuctl itself says.
EXTRA_DIST += mediatord/ctl/completion.sh
if BUILD_CTL
bashcompletiondir = $(datadir)/bash-completion/completions
INSTALL_EXEC_HOOKS += install-vgpuctl-completion
UNINSTALL_HOOKS += uninstall-vgpuctl-completion
endif
.PHONY: install-vgpuctl-completion uninstall-vgpuctl-completion
install-vgpuctl-completion:
	$(MKDIR_P) '$(DESTDIR)$(bashcompletiondir)' '$(DESTDIR)$(zshcompletiondir)'
	$(INSTALL_DATA) '$(srcdir)/mediatord/ctl/completion.sh' '$(DESTDIR)$(bashcompletiondir)/vgpuctl'
	$(INSTALL_DATA) '$(srcdir)/mediatord/ctl/completion.sh' '$(DESTDIR)$(zshcompletiondir)/_vgpuctl'
uninstall-vgpuctl-completion:
	rm -f '$(DESTDIR)$(bashcompletiondir)/vgpuctl' '$(DESTDIR)$(zshcompletiondir)/_vgpuctl'
