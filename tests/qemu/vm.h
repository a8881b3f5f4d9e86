/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real QEMU without a guest, for tests: its CPUs stand still (-S), and the test does what a guest
 * would do through QEMU's qtest protocol: port, memory and PCI configuration accesses.
 *
 * A function here that fails ends the test, with QEMU's own messages.
 */
#ifndef VGPU_TESTS_QEMU_VM_H
#define VGPU_TESTS_QEMU_VM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/protocol.h"

/* For whatever must happen, on a machine that is busy. */
#define PATIENCE_MS 60000

struct line_reader {
	int fd;
	size_t used;
	char bytes[16384];
};

struct vm {
	pid_t pid;
	char dir[64];  /* private; everything in it goes away with the VM */
	char link[96]; /* dir's link socket, which nobody listens on yet */
	char qtest_path[96], qmp_path[96], stderr_path[96];
	struct line_reader qtest, qmp;
	char events[4096]; /* names that came and were not waited for, each with a space */
};

/* Ends the program with 77 where there is no QEMU to test with. Call first in main(). */
void vm_prerequisites(void);

/* Makes the private folder, and nothing else yet, so that a mediator can listen there first. */
void vm_prepare(struct vm *vm);
/*
 * Starts QEMU with these arguments, which a NULL ends, after the fixture's own. "@LINK@" at the end
 * of an argument becomes the link socket's path.
 */
void vm_start(struct vm *vm, const char *const arguments[]);
/* Ends QEMU, checks that it lived until now, and removes the folder. */
void vm_stop(struct vm *vm);

/*
 * Runs the emulator wrapper with these arguments until it ends by itself. Returns its exit status,
 * and in output what it printed, standard error included.
 */
int vm_run(const char *const arguments[], char *output, size_t size);

/* What a guest's CPU does: size is 1, 2, 4 or 8 bytes. */
uint64_t vm_read(struct vm *vm, unsigned int size, uint64_t address);
void vm_write(struct vm *vm, unsigned int size, uint64_t address, uint64_t value);
uint32_t vm_in32(struct vm *vm, uint16_t port);
void vm_out32(struct vm *vm, uint16_t port, uint32_t value);

/* Reads 4 bytes until they are the value. */
void vm_wait(struct vm *vm, uint64_t address, uint32_t value);

/* Runs a QMP command (JSON without a line break). Returns the answer's line, valid until the next.
 */
const char *vm_qmp(struct vm *vm, const char *command);
/* Waits for a QMP event, or takes one that came since the last wait for it. */
void vm_wait_event(struct vm *vm, const char *event);

/* CPU time that QEMU has used, all threads, in milliseconds; moves in steps of some 10 ms. */
unsigned int vm_cpu_ms(const struct vm *vm);

/* QEMU's messages so far. */
void vm_messages(const struct vm *vm, char *text, size_t size);

#endif
