# SPDX-License-Identifier: Apache-2.0
# The device as a module for the distribution's QEMU, and its emulator wrapper.
vgpu_qemu_sources = \
	device/qemu/compat.h \
	device/qemu/vgpu-qemu.c \
	device/qemu/vgpu-qemu.h
vgpu_qemu_module_sources = \
	$(vgpu_qemu_sources) \
	device/qemu/load.c \
	device/qemu/weak.h
vgpu_qemu_cppflags = $(AM_CPPFLAGS) -DVGPU_QEMU_MODULE \
	-isystem $(QEMU_HEADERS)/generated \
	-isystem $(QEMU_HEADERS)/generated/qapi \
	-isystem $(QEMU_HEADERS)/include

if BUILD_QEMU_MODULE
pkglib_LTLIBRARIES += device/vgpu-qemu.la
bin_SCRIPTS += device/qemu-system-x86_64-vgpu
sbin_SCRIPTS += device/vgpu-rebuild-module
pkglibexec_SCRIPTS = scripts/qemu-headers
nobase_vgpumodule_DATA = $(vgpu_qemu_module_sources) $(device_libdevice_la_SOURCES) \
	$(common_libcommon_la_SOURCES)
dist_man_MANS += man/qemu-system-x86_64-vgpu.1 man/vgpu-rebuild-module.8
INSTALL_EXEC_HOOKS += vgpu-qemu-install-hook
UNINSTALL_HOOKS += vgpu-qemu-uninstall-hook
endif

device_vgpu_qemu_la_SOURCES = $(vgpu_qemu_module_sources)
device_vgpu_qemu_la_CPPFLAGS = $(vgpu_qemu_cppflags)
device_vgpu_qemu_la_CFLAGS = $(AM_CFLAGS) $(GLIB_CFLAGS)
device_vgpu_qemu_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -Wl,-z,defs
device_vgpu_qemu_la_LIBADD = device/libdevice.la common/libcommon.la $(GLIB_LIBS)
# A symbol that is missing is an error here, not when QEMU starts: all of QEMU's are weak.

# Nothing links the module, so libtool's description of it is not installed. libvirt asks anew what
# the emulator can do where the wrapper is newer than what it remembers.
.PHONY: vgpu-qemu-install-hook vgpu-qemu-uninstall-hook
vgpu-qemu-install-hook:
	rm -f '$(DESTDIR)$(pkglibdir)/vgpu-qemu.la'
	touch '$(DESTDIR)$(bindir)/qemu-system-x86_64-vgpu'
vgpu-qemu-uninstall-hook:
	rm -f '$(DESTDIR)$(pkglibdir)/vgpu-qemu.so'

# What builds the module again for another QEMU, from sources of its own.
vgpumoduledir = $(datadir)/vgpu/module
EXTRA_DIST += device/qemu-system-x86_64-vgpu.in device/vgpu-rebuild-module.in
CLEANFILES += device/qemu-system-x86_64-vgpu device/vgpu-rebuild-module
vgpu_qemu_script = \
	$(AM_V_GEN)$(MKDIR_P) device && \
	$(SED) -e 's|@bindir[@]|$(bindir)|g' -e 's|@pkglibdir[@]|$(pkglibdir)|g' \
		-e 's|@sbindir[@]|$(sbindir)|g' -e 's|@pkglibexecdir[@]|$(pkglibexecdir)|g' \
		-e 's|@vgpumoduledir[@]|$(vgpumoduledir)|g' \
		-e 's|@localstatedir[@]|$(localstatedir)|g' '$(srcdir)/$@.in' >$@.tmp && \
	chmod +x $@.tmp && mv $@.tmp $@
device/qemu-system-x86_64-vgpu: device/qemu-system-x86_64-vgpu.in Makefile
	$(vgpu_qemu_script)
device/vgpu-rebuild-module: device/vgpu-rebuild-module.in Makefile
	$(vgpu_qemu_script)

# The same device for those who build their own QEMU: a patch with the sources as they are now.
vgpu_in_tree_sources = $(device_libdevice_la_SOURCES) $(common_libcommon_la_SOURCES) \
	$(vgpu_qemu_sources)
EXTRA_DIST += device/vgpu-in-tree.patch
MAINTAINERCLEANFILES += device/vgpu-in-tree.patch
device/vgpu-in-tree.patch: scripts/qemu-intree-patch $(vgpu_in_tree_sources)
	$(AM_V_GEN)$(MKDIR_P) device && \
	'$(srcdir)/scripts/qemu-intree-patch' '$(srcdir)' $(vgpu_in_tree_sources) >$@.tmp && \
	mv $@.tmp $@
