# SPDX-License-Identifier: Apache-2.0
dist_man_MANS += man/vgpu-agent.1 man/vgpu.3
dist_man_MANS += man/vgpu-mediatord.8 man/mediatord.conf.5
