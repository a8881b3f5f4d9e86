/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the GPUs and their driver. */
#include <stdio.h>
#include <string.h>

#include "mediatord/ctl/doctor.h"
#include "mediatord/ctl/program.h"
#include "mediatord/ctl/show.h"
#include "mediatord/gpus/report.h"

/* As long as the mediator gives it. */
#define GPUINFO_MS 15000u

#define DRIVER_VERSION "/proc/driver/nvidia/version"

/* Whether the check concerns this host; says so where it does not. */
static bool uses_cuda(const struct doctor *doctor, struct doctor_finding *finding)
{
	if (doctor->config->backend == VGPU_BACKEND_CUDA)
		return true;
	doctor_found(finding, DOCTOR_SKIPPED, NULL, "backend = cpu needs no GPU");
	return false;
}

static void judge_report(const struct gpu_report *report, struct doctor_finding *finding)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct gpu *gpu = &report->gpus[i];

		if (gpu->state != GPU_OK) {
			doctor_found(finding, DOCTOR_FAILED,
				     "nvidia-smi and dmesg say more; reset the GPU or the host",
				     "GPU %u is %s: %s", gpu->index, gpu_state_name(gpu->state),
				     gpu->problem);
			return;
		}
		if (gpu->mig == 1) {
			doctor_found(finding, DOCTOR_FAILED, "nvidia-smi -mig 0",
				     "GPU %u is partitioned (MIG): workers cannot share it whole",
				     gpu->index);
			return;
		}
	}
	if (report->count == 0)
		doctor_found(finding, DOCTOR_FAILED, "lspci and dmesg say more",
			     "NVIDIA's driver is there, but has no GPU");
	else
		doctor_found(finding, DOCTOR_OK, NULL, "%zu, the first a %s", report->count,
			     report->gpus[0].name);
}

void doctor_check_gpus(struct doctor *doctor, struct doctor_finding *finding)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE char *output = NULL;
	VGPU_AUTO_FREE struct gpu_report *report = calloc(1, sizeof(*report));
	const char *const arguments[] = { doctor->config->gpuinfo, NULL };
	char version[256];
	int status;

	if (doctor->config->backend == VGPU_BACKEND_CPU &&
	    doctor_read(doctor, DRIVER_VERSION, version, sizeof(version)) == 0) {
		doctor_found(finding, DOCTOR_WARNING, "set backend = cuda in mediatord.conf",
			     "NVIDIA's driver is there, but the backend is cpu");
		return;
	}
	if (!report || !uses_cuda(doctor, finding))
		return;
	status = program_run(arguments, GPUINFO_MS, &output, &err);
	if (status == 0 && gpu_report_parse(output, strlen(output), report, &err) == 0) {
		judge_report(report, finding);
		return;
	}
	if (status > 0)
		output[strcspn(output, "\n")] = '\0';
	doctor_found(finding, DOCTOR_FAILED,
		     "install NVIDIA's driver, and see whether nvidia-smi answers", "%s",
		     status > 0 ? output : err->message);
}

/*
 * With the open driver's HMM a kernel reaches all memory of its process: a tenant's then reads and
 * writes its worker.
 */
void doctor_check_pageable_access(struct doctor *doctor, struct doctor_finding *finding)
{
	static const char cure[] = "echo 'options nvidia_uvm uvm_disable_hmm=1' "
				   ">/etc/modprobe.d/vgpu.conf, then reload nvidia_uvm or reboot";
	char version[512], disabled[16];

	if (!uses_cuda(doctor, finding))
		return;
	if (doctor->config->allow_pageable_access)
		doctor_found(finding, DOCTOR_WARNING,
			     "set allow-pageable-access = no in mediatord.conf",
			     "allow-pageable-access = yes: a tenant's kernels may reach their "
			     "worker's own memory");
	else if (doctor_read(doctor, DRIVER_VERSION, version, sizeof(version)) < 0)
		doctor_found(finding, DOCTOR_SKIPPED, NULL, "%s: %s", DRIVER_VERSION,
			     strerror(errno));
	else if (!strstr(version, "Open Kernel Module"))
		doctor_found(finding, DOCTOR_OK, NULL, "the proprietary driver has no HMM");
	else if (doctor_read(doctor, "/sys/module/nvidia_uvm/parameters/uvm_disable_hmm", disabled,
			     sizeof(disabled)) < 0)
		doctor_found(finding, DOCTOR_SKIPPED, NULL,
			     "nvidia_uvm is not loaded, or does not say");
	else if (disabled[0] == 'Y' || disabled[0] == '1')
		doctor_found(finding, DOCTOR_OK, NULL, "HMM is off (uvm_disable_hmm)");
	else
		doctor_found(finding, DOCTOR_WARNING, cure,
			     "the open driver's HMM may be on; workers then refuse to start");
}

/*
 * Workers never join an MPS server, where a fault of one client may end all the others. Others'
 * clients on the same GPUs are one more tenant that nobody schedules.
 */
void doctor_check_mps(struct doctor *doctor, struct doctor_finding *finding)
{
	pid_t pid;

	if (!uses_cuda(doctor, finding))
		return;
	/* The kernel keeps 15 bytes: nvidia-cuda-mps-control and nvidia-cuda-mps-server. */
	pid = doctor_find_process(doctor, "nvidia-cuda-mps");
	if (pid)
		doctor_found(finding, DOCTOR_WARNING, "echo quit | nvidia-cuda-mps-control",
			     "MPS runs (pid %d): workers do not join it, since one client's fault "
			     "can end all, and its clients' work is not scheduled",
			     (int)pid);
	else
		doctor_found(finding, DOCTOR_OK, NULL, "no MPS server runs");
}

void doctor_check_persistence(struct doctor *doctor, struct doctor_finding *finding)
{
	if (!uses_cuda(doctor, finding))
		return;
	if (doctor_find_process(doctor, "nvidia-persiste"))
		doctor_found(finding, DOCTOR_OK, NULL, "nvidia-persistenced runs");
	else
		doctor_found(finding, DOCTOR_WARNING, "systemctl enable --now nvidia-persistenced",
			     "nvidia-persistenced does not run: the first context after an idle "
			     "time may take seconds");
}
