# SPDX-License-Identifier: Apache-2.0
if BUILD_XML
noinst_LTLIBRARIES += xml/libvgpuxml.la
bin_PROGRAMS += xml/vgpu-xml
dist_man_MANS += man/vgpu-xml.1 man/vgpu-xml.5
vgpudatadir = $(datadir)/vgpu
dist_vgpudata_DATA = xml/vgpu-metadata.rng
vgputemplatesdir = $(vgpudatadir)/templates
vgputemplates_DATA = \
	xml/templates/i440fx-bios.xml \
	xml/templates/q35-bios.xml \
	xml/templates/q35-uefi.xml
CLEANFILES += $(vgputemplates_DATA)
else
if BUILD_HOOK
noinst_LTLIBRARIES += xml/libvgpuxml.la
else
if BUILD_CLOUDSTACK
noinst_LTLIBRARIES += xml/libvgpuxml.la
endif
endif
endif

# The defaults that --help names, and that the core puts into a domain.
xml_paths = \
	-DVGPU_LINK_DIR='"$(runstatedir)/vgpu/link"' \
	-DVGPU_EMULATOR='"$(bindir)/qemu-system-x86_64-vgpu"'

# The core: documents in memory, no I/O. The hook reads domains with it too.
xml_libvgpuxml_la_SOURCES = \
	xml/address.c \
	xml/address.h \
	xml/attach.c \
	xml/commandline.c \
	xml/commandline.h \
	xml/device_option.c \
	xml/device_option.h \
	xml/document.c \
	xml/document.h \
	xml/domain.h \
	xml/hostdev.c \
	xml/inspect.c \
	xml/limits.c \
	xml/limits.h \
	xml/metadata.c \
	xml/metadata.h \
	xml/offering.c \
	xml/offering.h \
	xml/quotas.c \
	xml/quotas.h \
	xml/tree.c \
	xml/tree.h
xml_libvgpuxml_la_CPPFLAGS = $(AM_CPPFLAGS) $(xml_paths)
xml_libvgpuxml_la_CFLAGS = $(AM_CFLAGS) $(LIBXML2_CFLAGS)
xml_libvgpuxml_la_LIBADD = $(LIBXML2_LIBS)

xml_vgpu_xml_SOURCES = \
	xml/command_attach.c \
	xml/command_detach.c \
	xml/command_inspect.c \
	xml/command_validate.c \
	xml/file.c \
	xml/file.h \
	xml/main.c \
	xml/vgpu_xml.h
xml_vgpu_xml_CPPFLAGS = $(AM_CPPFLAGS) $(xml_paths)
xml_vgpu_xml_CFLAGS = $(AM_CFLAGS)
xml_vgpu_xml_LDADD = xml/libvgpuxml.la common/libcommon.la

# The templates name the wrapper and the link where this configuration has them.
EXTRA_DIST += \
	xml/templates/i440fx-bios.xml.in \
	xml/templates/q35-bios.xml.in \
	xml/templates/q35-uefi.xml.in
xml_make_template = \
	$(AM_V_GEN)$(MKDIR_P) xml/templates && \
	$(SED) -e 's|@bindir''@|$(bindir)|g' -e 's|@runstatedir''@|$(runstatedir)|g' \
		$(srcdir)/$@.in >$@.tmp && mv $@.tmp $@
xml/templates/i440fx-bios.xml: xml/templates/i440fx-bios.xml.in Makefile
	$(xml_make_template)
xml/templates/q35-bios.xml: xml/templates/q35-bios.xml.in Makefile
	$(xml_make_template)
xml/templates/q35-uefi.xml: xml/templates/q35-uefi.xml.in Makefile
	$(xml_make_template)
