/* SPDX-License-Identifier: Apache-2.0 */
/* The seats in the form that CloudStack's gpudiscovery.sh has. */
#ifndef VGPU_CLOUDSTACK_MERGE_H
#define VGPU_CLOUDSTACK_MERGE_H

#include <stddef.h>

#include <jansson.h>

#include "cloudstack-plugin/seats.h"

/*
 * Reads what the original gpudiscovery.sh said: an object whose "gpus" is an array of objects.
 * Returns it, which the caller owns; or NULL where it is anything else.
 */
json_t *merge_read(const char *text, size_t length);

/*
 * Brings used_by_vm of an answer of an earlier time up to date. running: names of domains under the
 * uuids of their seats and mediated devices, and the PCI addresses of their hostdevs. Returns 0, or
 * another value where there is no memory.
 */
int merge_update_users(json_t *gpus, const json_t *running);

/*
 * Adds the cards of seats that are not among `gpus`, as the kernel describes them (pci_card()); one
 * that it does not know either is gone. Reads sysfs. Returns 0, or -1 where there is no memory.
 */
int merge_missing_cards(json_t *gpus, const struct seats *seats, const char *sysfs);

/*
 * Adds the seats of the GPUs that are present to `gpus`: each as a vgpu_instance of its physical
 * card, which is then none to pass through; those of a card that is not there are left out.
 * running: as merge_update_users() has it; NULL: libvirt did not say, and who had a seat when the
 * mediator wrote its record has it. Returns 0, or -1 where there is no memory.
 */
int merge_seats(json_t *gpus, const struct seats *seats, const json_t *running);

#endif
