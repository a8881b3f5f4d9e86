# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += \
	mediatord/config.h \
	mediatord/control.h \
	mediatord/request.h \
	mediatord/sched.h \
	mediatord/vm_config.h \
	mediatord/worker_protocol.h
