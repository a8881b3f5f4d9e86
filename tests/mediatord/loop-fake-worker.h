/* SPDX-License-Identifier: Apache-2.0 */
/* How tests tell loop-fake-worker what to do: kernel names in requests, quotas at the start. */
#ifndef VGPU_TESTS_LOOP_FAKE_WORKER_H
#define VGPU_TESTS_LOOP_FAKE_WORKER_H

/* Kernels. */
#define FAKE_EXIT	  "exit"	  /* ends in the middle of the job */
#define FAKE_HANG	  "hang"	  /* never finishes */
#define FAKE_SLOW	  "slow"	  /* takes 200 ms */
#define FAKE_FAIL	  "fail"	  /* finishes with VGPU_ERR_CUDA */
#define FAKE_OVER_RELEASE "over_release"  /* gives back more than was taken */
#define FAKE_OTHER_JOB	  "other_job"	  /* finishes a job that it was not given */
#define FAKE_BAD_LENGTH	  "bad_length"	  /* says another length than it sends */
#define FAKE_LONG	  "long"	  /* sends more than any message has */
#define FAKE_UNKNOWN	  "unknown"	  /* sends a type that there is none of */
#define FAKE_RESERVE	  "reserve_flood" /* asks for memory and never reads the answers */
#define FAKE_TIME	  "time"	  /* says that it took an hour */
#define FAKE_READY	  "ready"	  /* says READY again */
#define FAKE_POISON	  "poison"	  /* fails, and so does CONTEXT_RESET from then on */
#define FAKE_ERROR	  "error"	  /* finishes with an error code that there is none of */

/* Memory quotas, in bytes: what the worker does when it starts. */
#define FAKE_START_SILENT 1000001u /* never says READY */
#define FAKE_START_FAILED 1000002u /* says FAILED */
#define FAKE_START_EXIT	  1000003u /* ends */
#define FAKE_START_NAME	  1000004u /* has a GPU name with control characters */

#endif
